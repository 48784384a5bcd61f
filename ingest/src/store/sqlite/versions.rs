//! Where the event of each version of an entity stands in the log.
//!
//! The latest stand in the row of the entity's state, which a change writes anyway; [`LATELY`] at a time they become rows
//! of their own. A row for each change, each on another page, was two thirds of what a commit of changes wrote.

use event::Event;
use rusqlite::{Connection, OptionalExtension, Transaction, ffi, params};

use super::read;
use crate::error::Result;
use crate::store::EntityRef;

/// Every so many versions, those that stand in the state's row become rows of their own.
pub const LATELY: i64 = 16;

/// What a version adds to the column `places` of its state's row; the first of the column, too, begins with a comma.
pub fn note(version: i64, seq: i64, place: i64) -> String {
    format!(",[{version},{seq},{place}]")
}

/// The entity that an event has changed, and the version that it made. What reads and refuses names its entity, too.
pub fn of(event: &Event) -> Option<(EntityRef, i64)> {
    let version = event.entity_version.filter(|_| !event.event_type.starts_with("request."))?;
    let (kind, id) = (event.entity_type.clone()?, event.entity_id.clone()?);
    Some((EntityRef { tenant: event.tenant.clone(), kind, id }, version))
}

/// A version, its batch, and its line within that.
pub type Placed = (i64, i64, usize);

/// The places of the versions above `after`, in order, at most `limit`.
pub fn after(connection: &Connection, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Placed>> {
    let EntityRef { tenant, kind, id } = entity;
    let mut found = read::rows(
        connection,
        "select version, seq, place from versions where tenant = ?1 and kind = ?2 and id = ?3 and version > ?4
         order by version limit ?5",
        params![tenant, kind, id, after, i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    if found.len() < limit {
        let lately = lately(connection, entity).map_err(read::failed)?;
        found.extend(lately.into_iter().filter(|(version, ..)| *version > after).take(limit - found.len()));
    }
    Ok(found)
}

/// The places that stand in a state's row, within a statement in which that is `s`.
const NOTED: &str = "json_each('[' || ltrim(s.places, ',') || ']')";

/// The places of a state's versions, within a statement in which `s` is the state's row.
pub fn of_a_state() -> String {
    format!(
        "select version, seq, place from versions where tenant = s.tenant and kind = s.kind and id = s.id
         union all select value ->> 0, value ->> 1, value ->> 2 from {NOTED}"
    )
}

/// How many versions in batches up to `last_seq` have a place.
pub fn count(connection: &Connection, last_seq: i64) -> Result<i64> {
    let sql = format!(
        "select (select count(*) from versions where seq <= ?1)
             + (select count(*) from states as s, {NOTED} as noted where noted.value ->> 1 <= ?1)"
    );
    connection.query_row(&sql, params![last_seq], |row| row.get(0)).map_err(read::failed)
}

/// Makes a row of its own of each place that stands in the row of the entity's state.
pub fn settle(transaction: &Transaction<'_>, entity: &EntityRef) -> rusqlite::Result<()> {
    let EntityRef { tenant, kind, id } = entity;
    let lately = lately(transaction, entity)?;
    if lately.is_empty() {
        return Ok(());
    }
    let mut row = transaction.prepare_cached(
        "insert into versions (tenant, kind, id, version, seq, place) values (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (version, seq, place) in lately {
        row.execute(params![tenant, kind, id, version, seq, place])?;
    }
    transaction
        .prepare_cached("update states set places = '' where tenant = ?1 and kind = ?2 and id = ?3")?
        .execute(params![tenant, kind, id])
        .map(|_| ())
}

/// The places that stand in the row of the entity's state, in order. They end with the version of the state.
fn lately(connection: &Connection, entity: &EntityRef) -> rusqlite::Result<Vec<Placed>> {
    let EntityRef { tenant, kind, id } = entity;
    let row = connection
        .prepare_cached("select version, places from states where tenant = ?1 and kind = ?2 and id = ?3")?
        .query_row(params![tenant, kind, id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let Some((current, places)) = row else { return Ok(Vec::new()) };
    let damaged = |what: &str| {
        let reason = format!("the places of {id} are damaged: {what}");
        rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(reason))
    };
    let noted: Vec<Placed> = serde_json::from_str(&format!("[{}]", places.strip_prefix(',').unwrap_or(&places)))
        .map_err(|error| damaged(&error.to_string()))?;
    match noted.iter().rev().zip(0..).all(|((version, ..), before)| *version == current - before) {
        true => Ok(noted),
        false => Err(damaged("a version is missing")),
    }
}
