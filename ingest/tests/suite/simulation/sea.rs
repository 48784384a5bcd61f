//! The way between the API and its store: calls are late, fail before they arrive or after they were done, or arrive
//! twice.

use std::sync::Arc;

use async_trait::async_trait;
use event::{Event, Sealed, Timestamp};
use ingest::store::memory::MemoryStore;
use ingest::store::{Append, Appended, EntityRef, EventSink, EventStore, Kept, ListQuery, Listed, Stored};
use ingest::{Error, ErrorKind, Receipt, Result};

use super::world;

/// Most turns that a call waits on either way.
const SLOWEST: usize = 6;

/// A store behind it. How often it fails is a number of a thousand.
pub struct Sea {
    store: Arc<MemoryStore>,
    failures: u64,
}

impl Sea {
    pub fn new(store: Arc<MemoryStore>, failures: u64) -> Self {
        Self { store, failures }
    }

    /// On the way to the store: nothing has happened yet.
    async fn out(&self) -> Result<()> {
        world::pause(world::below(SLOWEST)).await;
        self.fail(ErrorKind::Unavailable)
    }

    /// On the way back from it: whatever was asked for has happened.
    async fn back(&self, lost: ErrorKind) -> Result<()> {
        world::pause(world::below(SLOWEST)).await;
        self.fail(lost)
    }

    fn fail(&self, kind: ErrorKind) -> Result<()> {
        match world::chance(self.failures) {
            true => Err(Error::new(kind, "lost at sea")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl EventStore for Sea {
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>> {
        self.out().await?;
        let stored = self.store.load(entity).await;
        self.back(ErrorKind::Unavailable).await?;
        stored
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        self.out().await?;
        // As an SDK repeats what it has no answer to.
        let appended = match world::chance(self.failures) {
            true => self.store.append(append.clone()).await.and(self.store.append(append).await),
            false => self.store.append(append).await,
        };
        self.back(ErrorKind::Unknown).await?;
        appended
    }

    async fn kept(&self, scope: &str, now: Timestamp) -> Result<Option<Kept>> {
        self.out().await?;
        let kept = self.store.kept(scope, now).await;
        self.back(ErrorKind::Unavailable).await?;
        kept
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>> {
        self.out().await?;
        self.store.list(query).await
    }

    async fn history(&self, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
        self.out().await?;
        let events = self.store.history(entity, after, limit).await;
        self.back(ErrorKind::Unavailable).await?;
        events
    }

    async fn set_aside(&self, key: &str, body: &[u8]) -> Result<()> {
        self.out().await?;
        self.store.set_aside(key, body).await?;
        self.back(ErrorKind::Unavailable).await
    }

    async fn read_aside(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.out().await?;
        self.store.read_aside(key).await
    }
}

#[async_trait]
impl EventSink for Sea {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        self.out().await?;
        let receipts = self.store.put(events).await;
        self.back(ErrorKind::Unknown).await?;
        receipts
    }
}
