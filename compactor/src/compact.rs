//! A run: plan, decode, merge, write, commit; again until what was pending at its start is in the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use event::Timestamp;
use iceberg::spec::DataFile;
use iceberg::table::Table;
use uuid::{Builder, Uuid};

use crate::commit::{self, Batch, Outcome};
use crate::decode::decode;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{ConsumedSet, Counts, Lake};
use crate::merge::{Merged, merge};
use crate::plan::{Options, Pending, first_chunk, pending_objects};
use crate::quarantine;
use crate::raw::{RawLog, RawObject};
use crate::rows::Rows;
use crate::write::write;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// What entered the table, or was left out of it for a reason.
    pub counts: Counts,
    /// Data files added.
    pub files: u64,
    /// Size of the raw objects, as stored.
    pub bytes_in: u64,
    /// Size of the data files.
    pub bytes_out: u64,
    /// Commits made.
    pub commits: u64,
    /// Plans that another compactor's commit made worthless.
    pub overtaken: u64,
    /// What is pending now, as far as this run knows: not worth a commit yet, if `commits` is 0.
    pub left: Pending,
}

/// How far a run is: what it has done since its start, of what was pending then. Work of an overtaken plan counts, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Raw bytes decoded.
    pub bytes_decoded: u64,
    /// Raw bytes that were pending at the start.
    pub bytes_total: u64,
    /// Lines decoded.
    pub lines: u64,
    /// Rows written to files.
    pub rows_written: u64,
    /// Commits made.
    pub commits: u64,
}

/// A point between two steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A chunk is planned.
    Planned,
    /// Its objects are decoded, and their bad lines are durable in quarantine.
    Decoded,
    /// Its new rows are known.
    Merged,
    /// Their files are durable.
    Written,
    /// The new consumed set is durable.
    Consumed,
    /// The commit is made.
    Committed,
}

type Reporter<'a> = Box<dyn Fn(Progress) + Send + Sync + 'a>;
type Stop<'a> = Box<dyn Fn() -> bool + Send + Sync + 'a>;
type Failpoint<'a> = Box<dyn Fn(Step) -> Result<()> + Send + Sync + 'a>;

/// A run of the compactor, to be configured and then [`run`](Self::run).
pub struct Compaction<'a> {
    lake: &'a Lake,
    raw: Arc<dyn RawLog>,
    options: Options,
    report: Reporter<'a>,
    stop: Stop<'a>,
    failpoint: Failpoint<'a>,
}

/// Compacts what is pending, if that is worth a commit; see [`Compaction::run`].
///
/// # Errors
/// As [`Compaction::run`].
pub async fn compact(
    lake: &Lake,
    raw: Arc<dyn RawLog>,
    now: Timestamp,
    options: Options,
    random: &(dyn Fn() -> [u8; 16] + Sync),
) -> Result<Summary> {
    Compaction::new(lake, raw, options).run(now, random).await
}

/// A clock that stood ahead for days has closed days that are still to come: what arrives until then would count as
/// consumed without ever having been read (I1). That must be said, not passed over.
fn refuse_a_closed_today(consumed: &ConsumedSet, now: Timestamp) -> Result<()> {
    match consumed.from_day() {
        Some(from) if from > now.day().as_str() => {
            let context = format!(
                "the table takes no raw objects of days before {from}, and today is {}: a clock was days ahead. The raw \
                 log is whole; move lake/ aside and compact again",
                now.day()
            );
            Err(Error::new(ErrorKind::Table, context))
        }
        _ => Ok(()),
    }
}

impl<'a> Compaction<'a> {
    /// A run from `raw` into `lake`.
    pub fn new(lake: &'a Lake, raw: Arc<dyn RawLog>, options: Options) -> Self {
        Self { lake, raw, options, report: Box::new(|_| ()), stop: Box::new(|| false), failpoint: Box::new(|_| Ok(())) }
    }

