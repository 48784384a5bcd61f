//! What is read back from the database: states, lists, events by their place in the log.

use std::collections::BTreeMap;

use event::domain::{State, asset, list_key, submission, user};
use event::{Event, EventId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params, params_from_iter};

use super::{checksum, member, versions};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{EntityRef, Item, Kept, ListOf, ListQuery, Listed, Stored};

/// An event's place: the batch, and the line within it.
type Place = (i64, usize);

/// A request's id is made at its receipt, its batch when it commits; no request lasts longer than this, milliseconds.
/// The ids of one batch lie within it.
pub const LONGEST_REQUEST: u128 = 15 * 60 * 1_000;

/// [`list_key`] of kinds whose ids say nothing of when they were made, word for word as their indexes have it.
const BY_CREATION: &str = "printf('%012d.%s', json_extract(state, '$.created_at'), id)";

/// [`Stored::is_there`] of a row, of which `deleted = 0` is a condition of the indexes: at a time in seconds, the value.
const IS_THERE: &str = "deleted = 0 and ifnull(json_extract(state, '$.expires_at') > ?, 1)";

/// Whether an entity of the kind that is there, other than `entity`, has this value in a field, which is a word of the
/// code's own.
pub fn is_taken(
    connection: &Connection,
    entity: &EntityRef,
    field: &str,
    value: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let EntityRef { tenant, kind, id } = entity;
    let values = params![tenant, kind, now.seconds(), value, id];
    connection.prepare_cached(&taken_sql(kind, field))?.query_row(values, |row| row.get(0))
}

fn taken_sql(kind: &str, field: &str) -> String {
    format!(
        "select exists (select 1 from states where tenant = ? and kind = ? and {IS_THERE}{}
             and json_extract(state, '$.{field}') = ? and id <> ?)",
        literal(kind)
    )
}

/// The condition of the indexes over one kind: they are used only where a statement has it, word for word.
fn literal(kind: &str) -> &'static str {
    match kind {
        user::ENTITY => " and kind = 'user'",
        asset::ENTITY => " and kind = 'asset'",
        _ => "",
    }
}

pub fn load(connection: &Connection, entity: &EntityRef) -> Result<Option<Stored>> {
    let row = connection
        .prepare_cached(
            "select version, state, event_id, event_hash, deleted, checksum from states
             where tenant = ?1 and kind = ?2 and id = ?3",
        )
        .and_then(|mut statement| {
            let row = |row: &rusqlite::Row<'_>| Ok((stored(row, 0)?, row.get(5)?));
            statement.query_row(params![entity.tenant, entity.kind, entity.id], row).optional()
        });
    row.map_err(failed)?.map(|(stored, checksum)| sound(&entity.id, stored, checksum)).transpose()
}

