//! The fold: state from events, for whatever kind of entity an event belongs to.

use std::fmt;

use serde_json::Value;

use super::{State, task};
use crate::envelope::Event;

/// Why an event does not follow on the state before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldError(String);

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FoldError {}

/// Whether entities of this type have a state that the fold makes.
pub fn has_state(entity_type: &str) -> bool {
    entity_type == task::ENTITY
}

/// The state after `event`, given the canonical state before it.
///
/// # Errors
/// The event is no change of a known kind of entity, or does not follow on `before`.
pub fn evolve(before: Option<&State>, event: &Event) -> Result<State, FoldError> {
    let refused = |reason: String| FoldError(format!("event {}: {reason}", event.event_id));
    match event.entity_type.as_deref() {
        Some(task::ENTITY) => {
            let current: Option<task::Task> = before
                .map(|state| serde_json::from_str(state.as_str()))
                .transpose()
                .map_err(|error| refused(format!("the state before it is no task: {error}")))?;
            let data: Value = serde_json::from_str(event.event_data.as_deref().unwrap_or("null"))
                .map_err(|error| refused(format!("event_data is not JSON: {error}")))?;
            let id = event.entity_id.as_deref().unwrap_or_default();
            let next =
                task::evolve(current.as_ref(), &event.event_type, &data, id, event.received_at).map_err(refused)?;
            Ok(State::of(&next))
        }
        other => Err(refused(format!("entities of type {other:?} have no state"))),
    }
}
