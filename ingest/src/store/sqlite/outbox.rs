//! The log as the relay and `verify` read it: batch by batch, in the order of the commits.

use event::{Event, EventId};
use rusqlite::{Connection, OptionalExtension, params};

use super::commit::{Outcome, Work};
use super::removal::{self, Holding, REMOVED_ID};
use super::{SqliteReader, SqliteStore, member, read, versions};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{EntityRef, Stored};

/// Stands for a raw object's key where the batches were made of the raw log: it has their events already.
pub const REPLAYED: &str = "replayed";

/// How far the log of a store reaches, in numbers of batches; 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The last batch.
    pub last: i64,
    /// The last from which events were removed that are no submissions.
    pub events_removed_to: i64,
    /// The last from which submissions were removed.
    pub submissions_removed_to: i64,
}

/// One commit's lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number of the commit, from 1 without a gap.
    pub seq: i64,
    /// How many lines.
    pub events: u64,
    /// The lines as one gzip member.
    pub member: Vec<u8>,
}

impl Batch {
    /// The batch's events.
    ///
    /// # Errors
    /// A checksum or a line is wrong: the store is damaged.
    pub fn decode(&self) -> Result<Vec<Event>> {
        lines(&self.inflate()?).map(|line| self.event(line)).collect()
    }

    /// The ids of the batch's events. A line that begins with one is not read any further.
    ///
    /// # Errors
    /// A checksum, or a line without an id at its beginning, is wrong: the store is damaged.
    pub fn ids(&self) -> Result<Vec<EventId>> {
        let id = |line: &[u8]| leading_id(line).map_or_else(|| Ok(self.event(line)?.event_id), Ok);
        lines(&self.inflate()?).map(id).collect()
    }

    fn inflate(&self) -> Result<Vec<u8>> {
        member::inflate(&self.member)
            .map_err(|error| Error::new(ErrorKind::Corrupt, format!("batch {}", self.seq)).with_source(error))
    }

