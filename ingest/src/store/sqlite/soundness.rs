//! Whether the database holds what was written to it: every page, row and checksum looked at.

use event::domain::submission;
use event::{Event, EventId};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Holding, REPLAYED, SqliteReader, checksum, member, outbox, read, versions};
use crate::error::{ErrorKind, Result};
use crate::store::EntityRef;

/// Bytes of batches that are read at a time.
const PAGE: usize = 16 << 20;

/// What was found.
#[derive(Debug, Default)]
pub struct Soundness {
    /// How many events were looked at.
    pub events: u64,
    /// The first thing that is not what was written.
    pub offender: Option<String>,
}

/// How many rows must tell of the events so far.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    last_seq: i64,
    versions: i64,
    submissions: i64,
    /// Up to where events had been removed when it was begun to count.
    removed: [i64; 2],
}

impl SqliteReader {
    /// Looks at the whole database: pages and indexes, every event and the rows that say where it stands, every state,
    /// kept answer and mark of the relay.
    ///
    /// Also holds while a server runs. Memory: a page of batches. `is_there` says whether a raw object is.
    ///
    /// # Errors
    /// The disk's. What can be read and is wrong is an offender.
    pub async fn soundness(&self, is_there: impl Fn(&str) -> bool + Send + 'static) -> Result<Soundness> {
        let mut found = Soundness::default();
        let result = self.look_at_all(&mut found, is_there).await;
        match result {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                found.offender.get_or_insert(error.to_string());
                Ok(found)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(found),
        }
    }

    async fn look_at_all(&self, found: &mut Soundness, is_there: impl Fn(&str) -> bool + Send + 'static) -> Result<()> {
        self.read(pages).await?;
        let store_id = self.store_id().to_owned();
        self.read(move |connection| marks(connection, &store_id, is_there)).await?;
        self.read(states).await?;
        self.read(kept).await?;
        let mut told = Told { removed: self.read(removed).await?, ..Told::default() };
        // What is added meanwhile is for the next look: a busy server would be chased for ever.
        let last = self.read(last_seq).await?;
        loop {
            let page = self.read(move |connection| {
                let mut batches = outbox::batches(connection, told.last_seq, PAGE)?;
                batches.retain(|batch| batch.seq <= last);
                let found = places(connection, &batches, told)?;
                Ok((!batches.is_empty()).then_some(found))
            });
            let Some((next, events)) = page.await? else { break };
            told = next;
            found.events += events;
        }
        self.read(move |connection| match told.removed == removed(connection)? {
            true => sums(connection, told),
            // Rows went while they were counted.
            false => Ok(()),
        })
        .await
    }
}

fn last_seq(connection: &Connection) -> Result<i64> {
    connection.query_row("select coalesce(max(seq), 0) from batches", [], |row| row.get(0)).map_err(read::failed)
}

fn removed(connection: &Connection) -> Result<[i64; 2]> {
    Ok([Holding::Events.removed_to(connection)?, Holding::Submissions.removed_to(connection)?])
}

/// SQLite's own look at its pages, indexes and constraints.
fn pages(connection: &Connection) -> Result<()> {
    let said: String = connection.query_row("pragma integrity_check(1)", [], |row| row.get(0)).map_err(read::failed)?;
    if said == "ok" { Ok(()) } else { Err(read::damaged(format!("store.db: {}", said.replace('\n', " ")))) }
}

