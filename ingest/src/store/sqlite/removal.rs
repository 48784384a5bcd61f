//! What goes from a batch, and what that does to the rows that say where its events stand.
//!
//! What is left of a batch is written anew under the same number; a batch of which nothing is left goes.

use event::domain::submission;
use event::{Event, EventId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{member, read, versions};
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

impl Removal {
    /// What has to go from batch `seq` of these lines and their events, and what stays.
    ///
    /// # Errors
    /// What stays does not fit in a batch.
    pub(super) fn of(seq: i64, lines: &[u8], events: &[Event], holding: Holding) -> Result<Self> {
        let (mut kept, mut ids) = (Vec::new(), Vec::new());
        let mut removal =
            Self { holding, seq, last_id: None, rest: None, gone: Vec::new(), moved: Vec::new(), events: 0 };
        for (line, event) in lines.split_inclusive(|byte| *byte == b'\n').zip(events) {
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