    /// Calls `report` after every object decoded, batch written and commit made.
    #[must_use]
    pub fn with_report(mut self, report: impl Fn(Progress) + Send + Sync + 'a) -> Self {
        self.report = Box::new(report);
        self
    }

    /// Asks `stop` before every chunk; once it says so no further one is begun, and the run ends with what is left.
    #[must_use]
    pub fn until(mut self, stop: impl Fn() -> bool + Send + Sync + 'a) -> Self {
        self.stop = Box::new(stop);
        self
    }

    /// Calls `failpoint` between the steps; its error ends the run there, as a kill would.
    #[must_use]
    pub fn with_failpoint(mut self, failpoint: impl Fn(Step) -> Result<()> + Send + Sync + 'a) -> Self {
        self.failpoint = Box::new(failpoint);
        self
    }

    /// Brings what is pending at the start into the table, in as many commits as memory asks for, each complete.
    ///
    /// Any number of runs may go on at once, in any number of processes: every event is in the table once (I2), every
    /// object is counted once (I7). A run may be dropped or killed anywhere; the next one goes on from the last commit.
    /// `random` gives the bytes of the commits' ids and must not repeat itself.
    ///
    /// # Errors
    /// Raw log or lake failed, other compactors were faster too often in a row, or the table has closed days that are
    /// still to come. Commits made before stay made.
    pub async fn run(&self, now: Timestamp, random: &(dyn Fn() -> [u8; 16] + Sync)) -> Result<Summary> {
        let mut summary = Summary::default();
        let mut progress = Progress::default();
        let mut conflicts = 0;
        let (mut table, mut consumed, mut pending) = self.plan(None).await?;
        refuse_a_closed_today(&consumed, now)?;
        summary.left = Pending::of(&pending);
        if !summary.left.is_worth_a_commit(now, &self.options) {
            return Ok(summary);
        }
        progress.bytes_total = summary.left.bytes;
        while !pending.is_empty() && !(self.stop)() {
            let id = Builder::from_random_bytes(random()).into_uuid();
            let chunk = Chunk { table: &table, consumed: &consumed, pending: &pending, id, now };
            match self.compact_chunk(chunk, &mut summary, &mut progress).await? {
                Outcome::Committed => conflicts = 0,
                Outcome::Overtaken if conflicts < self.options.max_conflicts => {
                    tracing::debug!(batch_id = %id, "another compactor was faster");
                    conflicts += 1;
                    summary.overtaken += 1;
                }
                Outcome::Overtaken => {
                    return Err(Error::new(ErrorKind::Conflict, "other compactors were faster, too often in a row"));
                }
                Outcome::Failed(error) => return Err(error),
            }
            (table, consumed, pending) = self.plan(Some(pending)).await?;
            summary.left = Pending::of(&pending);
        }
        Ok(summary)
    }

    /// The table as it is now, its consumed set, and what is pending: all of the log, or what is left of `known`.
    async fn plan(&self, known: Option<Vec<RawObject>>) -> Result<(Table, ConsumedSet, Vec<RawObject>)> {
        let table = self.lake.load().await?;
        let consumed = ConsumedSet::of(&table).await?;
        let listing = match known {
            Some(known) => known,
            None => self.raw.list(consumed.from_day()).await?,
        };
        let pending = pending_objects(listing, &consumed);
        Ok((table, consumed, pending))
    }

    async fn compact_chunk(&self, chunk: Chunk<'_>, summary: &mut Summary, progress: &mut Progress) -> Result<Outcome> {
        (self.failpoint)(Step::Planned)?;
        let (rows, taken) = self.decode_chunk(&chunk, progress).await?;
        (self.failpoint)(Step::Decoded)?;
        let merged = merge(chunk.table, rows).await?;
        (self.failpoint)(Step::Merged)?;
        if self.lake.load().await?.metadata_location() != chunk.table.metadata_location() {
            // The fence would find out, too, but only after files were written that nobody will ever name.
            return Ok(Outcome::Overtaken);
        }
        let files = self.write(&chunk, &merged, progress).await?;
        (self.failpoint)(Step::Written)?;
        let counts = Counts {
            rows: merged.keys.len() as u64,
            duplicates: merged.duplicates,
            objects: taken.objects as u64,
            lines: taken.lines,
            quarantined: taken.quarantined,
        };
        drop(merged);
        self.commit_chunk(chunk, files, counts, summary, progress).await
    }

