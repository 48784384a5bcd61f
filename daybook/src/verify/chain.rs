//! Versions, hash chain and fold of every entity.

use std::collections::{BTreeMap, HashMap};

use event::Event;
use event::domain::{Operation, State, evolve};
use ingest::store::{EntityRef, Stored};

use super::report::Check;
use super::view::View;

/// What the store does with what is left of a deleted entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// It stays.
    Stay,
    /// It goes after a while.
    #[cfg(feature = "aws")]
    Expire,
}

impl Tombstones {
    /// Whether the store may have no trace of an entity with these changes.
    fn allow_absence(self, changes: &BTreeMap<i64, Vec<Event>>) -> bool {
        let last = changes.values().next_back().and_then(|events| events.first());
        let deleted = last.is_some_and(|event| event.operation.as_deref() == Some(Operation::Delete.as_str()));
        self != Self::Stay && deleted
    }
}

/// Checks I4 and I5 for every entity of the log, and of the store where there is one.
pub fn check(view: &View, stored: Option<&HashMap<EntityRef, Stored>>) -> (Check, Check) {
    let mut versions = Check::new("I4", "an entity's versions are 1..n without a gap, and its hash chain is intact");
    let mut folds = Check::new("I5", "the stored state is the fold of the entity's events");
    for (entity, changes) in view.changes() {
        versions.checked += 1;
        if let Some(fault) = broken_chain(changes) {
            versions.offend(|| format!("{}: {fault}", name(entity)));
        }
        let expected = stored.and_then(|stored| stored.get(entity));
        folds.checked += 1;
        if let Err(fault) = fold(changes, expected) {
            folds.offend(|| format!("{}: {fault}", name(entity)));
        }
    }
    for entity in stored.into_iter().flat_map(HashMap::keys) {
        if !view.changes().contains_key(entity) {
            folds.offend(|| format!("{}: the store has it, the log has no event of it", name(entity)));
        }
    }
    (versions, folds)
}

/// Checks I5 from the log's side: of every entity that the log shows the store has its last version, or a later one.
///
/// `stored` must have been read after the log.
pub fn check_kept(view: &View, stored: &HashMap<EntityRef, Stored>, tombstones: Tombstones, folds: &mut Check) {
    for (entity, changes) in view.changes() {
        let logged = changes.keys().next_back().copied().unwrap_or_default();
        match stored.get(entity) {
            None if tombstones.allow_absence(changes) => {}
            None => folds.offend(|| format!("{}: the log has it, the store has no state of it", name(entity))),
            Some(stored) if stored.version < logged => folds.offend(|| {
                format!("{}: the log is at version {logged}, the store at {}", name(entity), stored.version)
            }),
            Some(_) => {}
        }
    }
}

/// An entity as an offender is named.
pub fn name(entity: &EntityRef) -> String {
    format!("{} {} of tenant {}", entity.kind, entity.id, entity.tenant)
}

fn broken_chain(changes: &BTreeMap<i64, Vec<Event>>) -> Option<String> {
    let mut previous: Option<&Event> = None;
    for (expected, (version, events)) in (1..).zip(changes) {
        if *version != expected {
            return Some(format!("version {expected} is missing"));
        }
        let [event] = events.as_slice() else {
            return Some(format!("version {version} has {} events", events.len()));
        };
        if event.prev_event_hash.as_ref() != previous.map(|event| &event.event_hash) {
            return Some(format!("event {} of version {version} is not chained to the one before", event.event_id));
        }
        previous = Some(event);
    }
    None
}

/// Folds the events and compares with the state that each of them claims, and with the stored one at its version.
fn fold(changes: &BTreeMap<i64, Vec<Event>>, stored: Option<&Stored>) -> Result<(), String> {
    let mut state: Option<State> = None;
    let mut met = false;
    for (version, event) in changes.iter().filter_map(|(version, events)| Some((version, events.first()?))) {
        let next = evolve(state.as_ref(), event).map_err(|error| error.to_string())?;
        if event.state_hash.as_deref() != Some(next.hash().as_str()) {
            return Err(format!("event {} claims another state than the fold gives", event.event_id));
        }
        if let Some(stored) = stored.filter(|stored| stored.version == *version) {
            met = true;
            let deleted = event.operation.as_deref() == Some(Operation::Delete.as_str());
            if stored.state != next || stored.event_hash != event.event_hash || stored.deleted != deleted {
                return Err(format!("the stored state of version {version} is not the fold's"));
            }
        }
        state = Some(next);
    }
    match stored {
        Some(stored) if !met => Err(format!("the store is at version {}, which the log lacks", stored.version)),
        _ => Ok(()),
    }
}