/// A state's row from column `at` on.
pub fn stored(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Stored> {
    Ok(Stored {
        version: row.get(at)?,
        state: State::from_canonical(row.get(at + 1)?),
        event_id: EventId::from_bytes(row.get(at + 2)?),
        event_hash: row.get(at + 3)?,
        deleted: row.get(at + 4)?,
    })
}

/// The state, if it is what was written.
pub fn sound(id: &str, stored: Stored, checksum: Option<i64>) -> Result<Stored> {
    let Stored { version, state, event_id, event_hash, deleted } = &stored;
    let own = checksum::of_state(id, *version, state.as_str(), event_id.as_bytes(), event_hash, *deleted);
    match checksum {
        Some(checksum) if checksum != own => Err(damaged(format!("the state of {id} is damaged"))),
        _ => Ok(stored),
    }
}

pub fn kept(connection: &Connection, scope: &str, now: i64) -> Result<Option<Kept>> {
    let row: Option<(String, i64, Option<i64>)> = connection
        .prepare_cached("select answer, expires_at, checksum from kept where scope = ?1")
        .and_then(|mut statement| {
            statement.query_row(params![scope], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })
        .map_err(failed)?;
    let Some((answer, expires_at, checksum)) = row else { return Ok(None) };
    if checksum.is_some_and(|checksum| checksum != checksum::of_kept(scope, &answer, expires_at)) {
        return Err(damaged("a kept answer is damaged"));
    }
    if expires_at <= now {
        return Ok(None);
    }
    serde_json::from_str(&answer).map(Some).map_err(|error| damaged("a kept answer is damaged").with_source(error))
}

pub fn history(connection: &Connection, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
    if entity.kind == submission::ENTITY {
        let found = if after < 1 && limit > 0 { submission_event(connection, entity)? } else { None };
        return Ok(found.into_iter().collect());
    }
    let found = versions::after(connection, entity, after, limit)?;
    let places: Vec<Place> = found.iter().map(|(_, seq, place)| (*seq, *place)).collect();
    let events = events_at(connection, &places)?;
    for (event, (version, ..)) in events.iter().zip(found) {
        if event.entity_id.as_deref() != Some(&entity.id) || event.entity_version != Some(version) {
            return Err(misplaced(event, &format!("version {version} of {}", entity.id)));
        }
    }
    Ok(events)
}

pub fn list(connection: &Connection, query: &ListQuery) -> Result<Vec<Listed>> {
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    match &query.of {
        ListOf::States { kind, filters } => list_states(connection, query, kind, filters, limit),
        ListOf::Submissions { user_id } => {
            let before = query.before.as_deref().map_or(Ok([0xff; 16]), id_bytes)?;
            let found = rows(
                connection,
                "select seq, place, id from submissions where tenant = ?1 and user_id = ?2 and id < ?3
                 order by id desc limit ?4",
                params![query.tenant, user_id, before, limit],
                |row| Ok((place(row)?, EventId::from_bytes(row.get(2)?))),
            )?;
            let (places, ids): (Vec<Place>, Vec<EventId>) = found.into_iter().unzip();
            let listed = |(event, id): (Event, EventId)| match event.event_id == id {
                true => Ok(Listed { key: id.to_string(), item: Item::Event(Box::new(event)) }),
                false => Err(misplaced(&event, &format!("submission {id}"))),
            };
            events_at(connection, &places)?.into_iter().zip(ids).map(listed).collect()
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
    let (sql, values) = states_sql(query, kind, filters, limit);
    let found = rows(connection, &sql, params_from_iter(values), |row| {
        Ok((row.get::<_, String>(0)?, stored(row, 1)?, row.get(6)?))
    })?;
    let listed = |(id, stored, checksum): (String, Stored, Option<i64>)| {
        let Stored { state, .. } = sound(&id, stored, checksum)?;
        Ok(Listed { key: list_key(kind, &id, &state), item: Item::State(state) })
    };
    found.into_iter().map(listed).collect()
}

/// The statement of a list of states, and its values.
fn states_sql(query: &ListQuery, kind: &str, filters: &[(&'static str, String)], limit: i64) -> (String, Vec<Value>) {
    let columns = "id, version, state, event_id, event_hash, deleted, checksum";
    let mut sql = format!("select {columns} from states where tenant = ? and kind = ? and {IS_THERE}{}", literal(kind));
    let mut values =
        vec![Value::from(query.tenant.clone()), Value::from(kind.to_owned()), Value::from(query.now.seconds())];
    let key = if matches!(kind, user::ENTITY | asset::ENTITY) { BY_CREATION } else { "id" };
    for (name, value) in filters {
        // `name` is one of the code's own words, so it may stand in the statement.
        sql.push_str(&format!(" and json_extract(state, '$.{name}') = ?"));
        values.push(Value::from(value.clone()));
    }
    if let Some(before) = &query.before {
        sql.push_str(&format!(" and {key} < ?"));
        values.push(Value::from(before.clone()));
    }
    sql.push_str(&format!(" order by {key} desc limit ?"));
    values.push(Value::from(limit));
    (sql, values)
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

fn misplaced(event: &Event, of: &str) -> Error {
    damaged(format!("event {} stands in the place of {of}", event.event_id))
}

pub fn damaged(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, what)
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
    match error.sqlite_error_code() {
        // Also a value of another type, and SQLite's general error: the statements are the code's own, so it is a value
        // that cannot be what was written.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
            damaged(error.to_string())
        }
        Some(_) => Error::new(ErrorKind::Unavailable, "reading the store").with_source(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    /// An index over an expression is used only where a statement has it word for word.
    #[test]
    fn users_and_assets_are_found_by_their_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let connection = schema::open_writer(&folder.path().join("store.db"), "x").unwrap();
        let plan = |sql: &str| {
            let mut statement = connection.prepare(&format!("explain query plan {sql}")).unwrap();
            let values = vec![Value::Null; statement.parameter_count()];
            let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            steps.map(|step| step.unwrap()).collect::<Vec<_>>().join("; ")
        };
        let list = |kind: &str, before: Option<&str>, filters: &[(&'static str, String)]| {
            let of = ListOf::States { kind: kind.to_owned(), filters: filters.to_vec() };
            let (before, now) = (before.map(str::to_owned), Timestamp::default());
            let query = ListQuery { tenant: "t".to_owned(), of, before, limit: 9, now };
            plan(&states_sql(&query, kind, filters, 9).0)
        };
        for (kind, index) in [(user::ENTITY, "users_by_creation"), (asset::ENTITY, "assets_by_creation")] {
            for (before, columns) in [(None, "tenant=? AND kind=?"), (Some("k"), "tenant=? AND kind=? AND <expr><?")] {
                let expect = format!("SEARCH states USING INDEX {index} ({columns})");
                assert_eq!(list(kind, before, &[]), expect);
            }
        }
        let pending = [("status", "pending".to_owned())];
        let expect = "SEARCH states USING INDEX assets_by_status (tenant=? AND kind=? AND <expr>=? AND <expr><?)";
        assert_eq!(list(asset::ENTITY, Some("k"), &pending), expect);
        let address = [(user::UNIQUE, "a@x".to_owned())];
        for found in [list(user::ENTITY, None, &address), plan(&taken_sql(user::ENTITY, user::UNIQUE))] {
            assert!(found.contains("users_by_email (tenant=? AND <expr>=? AND kind=?"), "{found}");
        }
    }
}
