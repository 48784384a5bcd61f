//! API keys in the installation's table: an item each, all in one partition, so that they can be listed without a scan.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use cloud::Deadline;
use cloud::sdk::SdkConfig;
use event::Timestamp;

use super::item::{self, Item};
use super::table::{PK, SK};
use super::{errors, keys};
use crate::error::{Error, ErrorKind, Result};
use crate::http::auth::{ApiKey, FindKey};
use crate::system::System;

/// How long what was found is believed, microseconds: a revocation takes effect within it.
const BELIEVED: u64 = 60_000_000;
/// How long it is believed that there is no such key.
const ABSENT: u64 = 5_000_000;
/// Keys that are remembered at most; strangers can ask for any.
const REMEMBERED: usize = 10_000;

/// The key as JSON, its hash in it.
const KEY: &str = "api_key";

/// The keys of a deployment.
#[derive(Debug, Clone)]
pub struct KeyTable {
    client: Client,
    table: String,
    deadline: Deadline,
}

impl KeyTable {
    /// The keys in this table; each call is bounded by the deadline.
    pub fn new(client: Client, table: impl Into<String>, deadline: Deadline) -> Self {
        Self { client, table: table.into(), deadline }
    }

    /// The keys in this table, for a program that waits as long as it takes.
    pub fn connect(sdk: &SdkConfig, table: impl Into<String>) -> Self {
        Self::new(Client::new(sdk), table, Deadline::default())
    }

    /// The key of this id, spent ones included.
    ///
    /// # Errors
    /// The table cannot be read, or holds something else under the id.
    pub async fn find(&self, id: &str) -> Result<Option<ApiKey>> {
        let what = "looking for an API key";
        let get = self.client.get_item().table_name(&self.table).set_key(Some(place(id)));
        let sent = self.deadline.bound(get.send()).await.map_err(|elapsed| errors::elapsed(what, elapsed))?;
        let found = sent.map_err(|error| errors::failed(what, &error))?.item;
        found.as_ref().map(read).transpose()
    }

    /// Every key that was ever made, by id.
    ///
    /// # Errors
    /// The table cannot be read to its end.
    pub async fn all(&self) -> Result<Vec<ApiKey>> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(keys::API_KEYS.to_owned()));
        let mut pages = query.into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(found) = pages.next().await {
            all.push(read(&found.map_err(|error| errors::failed("listing the API keys", &error))?)?);
        }
        Ok(all)
    }

    /// Adds a key; false if one of its id was made before.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn add(&self, key: &ApiKey) -> Result<bool> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item_of(key)?));
        let put = put.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", PK);
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|it| it.is_conditional_check_failed_exception()) => {
                // An answer that was lost was sent for again: it may be this very key.
                Ok(self.find_now(&key.id).await?.is_some_and(|found| found == *key))
            }
            Err(error) => Err(errors::failed("adding an API key", &error)),
        }
    }

    /// Revokes a key and gives it as it is then: with the time of its first revocation. `None` if there is none.
    ///
    /// # Errors
    /// The table cannot be read or written.
    pub async fn revoke(&self, id: &str, now: Timestamp) -> Result<Option<ApiKey>> {
        let Some(key) = self.find_now(id).await? else { return Ok(None) };
        if key.revoked_at.is_some() {
            return Ok(Some(key));
        }
        // Nothing else about a key ever changes: two who revoke it differ in the moment alone.
        let key = ApiKey { revoked_at: Some(now), ..key };
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item_of(&key)?));
        put.send().await.map_err(|error| errors::failed("revoking an API key", &error))?;
        Ok(Some(key))
    }

    async fn find_now(&self, id: &str) -> Result<Option<ApiKey>> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true).set_key(Some(place(id)));
        let found = get.send().await.map_err(|error| errors::failed("looking for an API key", &error))?.item;
        found.as_ref().map(read).transpose()
    }

    /// Looks keys up for the API, each once a minute.
    ///
    /// What is found is believed for 60 seconds, that there is no such key for 5; a few thousand are remembered. Where
    /// the table does not answer, nobody is let in whose key is not remembered.
    pub fn into_find(self, system: System) -> FindKey {
        let (table, seen) = (Arc::new(self), Arc::new(Seen::default()));
        Arc::new(move |id| {
            let (table, seen) = (Arc::clone(&table), Arc::clone(&seen));
            Box::pin(async move {
                if let Some(known) = seen.get(&id, (system.monotonic)()) {
                    return Ok(known);
                }
                let found = table.find(&id).await?.map(Arc::new);
                seen.put(id, found.clone(), (system.monotonic)());
                Ok(found)
            })
        })
    }
}

/// A key, or that there is none.
type MaybeKey = Option<Arc<ApiKey>>;

/// What was found a moment ago, by id, and until when it is believed.
#[derive(Default)]
struct Seen(Mutex<HashMap<String, (u64, MaybeKey)>>);

impl Seen {
    fn get(&self, id: &str, now: u64) -> Option<MaybeKey> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, found) = seen.get(id)?;
        (*until > now).then(|| found.clone())
    }

    fn put(&self, id: String, found: MaybeKey, now: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.retain(|_, (until, _)| *until > now);
        }
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        let until = now + if found.is_some() { BELIEVED } else { ABSENT };
        seen.insert(id, (until, found));
    }
}

fn place(id: &str) -> Item {
    item::keyed(keys::API_KEYS.to_owned(), keys::api_key(id))
}

fn item_of(key: &ApiKey) -> Result<Item> {
    let text = serde_json::to_string(key)
        .map_err(|error| Error::new(ErrorKind::Unavailable, "writing an API key").with_source(error))?;
    let mut item = place(&key.id);
    item.insert(KEY.to_owned(), item::text(text));
    Ok(item)
}

fn read(item: &Item) -> Result<ApiKey> {
    let key: ApiKey = serde_json::from_str(item::string(item, KEY)?)
        .map_err(|error| Error::new(ErrorKind::Corrupt, "an API key's item is damaged").with_source(error))?;
    match item::string(item, SK)? == keys::api_key(&key.id) {
        true => Ok(key),
        false => Err(Error::new(ErrorKind::Corrupt, "an API key's item is another key's")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use super::*;

    fn key(id: &str) -> ApiKey {
        format!("{id}:t:{}", "0".repeat(64)).parse().unwrap()
    }

    #[test]
    fn a_key_is_its_item_and_no_other_s() {
        let item = item_of(&key("a")).unwrap();
        assert_eq!(read(&item).unwrap(), key("a"));
        let moved: Item = item.into_iter().chain(place("b")).collect();
        assert_eq!(read(&moved).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn what_was_found_is_believed_for_a_while() {
        let seen = Seen::default();
        seen.put("a".to_owned(), Some(Arc::new(key("a"))), 0);
        seen.put("b".to_owned(), None, 0);
        assert!(seen.get("a", BELIEVED - 1).unwrap().is_some() && seen.get("a", BELIEVED).is_none());
        assert!(seen.get("b", ABSENT - 1).unwrap().is_none() && seen.get("b", ABSENT).is_none());
        for n in 0..3 * REMEMBERED {
            seen.put(n.to_string(), None, 1);
        }
        assert!(seen.0.lock().unwrap().len() <= REMEMBERED);
    }
}
