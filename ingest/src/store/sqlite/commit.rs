//! What one commit writes: the rows of each change, and the batch of lines they share.

use event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::batch::{Batch, Line};
use super::member::Compressor;
use super::removal::Removal;
use super::{checksum, read, versions};
use crate::receipt::Receipt;
use crate::store::{Append, Appended, EntityRef, Keep, Kept, NewState, Stored, Unique};

/// A change ready to be written.
#[derive(Debug)]
pub struct Change {
    line: Line,
    event_hash: String,
    received_at: Timestamp,
    user_id: Option<String>,
    entity: EntityRef,
    expected: i64,
    state: Option<NewState>,
    unique: Option<Unique>,
    keep: Option<Keep>,
}

impl From<Append> for Change {
    fn from(append: Append) -> Self {
        let (event, json) = append.event.into_parts();
        Self {
            line: Line { id: event.event_id, json },
            event_hash: event.event_hash,
            received_at: event.received_at,
            user_id: event.user_id,
            entity: append.entity,
            expected: append.expected,
            state: append.state,
            unique: append.unique,
            keep: append.keep,
        }
    }
}

/// What the writer is asked to do.
#[derive(Debug)]
pub enum Work {
    /// Make a change, with its state and kept answer.
    Append(Box<Change>),
    /// Keep events that change nothing.
    Put(Vec<Line>),
    /// Note that the batches from `first_seq` to `last_seq` stand in the raw object `key`.
    Relayed { first_seq: i64, last_seq: i64, key: String },
    /// Remove events that have had their time.
    Remove(Box<Removal>),
}

/// What came of it. Receipts in here are given out after the commit only.
#[derive(Debug)]
pub enum Outcome {
    Appended(Appended),
    Put(Vec<Receipt>),
    Relayed,
    Removed,
}

/// How much may be written to the write-ahead log before it is moved into the database, bytes, roughly. Requests wait
/// for that: eight times as much made the slowest hundredth wait twice as long.
const CHECKPOINT_BYTES: usize = 4 << 20;
/// What a change writes besides its line, roughly: pages for its state and its index, which it shares with others of its
/// commit.
const CHANGE_BYTES: usize = 4_096;
/// What a row does that goes, or whose line moves: its own page, and that of a state whose places become rows.
const REMOVED_BYTES: usize = 2 * 4_096;
/// What a submission does: its row in the list of its user.
const SUBMISSION_BYTES: usize = 1_024;
/// What a commit writes besides.
const COMMIT_BYTES: usize = 2 * 4_096;

/// The log: one connection, and the number of the next batch.
#[derive(Debug)]
pub struct Log {
    connection: Connection,
    next_seq: i64,
    compressor: Compressor,
    /// Bytes written since the last checkpoint, roughly.
    unmoved: usize,
}

impl Log {
    pub fn open(connection: Connection) -> rusqlite::Result<Self> {
        let last: i64 = connection.query_row("select coalesce(max(seq), 0) from batches", [], |row| row.get(0))?;
        Ok(Self { connection, next_seq: last + 1, compressor: Compressor::default(), unmoved: 0 })
    }

    /// Begins a commit.
    pub fn begin(&mut self) -> rusqlite::Result<Commit<'_>> {
        let Self { connection, next_seq, compressor, unmoved } = self;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok(Commit { transaction, batch: Batch::new(*next_seq, compressor), next_seq, unmoved })
    }

    /// Whether the write-ahead log has grown enough to be moved into the database.
    pub fn is_due(&self) -> bool {
        self.unmoved >= CHECKPOINT_BYTES
    }

    /// Moves the write-ahead log into the database, as far as nobody reads it.
    ///
    /// # Errors
    /// The disk's; the log is then as it was. After a failed sync it is not known what the database's file holds.
    pub fn checkpoint(&mut self) -> rusqlite::Result<()> {
        self.unmoved = 0;
        self.connection.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()))
    }

    /// Whether no transaction is left open: a failed one was rolled back.
    pub fn is_clean(&self) -> bool {
        self.connection.is_autocommit()
    }
}

/// A commit under way: one transaction. Nothing of it is there, and nobody else sees it, until it is finished; dropped
/// before that it never was.
pub struct Commit<'log> {
    transaction: Transaction<'log>,
    batch: Batch<'log>,
    next_seq: &'log mut i64,
    unmoved: &'log mut usize,
}

