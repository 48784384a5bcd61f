//! A store in memory that can be emptied: the API before it costs more to make than most inputs cost to try.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use event::{Event, Sealed, Timestamp};
use ingest::store::memory::MemoryStore;
use ingest::store::{Append, Appended, EntityRef, EventSink, EventStore, Kept, ListQuery, Listed, Stored};
use ingest::{Receipt, Result};

/// A store and sink; [`Fresh::take`] gives what it holds and leaves it empty.
#[derive(Default)]
pub struct Fresh(Mutex<Arc<MemoryStore>>);

impl Fresh {
    /// Every event since the last call.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap()).log()
    }

    fn now(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.0.lock().unwrap())
    }
}

#[async_trait]
impl EventStore for Fresh {
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>> {
        self.now().load(entity).await
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        self.now().append(append).await
    }

    async fn kept(&self, scope: &str, now: Timestamp) -> Result<Option<Kept>> {
        self.now().kept(scope, now).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>> {
        self.now().list(query).await
    }

    async fn history(&self, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
        self.now().history(entity, after, limit).await
    }

    async fn set_aside(&self, key: &str, body: &[u8]) -> Result<()> {
        self.now().set_aside(key, body).await
    }

    async fn read_aside(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.now().read_aside(key).await
    }
}

#[async_trait]
impl EventSink for Fresh {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        self.now().put(events).await
    }
}