/// The relay's marks follow each other, and name objects that are there, of the batches that they are about; or say that
/// the batches came from the raw log.
fn marks(connection: &Connection, store_id: &str, is_there: impl Fn(&str) -> bool) -> Result<()> {
    let marks = read::rows(connection, "select first_seq, last_seq, key from objects order by last_seq", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut before: Option<i64> = None;
    for (first, last, key) in marks {
        let named = key.ends_with(&format!("/{store_id}-{first:012}-{last:012}.ndjson.gz"));
        let has_events = key == REPLAYED || named && is_there(&key);
        if !has_events || first > last || before.is_some_and(|before| first != before + 1) {
            return Err(read::damaged(format!("the raw object {key:?} is not there as it was marked")));
        }
        before = Some(last);
    }
    Ok(())
}

fn states(connection: &Connection) -> Result<()> {
    let mut statement = connection
        .prepare("select id, version, state, event_id, event_hash, deleted, checksum from states")
        .map_err(read::failed)?;
    let mut rows = statement.query([]).map_err(read::failed)?;
    while let Some(row) = rows.next().map_err(read::failed)? {
        let row = (|| Ok((row.get::<_, String>(0)?, read::stored(row, 1)?, row.get(6)?)))();
        let (id, stored, checksum) = row.map_err(read::failed)?;
        read::sound(&id, stored, checksum)?;
    }
    Ok(())
}

fn kept(connection: &Connection) -> Result<()> {
    let mut statement =
        connection.prepare("select scope, answer, expires_at, checksum from kept").map_err(read::failed)?;
    let mut rows = statement.query([]).map_err(read::failed)?;
    while let Some(row) = rows.next().map_err(read::failed)? {
        let row = (|| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?)))();
        let (scope, answer, expires_at, checksum): (_, _, _, Option<i64>) = row.map_err(read::failed)?;
        if checksum.is_some_and(|checksum| checksum != checksum::of_kept(&scope, &answer, expires_at)) {
            return Err(read::damaged(format!("the answer kept under {scope} is damaged")));
        }
    }
    Ok(())
}

/// Each batch is whole, and each of its events stands where its row says.
fn places(connection: &Connection, batches: &[Batch], mut told: Told) -> Result<(Told, u64)> {
    let mut count = 0;
    for batch in batches {
        told.last_seq = batch.seq;
        let events = batch.decode()?;
        count += events.len() as u64;
        is_whole(connection, batch, &events)?;
        for (place, event) in events.iter().enumerate() {
            let row = match event {
                event if event.event_type == submission::SUBMITTED => {
                    told.submissions += 1;
                    submission_place(connection, event)?
                }
                event => {
                    let Some((entity, version)) = versions::of(event) else { continue };
                    told.versions += 1;
                    version_place(connection, &entity, version)?
                }
            };
            if row != Some((batch.seq, place)) {
                return Err(read::damaged(format!("the store has lost the place of event {}", event.event_id)));
            }
        }
    }
    Ok((told, count))
}

fn is_whole(connection: &Connection, batch: &Batch, events: &[Event]) -> Result<()> {
    let span: (i64, [u8; 16], [u8; 16]) = connection
        .prepare_cached("select events, first_id, last_id from batches where seq = ?1")
        .and_then(|mut statement| {
            statement.query_row(params![batch.seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })
        .map_err(read::failed)?;
    let first = events.iter().map(|event| event.event_id).min().unwrap_or_default();
    let last = events.iter().map(|event| event.event_id).max().unwrap_or_default();
    let own = (i64::try_from(events.len()).unwrap_or(i64::MAX), *first.as_bytes(), *last.as_bytes());
    let hashes = events.iter().all(|event| event.compute_hash() == event.event_hash);
    match span == own && hashes && member::is_own(&batch.member) {
        true => Ok(()),
        false => Err(read::damaged(format!("batch {} is damaged", batch.seq))),
    }
}

fn version_place(connection: &Connection, entity: &EntityRef, version: i64) -> Result<Option<(i64, usize)>> {
    let found = versions::after(connection, entity, version - 1, 1)?;
    Ok(found.first().filter(|placed| placed.0 == version).map(|(_, seq, place)| (*seq, *place)))
}

fn submission_place(connection: &Connection, event: &Event) -> Result<Option<(i64, usize)>> {
    let id: &EventId = &event.event_id;
    connection
        .prepare_cached("select seq, place from submissions where tenant = ?1 and user_id = ?2 and id = ?3")
        .and_then(|mut statement| {
            let key = params![event.tenant, event.user_id.as_deref().unwrap_or_default(), id.as_bytes()];
            statement.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(read::failed)
}

/// No place is noted of an event that is not there.
fn sums(connection: &Connection, told: Told) -> Result<()> {
    let submissions = connection
        .query_row("select count(*) from submissions where seq <= ?1", params![told.last_seq], |row| row.get(0))
        .map_err(read::failed)?;
    let versions = versions::count(connection, told.last_seq)?;
    for (what, count, expected) in
        [("versions", versions, told.versions), ("submissions", submissions, told.submissions)]
    {
        if count != expected {
            return Err(read::damaged(format!("{what} have {count} places for {expected} events")));
        }
    }
    Ok(())
}
