//! The lines of the commit under way, which become one row.

use event::{EventId, Sealed, Timestamp};
use rusqlite::{Transaction, params};

use super::member::Compressor;
use crate::error::Error;

/// An event ready to be written.
#[derive(Debug)]
pub struct Line {
    pub id: EventId,
    pub json: Vec<u8>,
}

impl Line {
    pub fn of(event: Sealed) -> Self {
        Self { id: event.event_id, json: event.into_parts().1 }
    }
}

/// A batch that grows.
pub struct Batch<'log> {
    pub seq: i64,
    /// How many lines it has.
    pub events: i64,
    /// Bytes written besides the lines, roughly.
    pub besides: usize,
    /// The latest time at which one of its changes was received.
    pub now: Option<Timestamp>,
    first: EventId,
    last: EventId,
    /// What is not compressed yet.
    lines: Vec<u8>,
    compressor: &'log mut Compressor,
}

impl<'log> Batch<'log> {
    /// An empty one of that number.
    pub fn new(seq: i64, compressor: &'log mut Compressor) -> Self {
        // A commit that failed may have left something.
        compressor.clear();
        Self {
            seq,
            events: 0,
            besides: 0,
            now: None,
            first: EventId::from_u128(u128::MAX),
            last: EventId::from_u128(0),
            lines: Vec::new(),
            compressor,
        }
    }

    /// Adds a line; its place is how many there were.
    pub fn push(&mut self, line: &Line) {
        self.lines.extend_from_slice(&line.json);
        self.lines.push(b'\n');
        self.first = self.first.min(line.id);
        self.last = self.last.max(line.id);
        self.events += 1;
    }

    /// Compresses what was added, as is to be done before the row is written.
    pub fn compress(&mut self) -> rusqlite::Result<()> {
        // Not even a header of a batch that never has a line: a member that was begun is one to be forgotten.
        if !self.lines.is_empty() {
            self.compressor.take(&self.lines).map_err(failed)?;
            self.lines.clear();
        }
        Ok(())
    }

    /// Writes the row of what was compressed; how many bytes it has.
    pub fn insert(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
        if self.events == 0 {
            return Ok(0);
        }
        debug_assert!(self.lines.is_empty(), "a line is not compressed");
        let member = self.compressor.finish().map_err(failed)?;
        transaction
            .prepare_cached("insert into batches (seq, first_id, last_id, events, member) values (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![self.seq, self.first.as_bytes(), self.last.as_bytes(), self.events, member])?;
        Ok(member.len())
    }
}

fn failed(error: Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
