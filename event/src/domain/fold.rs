//! The fold: state from events, for whatever kind of entity an event belongs to.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{State, task, user};
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
    matches!(entity_type, task::ENTITY | user::ENTITY)
}

/// Where an entity stands among those of its type, the newest last: by this key lists are ordered and gone on with.
pub fn list_key(entity_type: &str, id: &str, state: &State) -> String {
    match entity_type {
        user::ENTITY => user::list_key(id, state),
        // Made by the server, ids grow with time.
        _ => id.to_owned(),
    }
}

/// The state after `event`, given the canonical state before it.
///
/// # Errors
/// The event is no change of a known kind of entity, or does not follow on `before`.
pub fn evolve(before: Option<&State>, event: &Event) -> Result<State, FoldError> {
    let refused = |reason: String| FoldError(format!("event {}: {reason}", event.event_id));
    let id = event.entity_id.as_deref().unwrap_or_default();
    let (event_type, at) = (event.event_type.as_str(), event.received_at);
    let data = || -> Result<Value, FoldError> {
        serde_json::from_str(event.event_data.as_deref().unwrap_or("null"))
            .map_err(|error| refused(format!("event_data is not JSON: {error}")))
    };
    match event.entity_type.as_deref() {
        Some(task::ENTITY) => {
            let current: Option<task::Task> = before.map(read).transpose().map_err(refused)?;
            task::evolve(current.as_ref(), event_type, &data()?, id, at).map(|next| State::of(&next)).map_err(refused)
        }
        Some(user::ENTITY) => {
            let current: Option<user::User> = before.map(read).transpose().map_err(refused)?;
            user::evolve(current.as_ref(), event_type, &data()?, id, at).map(|next| State::of(&next)).map_err(refused)
        }
        other => Err(refused(format!("entities of type {other:?} have no state"))),
    }
}

fn read<T: DeserializeOwned>(state: &State) -> Result<T, String> {
    serde_json::from_str(state.as_str()).map_err(|error| format!("the state before it is of another kind: {error}"))
}
