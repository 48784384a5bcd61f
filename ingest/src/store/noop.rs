//! A store and sink that keep nothing: what the same server costs without a log. For benchmarks only.

use async_trait::async_trait;
use event::domain::State;
use event::domain::task::{Priority, Status, Task};
use event::{Event, EventId, Sealed, Timestamp};

use super::{Append, Appended, EntityRef, EventSink, EventStore, Kept, ListQuery, Listed, Stored};
use crate::error::Result;
use crate::receipt::Receipt;

/// Acknowledges everything and keeps nothing. Never a part of a server that anybody relies on.
#[derive(Debug, Default)]
pub struct NoopStore;

#[async_trait]
impl EventStore for NoopStore {
    /// A new task, whichever is asked for: so that there is something to change.
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>> {
        let task = Task {
            id: entity.id.clone(),
            task: "Task".to_owned(),
            status: Status::New,
            priority: Priority::Medium,
            created_at: 0,
            updated_at: 0,
            deleted_at: None,
            version: 1,
        };
        Ok(Some(Stored {
            version: 1,
            state: State::of(&task),
            event_id: EventId::from_u128(0),
            event_hash: "0".repeat(64),
            deleted: false,
        }))
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        Ok(Appended::Done(Receipt::new(append.event.event_id)))
    }

    async fn kept(&self, _scope: &str, _now: Timestamp) -> Result<Option<Kept>> {
        Ok(None)
    }

    async fn list(&self, _query: &ListQuery) -> Result<Vec<Listed>> {
        Ok(Vec::new())
    }

    async fn history(&self, _entity: &EntityRef, _after: i64, _limit: usize) -> Result<Vec<Event>> {
        Ok(Vec::new())
    }

    async fn set_aside(&self, _key: &str, _body: &[u8]) -> Result<()> {
        Ok(())
    }

    async fn read_aside(&self, _key: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

#[async_trait]
impl EventSink for NoopStore {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        Ok(events.iter().map(|event| Receipt::new(event.event_id)).collect())
    }
}
