//! The fold: state from events, for whatever kind of entity an event belongs to.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{State, asset, task, user};
use crate::envelope::Event;
use crate::id::EventId;
use crate::time::Timestamp;

/// Why an event does not follow on the state before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldError(String);

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FoldError {}

/// What the fold takes of an event.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The event's id, by which it is named if it does not follow.
    pub event_id: EventId,
    /// What happened.
    pub event_type: &'a str,
    /// When.
    pub received_at: Timestamp,
    /// The kind of entity that it happened to.
    pub entity_type: Option<&'a str>,
    /// Which one.
    pub entity_id: &'a str,
    /// The domain event, JSON.
    pub event_data: Option<&'a str>,
}

impl<'a> Step<'a> {
    /// Of an event.
    pub fn of(event: &'a Event) -> Self {
        Self {
            event_id: event.event_id,
            event_type: &event.event_type,
            received_at: event.received_at,
            entity_type: event.entity_type.as_deref(),
            entity_id: event.entity_id.as_deref().unwrap_or_default(),
            event_data: event.event_data.as_deref(),
        }
    }

    fn refused(&self, reason: impl fmt::Display) -> FoldError {
        FoldError(format!("event {}: {reason}", self.event_id))
    }

    fn stateless(&self) -> FoldError {
        self.refused(format_args!("entities of type {:?} have no state", self.entity_type))
    }

    /// The state before it, from its canonical form.
    fn read(&self, state: &State) -> Result<Folded, FoldError> {
        match self.entity_type {
            Some(task::ENTITY) => read(state).map(Folded::Task),
            Some(user::ENTITY) => read(state).map(Folded::User),
            Some(asset::ENTITY) => read(state).map(Folded::Asset),
            _ => return Err(self.stateless()),
        }
        .map_err(|error| self.refused(error))
    }

    fn data(&self) -> Result<Value, FoldError> {
        serde_json::from_str(self.event_data.unwrap_or("null"))
            .map_err(|error| self.refused(format_args!("event_data is not JSON: {error}")))
    }
}

/// An entity in the course of its fold. To go on from it costs less than to go on from its canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folded {
    /// A task.
    Task(task::Task),
    /// A user.
    User(user::User),
    /// An asset.
    Asset(asset::Asset),
}

impl Folded {
    /// The state that it has come to.
    pub fn state(&self) -> State {
        match self {
            Self::Task(task) => task.state(),
            Self::User(user) => State::of(user),
            Self::Asset(asset) => State::of(asset),
        }
    }
}

/// Whether entities of this type have a state that the fold makes.
pub fn has_state(entity_type: &str) -> bool {
    matches!(entity_type, task::ENTITY | user::ENTITY | asset::ENTITY)
}

/// Where an entity stands among those of its type, the newest last: by this key lists are ordered and gone on with.
pub fn list_key(entity_type: &str, id: &str, state: &State) -> String {
    match entity_type {
        user::ENTITY => user::list_key(id, state),
        asset::ENTITY => asset::list_key(id, state),
        // Made by the server, ids grow with time.
        _ => id.to_owned(),
    }
}

/// What `before` becomes by an event.
///
/// # Errors
/// The event is no change of a known kind of entity, or does not follow on `before`.
pub fn step(before: Option<&Folded>, event: &Step<'_>) -> Result<Folded, FoldError> {
    let Step { event_type, entity_id: id, received_at: at, .. } = *event;
    let after = match (event.entity_type, before) {
        (Some(task::ENTITY), None) => task::evolve(None, event_type, &event.data()?, id, at).map(Folded::Task),
        (Some(task::ENTITY), Some(Folded::Task(task))) => {
            task::evolve(Some(task), event_type, &event.data()?, id, at).map(Folded::Task)
        }
        (Some(user::ENTITY), None) => user::evolve(None, event_type, &event.data()?, id, at).map(Folded::User),
        (Some(user::ENTITY), Some(Folded::User(user))) => {
            user::evolve(Some(user), event_type, &event.data()?, id, at).map(Folded::User)
        }
        (Some(asset::ENTITY), None) => asset::evolve(None, event_type, &event.data()?, id, at).map(Folded::Asset),
        (Some(asset::ENTITY), Some(Folded::Asset(asset))) => {
            asset::evolve(Some(asset), event_type, &event.data()?, id, at).map(Folded::Asset)
        }
        (Some(task::ENTITY | user::ENTITY | asset::ENTITY), Some(_)) => {
            Err("the state before it is of another kind".to_owned())
        }
        _ => return Err(event.stateless()),
    };
    after.map_err(|reason| event.refused(reason))
}

/// The state after `event`, given the canonical state before it.
///
/// # Errors
/// The event is no change of a known kind of entity, or does not follow on `before`.
pub fn evolve(before: Option<&State>, event: &Event) -> Result<State, FoldError> {
    let event = Step::of(event);
    let before = before.map(|state| event.read(state)).transpose()?;
    Ok(step(before.as_ref(), &event)?.state())
}

fn read<T: DeserializeOwned>(state: &State) -> Result<T, String> {
    serde_json::from_str(state.as_str()).map_err(|error| format!("the state before it is of another kind: {error}"))
}
