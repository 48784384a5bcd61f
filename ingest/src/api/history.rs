//! What happened to an entity, and what it was at some moment.

use event::domain::{Operation, State, lifetime};
use event::{Event, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use super::dispatch::{Call, read};
use super::entity::Kind;
use super::page::{self, List};
use super::{Api, Finished, unavailable};
use crate::http::Problem;
use crate::record::Record;
use crate::store::EntityRef;

/// Versions that are read at a time when a moment is looked for.
const STEP: usize = 256;

/// A moment in an entity's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// After this version.
    Version(i64),
    /// At this time.
    Time(Timestamp),
}

impl Moment {
    /// Whether a state is shown that was the last by then: at a time, unless it had ended before.
    fn shows(self, state: &State) -> bool {
        match self {
            Self::Version(_) => true,
            Self::Time(time) => !state.has_ended(time),
        }
    }
}

/// One version as the history shows it.
#[derive(Serialize)]
struct Entry {
    version: i64,
    operation: Option<String>,
    event_type: String,
    event_id: String,
    at: String,
    actor: Actor,
    /// None where what was before is not known any more.
    changes: Option<Vec<FieldChange>>,
}

#[derive(Serialize)]
struct Actor {
    r#type: String,
    id: Option<String>,
    user_id: Option<String>,
}

/// A field that a version changed; null stands for a field that was not there.
#[derive(Serialize)]
struct FieldChange {
    field: String,
    from: Value,
    to: Value,
}

impl Api {
    pub(super) async fn entity_history(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        kind: &Kind,
    ) -> Result<Finished, Problem> {
        let entity = kind.named(call, record, Operation::Read)?;
        let path = format!("{}/{}/history", kind.path, entity.id);
        let list = List { path: &path, filters: Vec::new() };
        let limit = call.query.limit()?;
        let after: i64 = match self.page_start(call, &list)? {
            None => 0,
            Some(last) => {
                last.parse().map_err(|_| Problem::parameter("next", "invalid_value", "next is not a token."))?
            }
        };
        // One before, to tell what the page's first version changed; one after, to tell whether there are more.
        let first = (after - 1).max(0);
        let read_ahead = limit + 1 + usize::from(after > 0);
        let events = self.store.history(&entity, first, read_ahead).await.map_err(|error| unavailable(&error))?;
        // A store keeps events for a time, states for as long as the entity lives.
        if events.is_empty() && self.store.load(&entity).await.map_err(|error| unavailable(&error))?.is_none() {
            return Err(kind.not_found());
        }
        let complete = events.first().and_then(|event| event.entity_version) == Some(first + 1);
        let mut entries = entries(&events);
        entries.retain(|entry| entry.version > after);
        let more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().filter(|_| more).map(|entry| entry.version.to_string());
        let next = last.map(|last| self.next_page(call, &list, limit, &last));
        let mut extra = vec![("id", Value::from(entity.id.as_str())), ("complete", Value::from(complete))];
        if !complete {
            // Where the rest is.
            extra.push(("query", Value::from("entity_history")));
        }
        Ok(read(page::answer(&entries, next.as_ref(), &extra)))
    }

