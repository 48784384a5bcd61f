//! The reference implementation of both ports: what they mean, without a disk. For tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use event::domain::{State, list_key, submission};
use event::{Event, Sealed, Timestamp};

use super::{Append, Appended, EntityRef, EventSink, EventStore, Item, Kept, ListOf, ListQuery, Listed, Stored};
use crate::error::Result;
use crate::receipt::Receipt;

/// A store and sink in memory; "durable" lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    log: Vec<Event>,
    states: BTreeMap<EntityRef, Stored>,
    changes: BTreeMap<EntityRef, Vec<Event>>,
    kept: BTreeMap<String, Kept>,
    aside: BTreeMap<String, Vec<u8>>,
}

impl Inner {
    /// Whether another entity that is there has the unique value that a change takes.
    fn is_taken(&self, append: &Append) -> bool {
        let Some((field, claim)) =
            append.unique.as_ref().and_then(|unique| Some((unique.field, unique.taken.clone()?)))
        else {
            return false;
        };
        let (taken, now) = ([(field, claim.value)], append.event.received_at);
        self.states.iter().any(|(entity, stored)| {
            let other = entity.tenant == append.entity.tenant && entity.kind == append.entity.kind;
            other && entity.id != append.entity.id && stored.is_there(now) && matches(&stored.state, &taken)
        })
    }
}

impl MemoryStore {
    /// Every event so far, in the order in which they became durable.
    pub fn log(&self) -> Vec<Event> {
        self.lock().log.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>> {
        Ok(self.lock().states.get(entity).cloned())
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        let mut inner = self.lock();
        if let Some(keep) = &append.keep
            && let Some(kept) = inner.kept.get(&keep.scope)
            && kept.expires_at > append.event.received_at.micros()
            && kept.event_id != append.event.event_id
        {
            return Ok(Appended::Known(kept.clone()));
        }
        let is_taken = inner.is_taken(&append);
        let changes = inner.changes.entry(append.entity.clone()).or_default();
        if changes.last().is_some_and(|last| last.event_id == append.event.event_id) {
            return Ok(Appended::Done(Receipt::new(append.event.event_id)));
        }
        if changes.last().and_then(|last| last.entity_version).unwrap_or(0) != append.expected {
            return Ok(Appended::Conflict);
        }
        if is_taken {
            return Ok(Appended::Taken);
        }
        changes.push(Event::clone(&append.event));
        if let Some(new) = append.state {
            let stored = Stored {
                version: append.expected + 1,
                state: new.state,
                event_id: append.event.event_id,
                event_hash: append.event.event_hash.clone(),
                deleted: new.deleted,
            };
            inner.states.insert(append.entity, stored);
        }
        if let Some(keep) = append.keep {
            inner.kept.insert(keep.scope, keep.kept);
        }
        let receipt = Receipt::new(append.event.event_id);
        inner.log.push(append.event.into_event());
        Ok(Appended::Done(receipt))
    }

    async fn kept(&self, scope: &str, now: Timestamp) -> Result<Option<Kept>> {
        Ok(self.lock().kept.get(scope).filter(|kept| kept.expires_at > now.micros()).cloned())
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>> {
        let inner = self.lock();
        let before = |id: &str| query.before.as_deref().is_none_or(|before| id < before);
        Ok(match &query.of {
            ListOf::States { kind, filters } => {
                let of = |entity: &EntityRef| entity.tenant == query.tenant && entity.kind == *kind;
                let is_listed = |stored: &Stored| stored.is_there(query.now) && matches(&stored.state, filters);
                let mut listed: Vec<Listed> = inner
                    .states
                    .iter()
                    .filter(|(entity, stored)| of(entity) && is_listed(stored))
                    .map(|(entity, stored)| Listed {
                        key: list_key(kind, &entity.id, &stored.state),
                        item: Item::State(stored.state.clone()),
                    })
                    .filter(|listed| before(&listed.key))
                    .collect();
                listed.sort_by(|a, b| b.key.cmp(&a.key));
                listed.truncate(query.limit);
                listed
            }
            ListOf::Submissions { user_id } => inner
                .changes
                .iter()
                .rev()
                .filter(|(entity, _)| {
                    entity.tenant == query.tenant && entity.kind == submission::ENTITY && before(&entity.id)
                })
                .filter_map(|(entity, events)| events.first().map(|event| (entity, event)))
                .filter(|(_, event)| event.user_id.as_ref() == Some(user_id))
                .map(|(entity, event)| Listed { key: entity.id.clone(), item: Item::Event(Box::new(event.clone())) })
                .take(query.limit)
                .collect(),
        })
    }

    async fn history(&self, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
        let inner = self.lock();
        let changes = inner.changes.get(entity).map_or(&[][..], Vec::as_slice);
        let newer = changes.iter().filter(|event| event.entity_version.unwrap_or(0) > after);
        Ok(newer.take(limit).cloned().collect())
    }

    async fn set_aside(&self, key: &str, body: &[u8]) -> Result<()> {
        self.lock().aside.insert(key.to_owned(), body.to_vec());
        Ok(())
    }

    async fn read_aside(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.lock().aside.get(key).cloned())
    }
}

#[async_trait]
impl EventSink for MemoryStore {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        let receipts = events.iter().map(|event| Receipt::new(event.event_id)).collect();
        self.lock().log.extend(events.into_iter().map(Sealed::into_event));
        Ok(receipts)
    }
}

fn matches(state: &State, filters: &[(&'static str, String)]) -> bool {
    let fields: serde_json::Value = serde_json::from_str(state.as_str()).unwrap_or_default();
    filters.iter().all(|(name, value)| fields.get(name).and_then(|field| field.as_str()) == Some(value))
}
