//! Events leave the store after their time, once a raw object has them; the log keeps them for ever.
//!
//! A batch is looked at twice in its life: when its events have had their time, and when its submissions have. What is
//! left of it then is written anew under the same number; a batch of which nothing is left goes.

use event::domain::submission;
use event::{Event, EventId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::commit::{Outcome, Work};
use super::{Batch, SqliteReader, SqliteStore, member, read, versions};
use crate::error::Result;
use crate::store::EntityRef;

/// What is kept for a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Events: the history of what has a state, reads, refusals.
    Events,
    /// Submissions, which are nothing but their events.
    Submissions,
}

impl Holding {
    fn has(self, event: &Event) -> bool {
        (self == Self::Submissions) == (event.event_type == submission::SUBMITTED)
    }

    /// The last batch from which it was removed; 0 for none.
    pub fn removed_to(self, connection: &Connection) -> Result<i64> {
        Ok(mark(connection, self.mark())?.and_then(|mark| mark.parse().ok()).unwrap_or(0))
    }

    /// The name under which it is remembered up to which batch it was removed.
    fn mark(self) -> &'static str {
        match self {
            Self::Events => "events_removed_to",
            Self::Submissions => "submissions_removed_to",
        }
    }
}

/// The greatest id of events that were removed: newer ones must be above it, too.
pub const REMOVED_ID: &str = "last_removed_id";

/// A batch from which a holding is to be removed, and the raw object that has it.
#[derive(Debug)]
pub struct Due {
    batch: Batch,
    object: String,
}

impl Due {
    /// The key of the raw object that must be there before anything is removed.
    pub fn object(&self) -> &str {
        &self.object
    }
}

/// What is to be removed from one batch.
#[derive(Debug)]
pub struct Removal {
    holding: Holding,
    seq: i64,
    last_id: Option<EventId>,
    /// What stays, if anything does.
    rest: Option<Rest>,
    /// The rows of lines that go.
    gone: Vec<Row>,
    /// The rows of lines that stay, and where they will stand.
    moved: Vec<(Row, i64)>,
    events: u64,
}

#[derive(Debug)]
struct Rest {
    member: Vec<u8>,
    events: i64,
    first: EventId,
    last: EventId,
}

/// The row that says where an event stands.
#[derive(Debug)]
enum Row {
    Version(EntityRef, i64),
    Submission { tenant: String, user_id: String, id: EventId },
}

impl Row {
    fn of(event: &Event) -> Option<Self> {
        if event.event_type == submission::SUBMITTED {
            let (tenant, user_id) = (event.tenant.clone(), event.user_id.clone().unwrap_or_default());
            return Some(Self::Submission { tenant, user_id, id: event.event_id });
        }
        versions::of(event).map(|(entity, version)| Self::Version(entity, version))
    }

    /// Makes sure that it is a row of its own.
    fn settle(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        match self {
            Self::Version(entity, _) => versions::settle(transaction, entity),
            Self::Submission { .. } => Ok(()),
        }
    }

    fn remove(&self, transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
        match self {
            Self::Version(EntityRef { tenant, kind, id }, version) => transaction
                .prepare_cached("delete from versions where tenant = ?1 and kind = ?2 and id = ?3 and version = ?4")?
                .execute(params![tenant, kind, id, version]),
            Self::Submission { tenant, user_id, id } => transaction
                .prepare_cached("delete from submissions where tenant = ?1 and user_id = ?2 and id = ?3")?
                .execute(params![tenant, user_id, id.as_bytes()]),
        }
    }

    fn place(&self, transaction: &Transaction<'_>, place: i64) -> rusqlite::Result<usize> {
        match self {
            Self::Version(EntityRef { tenant, kind, id }, version) => transaction
                .prepare_cached(
                    "update versions set place = ?5 where tenant = ?1 and kind = ?2 and id = ?3 and version = ?4",
                )?
                .execute(params![tenant, kind, id, version, place]),
            Self::Submission { tenant, user_id, id } => transaction
                .prepare_cached("update submissions set place = ?4 where tenant = ?1 and user_id = ?2 and id = ?3")?
                .execute(params![tenant, user_id, id.as_bytes(), place]),
        }
    }
}