    async fn commit_chunk(
        &self,
        chunk: Chunk<'_>,
        files: Vec<DataFile>,
        counts: Counts,
        summary: &mut Summary,
        progress: &mut Progress,
    ) -> Result<Outcome> {
        let (done, left) = chunk.pending.split_at(counts.objects as usize);
        let left: Vec<&str> = left.iter().map(|object| object.key.as_str()).collect();
        let days = self.options.look_back_days.max(3);
        let consumed = chunk.consumed.with(done.iter().map(|object| object.key.as_str()), &left, days);
        let consumed = commit::write_consumed(chunk.table, &consumed, chunk.id).await?;
        (self.failpoint)(Step::Consumed)?;
        let (added, bytes_out) = (files.len() as u64, files.iter().map(DataFile::file_size_in_bytes).sum::<u64>());
        let outcome = commit::commit(self.lake, chunk.table, Batch { id: chunk.id, files, counts, consumed }).await?;
        if matches!(outcome, Outcome::Committed) {
            (self.failpoint)(Step::Committed)?;
            summary.counts = summary.counts.plus(counts);
            summary.files += added;
            summary.bytes_in += done.iter().map(|object| object.bytes).sum::<u64>();
            summary.bytes_out += bytes_out;
            summary.commits += 1;
            progress.commits += 1;
            (self.report)(*progress);
        }
        Ok(outcome)
    }

    /// Decodes as many of the pending objects as fit; their bad lines are durable when it returns.
    async fn decode_chunk(&self, chunk: &Chunk<'_>, progress: &mut Progress) -> Result<(Rows, Taken)> {
        // The other half is for the columns being built and written, and for what a decoder needs.
        let most = self.options.memory / 2;
        let planned = first_chunk(chunk.pending, most);
        let mut rows = Rows::new(chunk.now);
        let mut taken = Taken::default();
        for object in chunk.pending.iter().take(planned) {
            let decoded;
            (rows, decoded) = decode(&self.raw, object, self.options.limits, rows).await?;
            if decoded.damaged {
                tracing::warn!(raw_object = object.key, lines = decoded.lines, "a raw object is damaged");
            }
            taken.objects += 1;
            taken.lines += decoded.lines;
            taken.quarantined += decoded.bad.len();
            quarantine::keep(&self.raw, decoded.bad).await?;
            progress.bytes_decoded += object.bytes;
            progress.lines += decoded.lines;
            (self.report)(*progress);
            if rows.bytes() >= most {
                break;
            }
        }
        Ok((rows, taken))
    }

    async fn write(&self, chunk: &Chunk<'_>, merged: &Merged, progress: &mut Progress) -> Result<Vec<DataFile>> {
        let written = AtomicU64::new(progress.rows_written);
        let before = *progress;
        let report = |rows: u64| {
            let sum = written.fetch_add(rows, Ordering::Relaxed) + rows;
            (self.report)(Progress { rows_written: sum, ..before });
        };
        let files = write(chunk.table, merged, &chunk.id.to_string(), &report).await?;
        progress.rows_written = written.into_inner();
        Ok(files)
    }
}

/// What one commit is planned from.
#[derive(Debug, Clone, Copy)]
struct Chunk<'a> {
    table: &'a Table,
    consumed: &'a ConsumedSet,
    pending: &'a [RawObject],
    id: Uuid,
    now: Timestamp,
}

/// What was decoded for one commit: the first `objects` of those pending.
#[derive(Debug, Default)]
struct Taken {
    objects: usize,
    lines: u64,
    quarantined: u64,
}