    fn event(&self, line: &[u8]) -> Result<Event> {
        Event::from_line(line)
            .map_err(|error| Error::new(ErrorKind::Corrupt, format!("a line of batch {}", self.seq)).with_source(error))
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The id that a line begins with, as every line of this version does.
fn leading_id(line: &[u8]) -> Option<EventId> {
    let (id, rest) = line.strip_prefix(b"{\"event_id\":\"")?.split_at_checked(36)?;
    std::str::from_utf8(id).ok().filter(|_| rest.starts_with(b"\""))?.parse().ok()
}

impl SqliteReader {
    /// The number of the last batch that stands in a raw object; 0 if none does.
    ///
    /// # Errors
    /// The database's.
    pub async fn relayed_to(&self) -> Result<i64> {
        self.read(|connection| {
            connection
                .query_row("select coalesce(max(last_seq), 0) from objects", [], |row| row.get(0))
                .map_err(read::failed)
        })
        .await
    }

    /// How far the log reaches.
    ///
    /// # Errors
    /// The database's.
    pub async fn extent(&self) -> Result<Extent> {
        self.read(|connection| {
            let last = connection
                .query_row("select coalesce(max(seq), 0) from batches", [], |row| row.get(0))
                .map_err(read::failed)?;
            Ok(Extent {
                last,
                events_removed_to: Holding::Events.removed_to(connection)?,
                submissions_removed_to: Holding::Submissions.removed_to(connection)?,
            })
        })
        .await
    }

    /// The last batch before the first that has this event or a later one; 0 if there is none.
    ///
    /// # Errors
    /// The database's.
    pub async fn last_batch_before(&self, id: EventId) -> Result<i64> {
        self.read(move |connection| {
            let before = "select coalesce(max(seq), 0) from batches
                          where seq < coalesce((select min(seq) from batches where last_id >= ?1), 9223372036854775807)";
            connection.query_row(before, params![id.as_bytes()], |row| row.get(0)).map_err(read::failed)
        })
        .await
    }

    /// The batches after `after`, in order, until `bytes` of members are gathered; at least one if there is one.
    ///
    /// # Errors
    /// The database's.
    pub async fn batches(&self, after: i64, bytes: usize) -> Result<Vec<Batch>> {
        self.read(move |connection| batches(connection, after, bytes)).await
    }

    /// Entities that have a state, in the order of tenant, kind and id, after `after`; at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn entities(&self, after: Option<EntityRef>, limit: usize) -> Result<Vec<(EntityRef, Stored)>> {
        let after = after.unwrap_or(EntityRef { tenant: String::new(), kind: String::new(), id: String::new() });
        self.read(move |connection| {
            read::rows(
                connection,
                "select tenant, kind, id, version, state, event_id, event_hash, deleted from states
                 where (tenant, kind, id) > (?1, ?2, ?3) order by tenant, kind, id limit ?4",
                params![after.tenant, after.kind, after.id, i64::try_from(limit).unwrap_or(i64::MAX)],
                |row| {
                    let entity = EntityRef { tenant: row.get(0)?, kind: row.get(1)?, id: row.get(2)? };
                    Ok((entity, read::stored(row, 3)?))
                },
            )
        })
        .await
    }

    /// The first entity whose versions are not all placed in the log: its history or a moment of it could not be read.
    /// Versions whose events have had their time and were removed need no place.
    ///
    /// # Errors
    /// The database's.
    pub async fn first_unplaced(&self) -> Result<Option<EntityRef>> {
        self.read(|connection| {
            let removed: Option<EventId> = removal::mark(connection, REMOVED_ID)?.and_then(|id| id.parse().ok());
            let row =
                |row: &rusqlite::Row<'_>| Ok(EntityRef { tenant: row.get(0)?, kind: row.get(1)?, id: row.get(2)? });
            let unplaced = format!(
                "select tenant, kind, id from states as s where (
                     select count(*) from ({PLACED}) as v join batches as b on b.seq = v.seq
                     where v.version between 1 and s.version and v.place < b.events
                 ) <> s.version - case when ?1 is null then 0 else coalesce(
                     (select min(version) - 1 from ({PLACED}) as v),
                     case when s.event_id <= ?1 then s.version else 0 end
                 ) end limit 1",
                PLACED = versions::of_a_state()
            );
            let removed = removed.map(|id| *id.as_bytes());
            connection.query_row(&unplaced, params![removed], row).optional().map_err(read::failed)
        })
        .await
    }

    /// How many events the store has, and how many of them no raw object has yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn counts(&self) -> Result<(u64, u64)> {
        self.read(|connection| {
            let count = "select coalesce(sum(events), 0), coalesce(sum(events) filter (
                             where seq > (select coalesce(max(last_seq), 0) from objects)), 0) from batches";
            let counts: Option<(i64, i64)> = connection
                .query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(read::failed)?;
            let (all, waiting) = counts.unwrap_or_default();
            Ok((all.unsigned_abs(), waiting.unsigned_abs()))
        })
        .await
    }
}

/// The batches after `after`, in order, until `bytes` of members are gathered.
pub fn batches(connection: &Connection, after: i64, bytes: usize) -> Result<Vec<Batch>> {
    let mut statement = connection
        .prepare_cached("select seq, events, member from batches where seq > ?1 order by seq")
        .map_err(read::failed)?;
    let mut rows = statement.query(params![after]).map_err(read::failed)?;
    let (mut batches, mut gathered) = (Vec::new(), 0);
    while gathered < bytes {
        let Some(row) = rows.next().map_err(read::failed)? else { break };
        let batch = (|| {
            let events: i64 = row.get(1)?;
            Ok(Batch { seq: row.get(0)?, events: events.unsigned_abs(), member: row.get(2)? })
        })()
        .map_err(read::failed)?;
        gathered += batch.member.len();
        batches.push(batch);
    }
    Ok(batches)
}

impl SqliteStore {
    /// Notes that the batches from `first_seq` to `last_seq` stand in the raw object `key`, durably.
    ///
    /// # Errors
    /// The writer's.
    pub async fn mark_relayed(&self, first_seq: i64, last_seq: i64, key: String) -> Result<()> {
        match self.writer.run(Work::Relayed { first_seq, last_seq, key }).await? {
            Outcome::Relayed => Ok(()),
            _ => Err(self.standing.stopped()),
        }
    }
}