impl SqliteReader {
    /// Batches in order, at most `limit`, whose newest event was received before `before` and from which the holding
    /// has not been removed yet. Never the last batch: the next one's number follows from it.
    ///
    /// # Errors
    /// The database's.
    pub async fn due(&self, holding: Holding, before: Timestamp, limit: usize) -> Result<Vec<Due>> {
        // Ids begin with the time of receipt, milliseconds.
        let millis = u128::from(before.millis().max(0).unsigned_abs());
        let before = EventId::from_u128(millis << 80);
        self.read(move |connection| {
            let mut due = Vec::new();
            let after = holding.removed_to(connection)?;
            let batches = read::rows(
                connection,
                "select seq, events, member, last_id from batches
                 where seq > ?1 and seq < (select max(seq) from batches) order by seq limit ?2",
                params![after, i64::try_from(limit).unwrap_or(i64::MAX)],
                |row| {
                    let events: i64 = row.get(1)?;
                    let batch = Batch { seq: row.get(0)?, events: events.unsigned_abs(), member: row.get(2)? };
                    Ok((batch, EventId::from_bytes(row.get(3)?)))
                },
            )?;
            for (batch, last_id) in batches {
                let object: Option<String> = connection
                    .prepare_cached(
                        "select key from objects where last_seq >= ?1 and first_seq <= ?1 order by last_seq limit 1",
                    )
                    .and_then(|mut statement| statement.query_row(params![batch.seq], |row| row.get(0)).optional())
                    .map_err(read::failed)?;
                match object {
                    Some(object) if last_id < before => due.push(Due { batch, object }),
                    // In order: what comes behind it waits for it.
                    _ => break,
                }
            }
            Ok(due)
        })
        .await
    }
}

impl Removal {
    /// What has to go from a batch, and what stays. Inflates it: not for the writer's thread.
    ///
    /// # Errors
    /// The batch is damaged.
    pub fn of(due: &Due, holding: Holding) -> Result<Self> {
        let (seq, lines, events) = (due.batch.seq, member::inflate(&due.batch.member)?, due.batch.decode()?);
        let (mut kept, mut ids) = (Vec::new(), Vec::new());
        let mut removal =
            Self { holding, seq, last_id: None, rest: None, gone: Vec::new(), moved: Vec::new(), events: 0 };
        for (line, event) in lines.split_inclusive(|byte| *byte == b'\n').zip(&events) {
            if holding.has(event) {
                removal.events += 1;
                removal.last_id = removal.last_id.max(Some(event.event_id));
                removal.gone.extend(Row::of(event));
                continue;
            }
            let place = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            removal.moved.extend(Row::of(event).map(|row| (row, place)));
            // To the byte: the line is what its hash is of.
            kept.extend_from_slice(line);
            ids.push(event.event_id);
        }
        if let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) {
            let events = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            removal.rest = Some(Rest { member: member::compress(&kept)?, events, first: *first, last: *last });
        }
        Ok(removal)
    }

    /// How many events go.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many rows are written, and bytes of lines.
    pub fn size(&self) -> (usize, usize) {
        (self.gone.len() + self.moved.len(), self.rest.as_ref().map_or(0, |rest| rest.member.len()))
    }

    /// Removes it, within the writer's transaction.
    pub fn apply(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        set_mark(transaction, self.holding.mark(), &self.seq.to_string())?;
        let Some(last) = self.last_id else { return Ok(()) };
        let known = read_mark(transaction, REMOVED_ID)?.and_then(|known| known.parse().ok());
        set_mark(transaction, REMOVED_ID, &known.max(Some(last)).unwrap_or(last).to_string())?;
        for row in &self.gone {
            row.settle(transaction)?;
            row.remove(transaction)?;
        }
        for (row, place) in &self.moved {
            row.settle(transaction)?;
            row.place(transaction, *place)?;
        }
        match &self.rest {
            None => transaction.prepare_cached("delete from batches where seq = ?1")?.execute(params![self.seq])?,
            Some(rest) => transaction
                .prepare_cached(
                    "update batches set first_id = ?2, last_id = ?3, events = ?4, member = ?5 where seq = ?1",
                )?
                .execute(params![self.seq, rest.first.as_bytes(), rest.last.as_bytes(), rest.events, rest.member])?,
        };
        Ok(())
    }
}

impl SqliteStore {
    /// Whether a file of the folder is there.
    pub(crate) fn has_file(&self, key: &str) -> bool {
        self.folder.join(key).is_file()
    }

    /// Removes it, durably.
    ///
    /// # Errors
    /// The writer's.
    pub async fn remove(&self, removal: Removal) -> Result<()> {
        match self.writer.run(Work::Remove(Box::new(removal))).await? {
            Outcome::Removed => Ok(()),
            _ => Err(self.standing.stopped()),
        }
    }
}

/// Something that the store remembers by name.
pub fn mark(connection: &Connection, name: &str) -> Result<Option<String>> {
    read_mark(connection, name).map_err(read::failed)
}

fn read_mark(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("select value from meta where name = ?1")?
        .query_row(params![name], |row| row.get(0))
        .optional()
}

fn set_mark(transaction: &Transaction<'_>, name: &str, value: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("insert or replace into meta (name, value) values (?1, ?2)")?
        .execute(params![name, value])
        .map(|_| ())
}