impl Commit<'_> {
    /// Does all of this work after what was done before; adds what came of it, in the order of the work.
    pub fn apply<'a>(
        &mut self,
        work: impl Iterator<Item = &'a Work>,
        outcomes: &mut Vec<Outcome>,
    ) -> rusqlite::Result<()> {
        for work in work {
            outcomes.push(apply(&self.transaction, &mut self.batch, work)?);
        }
        self.batch.compress()
    }

    /// Makes it durable.
    pub fn finish(mut self) -> rusqlite::Result<()> {
        let written = self.batch.insert(&self.transaction)?;
        if let Some(now) = self.batch.now {
            forget_answers(&self.transaction, now)?;
        }
        self.transaction.commit()?;
        *self.next_seq += i64::from(self.batch.events > 0);
        *self.unmoved += written + self.batch.besides + COMMIT_BYTES;
        Ok(())
    }
}

fn apply(transaction: &Transaction<'_>, batch: &mut Batch<'_>, work: &Work) -> rusqlite::Result<Outcome> {
    match work {
        Work::Append(change) => append(transaction, batch, change).map(Outcome::Appended),
        Work::Put(lines) => {
            for line in lines {
                batch.push(line);
            }
            Ok(Outcome::Put(lines.iter().map(|line| Receipt::new(line.id)).collect()))
        }
        Work::Relayed { first_seq, last_seq, key } => {
            transaction
                .prepare_cached("insert or ignore into objects (last_seq, first_seq, key) values (?1, ?2, ?3)")?
                .execute(params![last_seq, first_seq, key])?;
            Ok(Outcome::Relayed)
        }
        Work::Remove(removal) => {
            batch.besides += removal.size().0 * REMOVED_BYTES;
            removal.apply(transaction).map(|()| Outcome::Removed)
        }
    }
}

/// One change: checks what it expects, writes its rows, adds its line (I4, I5).
fn append(transaction: &Transaction<'_>, batch: &mut Batch<'_>, change: &Change) -> rusqlite::Result<Appended> {
    batch.now = batch.now.max(Some(change.received_at));
    batch.besides += if change.state.is_some() { CHANGE_BYTES } else { SUBMISSION_BYTES };
    if let Some(known) = known_answer(transaction, change)? {
        return Ok(Appended::Known(known));
    }
    let appended = match &change.state {
        Some(new) => append_state(transaction, batch, change, new)?,
        None => append_submission(transaction, batch, change)?,
    };
    if let (Appended::Done(_), Some(keep)) = (&appended, &change.keep) {
        let answer =
            serde_json::to_string(&keep.kept).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        transaction
            .prepare_cached(
                "insert or replace into kept (scope, answer, expires_at, checksum) values (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                keep.scope,
                answer,
                keep.kept.expires_at,
                checksum::of_kept(&keep.scope, &answer, keep.kept.expires_at)
            ])?;
    }
    Ok(appended)
}