    /// The moment that `version` or `as_of` names.
    pub(super) fn moment(&self, call: &Call<'_>) -> Result<Option<Moment>, Problem> {
        let version = call.query.get("version")?;
        let time = call.query.get("as_of")?;
        let refused = |name, detail| Err(Problem::parameter(name, "invalid_value", detail));
        match (version, time) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => refused("as_of", "Give version or as_of, not both."),
            (Some(text), None) => match text.parse() {
                Ok(version) if version >= 1 => Ok(Some(Moment::Version(version))),
                _ => refused("version", "version must be a whole number from 1."),
            },
            (None, Some(text)) => match Timestamp::parse(text) {
                Ok(time) => Ok(Some(Moment::Time(time))),
                Err(_) => refused("as_of", "as_of must be a UTC time such as 2026-11-20T09:30:26Z."),
            },
        }
    }

    /// Version and state at a moment; `None` if the entity was not there then.
    pub(super) async fn state_at(&self, entity: &EntityRef, moment: Moment) -> Result<Option<(i64, String)>, Problem> {
        let (mut after, step) = match moment {
            Moment::Version(version) => (version - 1, 1),
            Moment::Time(_) => (0, STEP),
        };
        let mut found: Option<Event> = None;
        let mut oldest = None;
        loop {
            let events = self.store.history(entity, after, step).await.map_err(|error| unavailable(&error))?;
            let Some(last) = events.last().and_then(|event| event.entity_version) else { break };
            oldest = oldest.or(events.first().and_then(|event| event.entity_version));
            after = last;
            // Versions decide, not clocks: of all versions that carry an earlier time, the highest counts.
            let holds = |event: &Event| match moment {
                Moment::Version(version) => event.entity_version == Some(version),
                Moment::Time(time) => event.received_at <= time,
            };
            if let Some(event) = events.into_iter().rev().find(holds) {
                found = Some(event);
            }
            if matches!(moment, Moment::Version(_)) {
                break;
            }
        }
        if found.is_none() && oldest != Some(1) {
            return self.state_without_events(entity, moment, oldest).await;
        }
        let made = found.filter(|event| event.operation.as_deref() != Some(Operation::Delete.as_str()));
        let made = made.and_then(|event| event.entity_version.zip(event.state_after.map(State::from_canonical)));
        Ok(made.filter(|(_, state)| moment.shows(state)).map(|(version, state)| (version, state.as_str().to_owned())))
    }

    /// The state at a moment of which the store has no event: there was none, or it has expired. The state has not.
    async fn state_without_events(
        &self,
        entity: &EntityRef,
        moment: Moment,
        oldest: Option<i64>,
    ) -> Result<Option<(i64, String)>, Problem> {
        let stored = self.store.load(entity).await.map_err(|error| unavailable(&error))?;
        let Some(stored) = stored else { return Ok(None) };
        let is_now = match moment {
            Moment::Version(version) if version > stored.version => return Ok(None),
            Moment::Version(version) => version == stored.version,
            Moment::Time(time) => oldest.is_none() && updated_at(&stored.state).is_some_and(|at| at <= time),
        };
        if is_now {
            let is_shown = !stored.deleted && moment.shows(&stored.state);
            return Ok(is_shown.then(|| (stored.version, stored.state.as_str().to_owned())));
        }
        Err(Problem::not_found("The store has its events of that time no longer; the query entity_as_of has them."))
    }
}

/// What each event changed against the one before it; unknown, if that one has expired.
fn entries(events: &[Event]) -> Vec<Entry> {
    let from_the_start = events.first().is_none_or(|event| event.entity_version == Some(1));
    let mut before = from_the_start.then(Map::new);
    let mut entries = Vec::with_capacity(events.len());
    for event in events {
        let state = event.state_after.as_deref().unwrap_or("{}");
        let after: Map<String, Value> = serde_json::from_str(state).unwrap_or_default();
        entries.push(Entry {
            version: event.entity_version.unwrap_or(0),
            operation: event.operation.clone(),
            event_type: event.event_type.clone(),
            event_id: event.event_id.to_string(),
            at: event.received_at.to_string(),
            actor: Actor {
                r#type: event.actor_type.clone(),
                id: event.actor_id.clone(),
                user_id: event.user_id.clone(),
            },
            changes: before.map(|before| differences(&before, &after)),
        });
        before = Some(after);
    }
    entries
}

/// When a state was made, if it says so.
fn updated_at(state: &State) -> Option<Timestamp> {
    let fields: Map<String, Value> = serde_json::from_str(state.as_str()).ok()?;
    Some(Timestamp::from_micros(fields.get("updated_at")?.as_i64()?.saturating_mul(1_000_000)))
}

/// Fields that differ, but for those that come with every change.
fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let value = |state: &Map<String, Value>, name: &str| state.get(name).cloned().unwrap_or(Value::Null);
    names
        .into_iter()
        .filter(|name| !matches!(name.as_str(), "version" | "updated_at" | lifetime::EXPIRES_AT))
        .map(|name| FieldChange { field: name.clone(), from: value(before, name), to: value(after, name) })
        .filter(|change| change.from != change.to)
        .collect()
}
