//! The whole store, read for an audit. Ingest never scans; who proves an installation reads all of it.

use std::collections::HashSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use cloud::sdk::SdkConfig;
use event::Event;

use super::item::{self, Item};
use super::table::{PK, SK};
use super::{errors, keys};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{EntityRef, Stored};
use crate::system::System;

/// Reads every state and every event of a store's table.
#[derive(Debug, Clone)]
pub struct StoreAudit {
    client: Client,
    table: String,
    s3: aws_sdk_s3::Client,
    bucket: String,
    system: System,
}

/// What stands in the table.
#[derive(Debug, Clone)]
pub enum Found {
    /// An entity's state.
    State(EntityRef, Box<Stored>),
    /// An event of a change.
    Event(Box<Event>),
}

impl StoreAudit {
    /// An audit of this table, and of the bodies in this bucket.
    pub fn connect(sdk: &SdkConfig, table: impl Into<String>, bucket: impl Into<String>, system: System) -> Self {
        let (client, s3) = (Client::new(sdk), aws_sdk_s3::Client::new(sdk));
        Self { client, table: table.into(), s3, bucket: bucket.into(), system }
    }

    /// The keys of all bodies that were set aside.
    ///
    /// # Errors
    /// The bucket cannot be listed to its end.
    pub async fn bodies(&self) -> Result<HashSet<String>> {
        let mut pages =
            self.s3.list_objects_v2().bucket(&self.bucket).prefix(event::key::BODIES).into_paginator().send();
        let mut keys = HashSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| errors::failed("listing the bodies", &error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// Every state and every event that has not expired, in no order. A consistent read of each page, not of the whole:
    /// what is written meanwhile may be missing.
    ///
    /// # Errors
    /// The table cannot be read to its end, or holds something damaged.
    pub async fn read(&self, mut take: impl FnMut(Found)) -> Result<()> {
        let what = "reading the store";
        let mut from = None;
        loop {
            let scan = self.client.scan().table_name(&self.table).consistent_read(true).set_exclusive_start_key(from);
            let page = scan.send().await.map_err(|error| errors::failed(what, &error))?;
            let now = (self.system.now)();
            for item in page.items.unwrap_or_default().iter().filter(|item| !item::is_expired(item, now)) {
                if let Some(found) = found(item)? {
                    take(found);
                }
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(());
            }
        }
    }
}

fn found(item: &Item) -> Result<Option<Found>> {
    let key = |name: &str| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).map(String::as_str);
    match (key(PK), key(SK)) {
        (Some(pk), Some(keys::STATE)) => {
            let foreign = || Error::new(ErrorKind::Corrupt, format!("the state at {pk:.64} is no entity's"));
            Ok(Some(Found::State(keys::entity_of(pk).ok_or_else(foreign)?, Box::new(item::stored(item)?))))
        }
        (Some(_), Some(sk)) if sk.starts_with(keys::EVENT) => Ok(Some(Found::Event(Box::new(item::event(item)?)))),
        _ => Ok(None),
    }
}
