//! Versions, hashes and fold of every entity, held against the state that the store has.

use std::collections::BTreeMap;

use event::Event;
use event::domain::{Operation, State, evolve, fold};
use ingest::store::{EntityRef, Stored};

/// Each entity's changes in the order of their versions.
pub(super) type Changes<'a> = BTreeMap<EntityRef, BTreeMap<i64, &'a Event>>;

/// Sorts the changes out of all events.
///
/// # Errors
/// I4: two events claim the same version.
pub(super) fn changes(rows: &[Event]) -> Result<Changes<'_>, String> {
    let mut changes = Changes::new();
    for event in rows.iter().filter(|event| !event.event_type.starts_with("request.")) {
        let (Some(kind), Some(id), Some(version)) = (&event.entity_type, &event.entity_id, event.entity_version) else {
            return Err(format!("I4: the change {} names no version of an entity", event.event_id));
        };
        let entity = entity(event, kind, id);
        if let Some(other) = changes.entry(entity).or_default().insert(version, event) {
            return Err(format!(
                "I4: {} and {} both are version {version} of {kind} {id}",
                other.event_id, event.event_id
            ));
        }
    }
    Ok(changes)
}

/// Checks I4 and I5.
///
/// # Errors
/// What is wrong with the first entity that breaks one of them.
pub(super) fn check(changes: &Changes<'_>, stored: &BTreeMap<EntityRef, Option<Stored>>) -> Result<(), String> {
    for (entity, versions) in changes {
        let name = format!("{} {}", entity.kind, entity.id);
        let mut previous: Option<&Event> = None;
        let mut state: Option<State> = None;
        for (expected, (version, event)) in (1..).zip(versions) {
            if *version != expected {
                return Err(format!("I4: {name} lacks version {expected}"));
            }
            if event.prev_event_hash.as_ref() != previous.map(|event| &event.event_hash) {
                return Err(format!("I4: {name} version {version} is not chained to the one before"));
            }
            previous = Some(event);
            if fold::has_state(&entity.kind) {
                let next = evolve(state.as_ref(), event).map_err(|error| format!("I5: {name}: {error}"))?;
                if event.state_hash.as_deref() != Some(next.hash().as_str()) {
                    return Err(format!("I5: {name} version {version} claims another state than the fold gives"));
                }
                state = Some(next);
            }
        }
        if let (Some(last), Some(state)) = (previous, state) {
            check_stored(stored.get(entity).and_then(Option::as_ref), last, &state)
                .map_err(|fault| format!("I5: {name}: {fault}"))?;
        }
    }
    Ok(())
}

fn check_stored(stored: Option<&Stored>, last: &Event, state: &State) -> Result<(), String> {
    let Some(stored) = stored else { return Err("the store has no state of it".to_owned()) };
    let deleted = last.operation.as_deref() == Some(Operation::Delete.as_str());
    let is = (stored.version, &stored.state, &stored.event_hash, stored.deleted);
    let must_be = (last.entity_version.unwrap_or_default(), state, &last.event_hash, deleted);
    match is == must_be {
        true => Ok(()),
        false => Err(format!("the store has {is:?}, the log's fold is {must_be:?}")),
    }
}

pub(super) fn entity(event: &Event, kind: &str, id: &str) -> EntityRef {
    EntityRef { tenant: event.tenant.clone(), kind: kind.to_owned(), id: id.to_owned() }
}
