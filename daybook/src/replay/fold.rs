//! The log's changes, appended again in the order of their versions.

use std::collections::{BTreeMap, HashMap, HashSet};

use event::domain::{Operation, State, evolve, submission};
use event::{Event, Sealed};
use futures::future::try_join_all;
use ingest::store::sqlite::SqliteStore;
use ingest::store::{Append, Appended, EntityRef, EventStore, NewState};

use crate::failure::{Failure, Result};
use crate::verify::chain;

/// Appends that share a commit.
const TOGETHER: usize = 1_024;

/// Where an entity stands.
struct Current {
    version: i64,
    state: State,
    event_hash: String,
}

/// A fold that goes into a store.
pub struct Fold<'a> {
    store: &'a SqliteStore,
    current: HashMap<EntityRef, Current>,
    /// Changes whose predecessor has not come yet.
    early: HashMap<EntityRef, BTreeMap<i64, Event>>,
    /// Appends that wait for their commit, one of each entity at most: their order in it is nobody's promise.
    waiting: Vec<Append>,
    entities: HashSet<EntityRef>,
    changes: u64,
    submissions: u64,
    offender: Option<String>,
}

impl<'a> Fold<'a> {
    /// Into an empty store.
    pub fn new(store: &'a SqliteStore) -> Self {
        Self {
            store,
            current: HashMap::new(),
            early: HashMap::new(),
            waiting: Vec::new(),
            entities: HashSet::new(),
            changes: 0,
            submissions: 0,
            offender: None,
        }
    }

    /// Takes a change, once whatever comes before it was taken.
    ///
    /// # Errors
    /// The store's.
    pub async fn take(&mut self, event: Event) -> Result<()> {
        let (Some(kind), Some(id), Some(version)) = (&event.entity_type, &event.entity_id, event.entity_version) else {
            return Ok(());
        };
        let entity = EntityRef { tenant: event.tenant.clone(), kind: kind.clone(), id: id.clone() };
        if entity.kind == submission::ENTITY {
            self.submissions += 1;
            return self.append(entity, 0, None, event).await;
        }
        self.changes += 1;
        let mut next = Some((version, event));
        while let Some((version, event)) = next {
            let last = self.current.get(&entity).map_or(0, |current| current.version);
            if version != last + 1 {
                if version <= last || self.early.get(&entity).is_some_and(|early| early.contains_key(&version)) {
                    self.offend(|| format!("{}: version {version} has two events", chain::name(&entity)));
                } else {
                    self.early.entry(entity).or_default().insert(version, event);
                }
                return Ok(());
            }
            self.change(&entity, version, event).await?;
            next = match self.early.get_mut(&entity) {
                Some(early) => early.remove(&(version + 1)).map(|event| (version + 1, event)),
                None => None,
            };
        }
        Ok(())
    }

    /// Folds a change whose predecessor is there.
    async fn change(&mut self, entity: &EntityRef, version: i64, event: Event) -> Result<()> {
        let before = self.current.get(entity);
        if event.prev_event_hash.as_ref() != before.map(|before| &before.event_hash) {
            let id = event.event_id;
            self.offend(|| format!("{}: event {id} is not chained to the one before", chain::name(entity)));
        }
        let before = self.current.get(entity);
        let state = match evolve(before.map(|before| &before.state), &event) {
            Ok(state) => state,
            Err(error) => {
                self.offend(|| format!("{}: {error}", chain::name(entity)));
                return Ok(());
            }
        };
        if event.state_hash.as_deref() != Some(state.hash().as_str()) {
            let id = event.event_id;
            self.offend(|| format!("{}: event {id} claims another state than the fold gives", chain::name(entity)));
        }
        let deleted = event.operation.as_deref() == Some(Operation::Delete.as_str());
        let current = Current { version, state: state.clone(), event_hash: event.event_hash.clone() };
        self.current.insert(entity.clone(), current);
        self.append(entity.clone(), version - 1, Some(NewState { state, deleted }), event).await
    }

    async fn append(&mut self, entity: EntityRef, expected: i64, state: Option<NewState>, event: Event) -> Result<()> {
        if self.waiting.len() == TOGETHER || self.entities.contains(&entity) {
            self.commit().await?;
        }
        self.entities.insert(entity.clone());
        self.waiting.push(Append { event: Sealed::kept(event), entity, expected, state, unique: None, keep: None });
        Ok(())
    }

    async fn commit(&mut self) -> Result<()> {
        self.entities.clear();
        let appends = self.waiting.drain(..).map(|append| self.store.append(append));
        for appended in try_join_all(appends).await? {
            if !matches!(appended, Appended::Done(_)) {
                return Err(Failure::new("the new database already had a change that was to be made"));
            }
        }
        Ok(())
    }

    fn offend(&mut self, offender: impl FnOnce() -> String) {
        self.offender.get_or_insert_with(offender);
    }

    /// Makes the rest durable. Gives the numbers of changes and submissions, and the first offender.
    ///
    /// # Errors
    /// The store's.
    pub async fn finish(mut self) -> Result<(u64, u64, Option<String>)> {
        self.commit().await?;
        let early = self.early.iter().filter(|(_, early)| !early.is_empty()).map(|(entity, _)| entity);
        if let Some(entity) = early.min() {
            let missing = self.current.get(entity).map_or(1, |current| current.version + 1);
            let name = chain::name(entity);
            self.offender.get_or_insert_with(|| format!("{name}: version {missing} is missing"));
        }
        Ok((self.changes, self.submissions, self.offender))
    }
}
