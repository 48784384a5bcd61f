//! The store on a DynamoDB table, with large bodies in a bucket.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use cloud::Deadline;
use event::{Event, Timestamp};

use super::item::{self, Item};
use super::objects::Objects;
use super::table::{PK, SK};
use super::{errors, keys};
use crate::error::Result;
use crate::store::{Append, Appended, EntityRef, EventStore, Kept, ListQuery, Listed, Stored};
use crate::system::System;

/// What an installation decides about its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamoSettings {
    /// The table, as [`definition`](super::table::definition) describes it.
    pub table: String,
    /// The bucket that has the bodies that are set aside.
    pub bucket: String,
    /// How long events of entities with a state are kept, and what is left of a deleted entity, days; 0 is for ever.
    /// The log has them longer.
    pub event_retention_days: u32,
    /// How long submissions can be read through the API, days; 0 is for ever. Their event is all there is of them.
    pub submission_retention_days: u32,
}

impl Default for DynamoSettings {
    fn default() -> Self {
        Self { table: String::new(), bucket: String::new(), event_retention_days: 30, submission_retention_days: 0 }
    }
}

/// The store on AWS.
///
/// A change is one transaction; every read but a list's candidates is consistent. Each call is bounded by the
/// deadline, and repeated within bounds where the table is busy.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    pub(super) client: Client,
    pub(super) settings: DynamoSettings,
    pub(super) system: System,
    pub(super) deadline: Deadline,
    /// The deadline of what must still be done when the store's own is over.
    pub(super) last_moments: Deadline,
    bodies: Objects,
}

impl DynamoStore {
    /// The store on these clients.
    pub fn new(
        client: Client,
        s3: aws_sdk_s3::Client,
        settings: DynamoSettings,
        system: System,
        deadline: Deadline,
    ) -> Self {
        let bodies = Objects::new(s3, settings.bucket.clone(), system, deadline.clone());
        Self { client, settings, system, last_moments: deadline.clone(), deadline, bodies }
    }

    /// Lets bodies be set aside, and lost answers be looked for, until a later deadline: what the store fails with at
    /// its own is still to be recorded.
    #[must_use]
    pub fn with_last_moments(mut self, deadline: Deadline) -> Self {
        self.bodies = self.bodies.until(deadline.clone());
        self.last_moments = deadline;
        self
    }

    pub(super) async fn get(&self, what: &str, pk: String, sk: &str) -> Result<Option<Item>> {
        let get = self.client.get_item().table_name(&self.settings.table).consistent_read(true);
        let sent = self.deadline.bound(get.set_key(Some(item::keyed(pk, sk.to_owned()))).send()).await;
        let answer = sent.map_err(|elapsed| errors::elapsed(what, elapsed))?;
        Ok(answer.map_err(|error| errors::failed(what, &error))?.item)
    }

    /// One page of an entity's event items, from a version on; and where the next page begins.
    async fn event_page(
        &self,
        pk: &str,
        from: i64,
        limit: usize,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>)> {
        let what = "reading a history";
        let page = self
            .client
            .query()
            .table_name(&self.settings.table)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk and #sk between :first and :last")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
            .expression_attribute_values(":first", AttributeValue::S(keys::version(from)))
            .expression_attribute_values(":last", AttributeValue::S(keys::version(keys::LAST_VERSION)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let sent = self.deadline.bound(page.send()).await.map_err(|elapsed| errors::elapsed(what, elapsed))?;
        let page = sent.map_err(|error| errors::failed(what, &error))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
    }
}

#[async_trait]
impl EventStore for DynamoStore {
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>> {
        let found = self.get("reading a state", keys::entity(entity), keys::STATE).await?;
        let now = (self.system.now)();
        found.filter(|found| !item::is_expired(found, now)).as_ref().map(item::stored).transpose()
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        self.append_once(&append).await
    }

    async fn kept(&self, scope: &str, now: Timestamp) -> Result<Option<Kept>> {
        let found = self.get("reading a kept answer", keys::kept(scope), keys::KEPT).await?;
        let kept = found.as_ref().map(item::answer).transpose()?;
        Ok(kept.filter(|kept| kept.expires_at > now.micros()))
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>> {
        self.list_page(query).await
    }

    async fn history(&self, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
        let (pk, now) = (keys::entity(entity), (self.system.now)());
        let mut events = Vec::new();
        let mut start = None;
        while events.len() < limit && after < keys::LAST_VERSION {
            let (items, next) = self.event_page(&pk, after.max(0) + 1, limit - events.len(), start).await?;
            for found in items.iter().filter(|found| !item::is_expired(found, now)) {
                events.push(item::event(found)?);
            }
            start = next;
            if start.is_none() {
                break;
            }
        }
        Ok(events)
    }

    async fn set_aside(&self, key: &str, body: &[u8]) -> Result<()> {
        self.bodies.put(key, Bytes::copy_from_slice(body)).await
    }

    async fn read_aside(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.bodies.get(key).await
    }
}