fn known_answer(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<Option<Kept>> {
    let Some(keep) = &change.keep else { return Ok(None) };
    let kept = read::kept(transaction, &keep.scope, change.received_at.micros())
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(kept.filter(|kept| kept.event_id != change.line.id))
}

fn append_state(
    transaction: &Transaction<'_>,
    batch: &mut Batch<'_>,
    change: &Change,
    new: &NewState,
) -> rusqlite::Result<Appended> {
    // The one writer looks and writes in one transaction, so nobody comes between.
    if let Some((field, claim)) = change.unique.as_ref().and_then(|unique| Some((unique.field, unique.taken.as_ref()?)))
        && read::is_taken(transaction, &change.entity, field, &claim.value, change.received_at)?
    {
        return Ok(overtaken(transaction, change)?.unwrap_or(Appended::Taken));
    }
    if !write_state(transaction, batch, change, new)? {
        return Ok(overtaken(transaction, change)?.unwrap_or(Appended::Conflict));
    }
    if (change.expected + 1) % versions::LATELY == 0 {
        versions::settle(transaction, &change.entity)?;
    }
    batch.push(&change.line);
    Ok(Appended::Done(Receipt::new(change.line.id)))
}

/// Writes the state, and where its event will stand, if the entity is at the version that the change expects; whether it
/// was.
fn write_state(
    transaction: &Transaction<'_>,
    batch: &Batch<'_>,
    change: &Change,
    new: &NewState,
) -> rusqlite::Result<bool> {
    let EntityRef { tenant, kind, id } = &change.entity;
    let (version, state, event_id) = (change.expected + 1, new.state.as_str(), change.line.id.as_bytes());
    let mut statement = transaction.prepare_cached(match change.expected {
        0 => {
            "insert or ignore into states
                 (tenant, kind, id, version, state, event_id, event_hash, deleted, checksum, places)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        }
        _ => {
            "update states set version = ?4, state = ?5, event_id = ?6, event_hash = ?7, deleted = ?8, checksum = ?9,
                 places = places || ?10
             where tenant = ?1 and kind = ?2 and id = ?3 and version = ?4 - 1"
        }
    })?;
    let checksum = checksum::of_state(id, version, state, event_id, &change.event_hash, new.deleted);
    let written = statement.execute(params![
        tenant,
        kind,
        id,
        version,
        state,
        event_id,
        change.event_hash,
        new.deleted,
        checksum,
        versions::note(version, batch.seq, batch.events)
    ])?;
    Ok(written > 0)
}

/// What came of a change whose entity is not at the version that it expects; `None` if it is.
fn overtaken(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<Option<Appended>> {
    let EntityRef { tenant, kind, id } = &change.entity;
    let current: Option<(i64, [u8; 16])> = transaction
        .prepare_cached("select version, event_id from states where tenant = ?1 and kind = ?2 and id = ?3")?
        .query_row(params![tenant, kind, id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match current {
        Some((_, event_id)) if event_id == *change.line.id.as_bytes() => {
            Some(Appended::Done(Receipt::new(change.line.id)))
        }
        Some((version, _)) if version != change.expected => Some(Appended::Conflict),
        None if change.expected != 0 => Some(Appended::Conflict),
        _ => None,
    })
}

fn append_submission(
    transaction: &Transaction<'_>,
    batch: &mut Batch<'_>,
    change: &Change,
) -> rusqlite::Result<Appended> {
    let added = transaction
        .prepare_cached(
            "insert or ignore into submissions (tenant, user_id, id, seq, place) values (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            change.entity.tenant,
            change.user_id.as_deref().unwrap_or_default(),
            change.line.id.as_bytes(),
            batch.seq,
            batch.events
        ])?;
    if added > 0 {
        batch.push(&change.line);
    }
    Ok(Appended::Done(Receipt::new(change.line.id)))
}

/// Answers whose time has come go a few at a time, on the back of a commit that happens anyway. The time is that of the
/// requests, as for their expiry: ids run ahead of a clock that was set back.
fn forget_answers(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    // Mostly there is none, and the list that a deletion makes for itself costs more than to ask.
    if !transaction.prepare_cached("select 1 from kept where expires_at <= ?1")?.exists(params![now.micros()])? {
        return Ok(());
    }
    transaction
        .prepare_cached("delete from kept where scope in (select scope from kept where expires_at <= ?1 limit 4)")?
        .execute(params![now.micros()])
        .map(|_| ())
}

impl Work {
    /// How many lines it adds at most.
    pub fn events(&self) -> usize {
        match self {
            Self::Append(_) => 1,
            Self::Put(lines) => lines.len(),
            Self::Relayed { .. } | Self::Remove(_) => 0,
        }
    }

    /// The state that it has made of its entity.
    pub fn made(self, outcome: &Outcome) -> Option<(EntityRef, Stored)> {
        let (Self::Append(change), Outcome::Appended(Appended::Done(_))) = (self, outcome) else { return None };
        let NewState { state, deleted } = change.state?;
        let version = change.expected + 1;
        let stored = Stored { version, state, event_id: change.line.id, event_hash: change.event_hash, deleted };
        Some((change.entity, stored))
    }

    /// The time in its first id, milliseconds.
    pub fn millis(&self) -> Option<u128> {
        let first = match self {
            Self::Append(change) => Some(change.line.id),
            Self::Put(lines) => lines.first().map(|line| line.id),
            Self::Relayed { .. } | Self::Remove(_) => None,
        };
        first.map(|id| id.as_u128() >> 80)
    }

    /// How many bytes of lines it adds at most.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Append(change) => change.line.json.len(),
            Self::Put(lines) => lines.iter().map(|line| line.json.len()).sum(),
            Self::Relayed { .. } => 0,
            Self::Remove(removal) => removal.size().1,
        }
    }
}
