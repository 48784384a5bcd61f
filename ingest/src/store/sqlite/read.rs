//! What is read back from the database: states, lists, events by their place in the log.

use std::collections::BTreeMap;

use event::domain::{State, submission};
use event::{Event, EventId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::member;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{EntityRef, Item, Kept, ListOf, ListQuery, Listed, Stored};

/// An event's place: the batch, and the line within it.
type Place = (i64, usize);

/// A request's id is made at its receipt, its batch when it commits; no request lasts longer than this, milliseconds.
/// The ids of one batch lie within it.
pub const LONGEST_REQUEST: u128 = 15 * 60 * 1_000;

pub fn load(connection: &Connection, entity: &EntityRef) -> Result<Option<Stored>> {
    let row = connection
        .prepare_cached(
            "select version, state, event_id, event_hash, deleted from states where tenant = ?1 and kind = ?2 and id = ?3",
        )
        .and_then(|mut statement| {
            let row = |row: &rusqlite::Row<'_>| {
                Ok(Stored {
                    version: row.get(0)?,
                    state: State::from_canonical(row.get(1)?),
                    event_id: EventId::from_bytes(row.get(2)?),
                    event_hash: row.get(3)?,
                    deleted: row.get(4)?,
                })
            };
            statement.query_row(params![entity.tenant, entity.kind, entity.id], row).optional()
        });
    row.map_err(failed)
}

pub fn kept(connection: &Connection, scope: &str, now: i64) -> Result<Option<Kept>> {
    let answer: Option<String> = connection
        .prepare_cached("select answer from kept where scope = ?1 and expires_at > ?2")
        .and_then(|mut statement| statement.query_row(params![scope, now], |row| row.get(0)).optional())
        .map_err(failed)?;
    answer
        .map(|answer| serde_json::from_str(&answer))
        .transpose()
        .map_err(|error| Error::new(ErrorKind::Corrupt, "a kept answer is damaged").with_source(error))
}

pub fn history(connection: &Connection, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
    if entity.kind == submission::ENTITY {
        let found = if after < 1 && limit > 0 { submission_event(connection, entity)? } else { None };
        return Ok(found.into_iter().collect());
    }
    let places = rows(
        connection,
        "select seq, place from versions where tenant = ?1 and kind = ?2 and id = ?3 and version > ?4
         order by version limit ?5",
        params![entity.tenant, entity.kind, entity.id, after, i64::try_from(limit).unwrap_or(i64::MAX)],
        place,
    )?;
    events_at(connection, &places)
}

pub fn list(connection: &Connection, query: &ListQuery) -> Result<Vec<Listed>> {
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    match &query.of {
        ListOf::States { kind, filters } => list_states(connection, query, kind, filters, limit),
        ListOf::Submissions { user_id } => {
            let before = query.before.as_deref().map_or(Ok([0xff; 16]), id_bytes)?;
            let places = rows(
                connection,
                "select seq, place from submissions where tenant = ?1 and user_id = ?2 and id < ?3
                 order by id desc limit ?4",
                params![query.tenant, user_id, before, limit],
                place,
            )?;
            let listed = |event: Event| Listed { id: event.event_id.to_string(), item: Item::Event(Box::new(event)) };
            Ok(events_at(connection, &places)?.into_iter().map(listed).collect())
        }
    }
}

fn list_states(
    connection: &Connection,
    query: &ListQuery,
    kind: &str,
    filters: &[(&'static str, String)],
    limit: i64,
) -> Result<Vec<Listed>> {
    let mut sql = "select id, state from states where tenant = ? and kind = ? and deleted = 0".to_owned();
    let mut values = vec![Value::from(query.tenant.clone()), Value::from(kind.to_owned())];
    for (name, value) in filters {
        // `name` is one of the code's own words, so it may stand in the statement.
        sql.push_str(&format!(" and json_extract(state, '$.{name}') = ?"));
        values.push(Value::from(value.clone()));
    }
    if let Some(before) = &query.before {
        sql.push_str(" and id < ?");
        values.push(Value::from(before.clone()));
    }
    sql.push_str(" order by id desc limit ?");
    values.push(Value::from(limit));
    rows(connection, &sql, params_from_iter(values), |row| {
        Ok(Listed { id: row.get(0)?, item: Item::State(State::from_canonical(row.get(1)?)) })
    })
}

/// A submission has no row of its own: its id is its event's, and batches say which ids they span.
fn submission_event(connection: &Connection, entity: &EntityRef) -> Result<Option<Event>> {
    let Ok(id) = entity.id.parse::<EventId>() else { return Ok(None) };
    let latest = EventId::from_u128(id.as_u128().saturating_add(LONGEST_REQUEST << 80));
    let batches = rows(
        connection,
        "select seq from batches where last_id >= ?1 and last_id < ?2 and first_id <= ?1 order by last_id",
        params![id.as_bytes(), latest.as_bytes()],
        |row| row.get::<_, i64>(0),
    )?;
    for seq in batches {
        let text = batch_lines(connection, seq)?;
        // The id stands near the beginning of its own line; the parsed event decides.
        let needle = format!("{{\"event_id\":\"{id}\"");
        if let Some(line) = text.split(|byte| *byte == b'\n').find(|line| line.starts_with(needle.as_bytes())) {
            let event = decode(line, seq)?;
            // Every request has an event with an id: a read or a refusal is no submission, whatever it was about.
            let own = event.tenant == entity.tenant && event.event_type == submission::SUBMITTED;
            return Ok(own.then_some(event));
        }
    }
    Ok(None)
}

/// The events at these places, in their order; each batch is inflated once.
fn events_at(connection: &Connection, places: &[Place]) -> Result<Vec<Event>> {
    let mut batches: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for (seq, _) in places {
        if !batches.contains_key(seq) {
            batches.insert(*seq, batch_lines(connection, *seq)?);
        }
    }
    places
        .iter()
        .map(|(seq, place)| {
            let line = batches.get(seq).and_then(|lines| lines.split(|byte| *byte == b'\n').nth(*place));
            decode(line.unwrap_or_default(), *seq)
        })
        .collect()
}

pub fn batch_lines(connection: &Connection, seq: i64) -> Result<Vec<u8>> {
    let member: Option<Vec<u8>> = connection
        .prepare_cached("select member from batches where seq = ?1")
        .and_then(|mut statement| statement.query_row(params![seq], |row| row.get(0)).optional())
        .map_err(failed)?;
    member::inflate(&member.ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("batch {seq} is missing")))?)
}

fn decode(line: &[u8], seq: i64) -> Result<Event> {
    Event::from_line(line)
        .map_err(|error| Error::new(ErrorKind::Corrupt, format!("a line of batch {seq}")).with_source(error))
}

fn place(row: &rusqlite::Row<'_>) -> rusqlite::Result<Place> {
    let place: i64 = row.get(1)?;
    Ok((row.get(0)?, usize::try_from(place).unwrap_or(usize::MAX)))
}

fn id_bytes(id: &str) -> Result<[u8; 16]> {
    let id: EventId = id.parse().map_err(|reason: String| Error::new(ErrorKind::Corrupt, reason))?;
    Ok(*id.as_bytes())
}

/// All rows of a statement.
pub fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map(parameters, read).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

pub fn failed(error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "reading the store").with_source(error)
}
