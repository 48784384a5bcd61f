//! A run: plan, decode, merge, write, commit; again until what was pending at its start is in the table.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use event::Timestamp;
use iceberg::spec::DataFile;
use iceberg::table::Table;
use uuid::{Builder, Uuid};

use crate::commit::{self, Batch, Outcome};
use crate::decode::decode;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Fold, Gateway};
use crate::lake::{ConsumedSet, Counts, GatewayCounts, Lake};
use crate::merge::{Merged, merge};
use crate::plan::{Options, Pending, Task, Work, agenda, first_chunk, pending_objects};
use crate::quarantine;
use crate::raw::{RawLog, RawObject};
use crate::rows::{Part, Rows};
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
    gateway: Option<Arc<Gateway>>,
    options: Options,
    report: Reporter<'a>,
    stop: Stop<'a>,
    failpoint: Failpoint<'a>,
}

/// Compacts the raw objects that are pending, if that is worth a commit; see [`Compaction::run`].
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
    /// A run from `raw` into `lake`; it leaves `gateway/` alone.
    pub fn new(lake: &'a Lake, raw: Arc<dyn RawLog>, options: Options) -> Self {
        Self {
            lake,
            raw,
            gateway: None,
            options,
            report: Box::new(|_| ()),
            stop: Box::new(|| false),
            failpoint: Box::new(|_| Ok(())),
        }
    }

    /// Folds the gateway's own log in, too: requests that have no event of their own become rows.
    #[must_use]
    pub fn with_gateway(mut self, gateway: Gateway) -> Self {
        self.gateway = Some(Arc::new(gateway));
        self
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
        let mut plan = self.plan(None, now).await?;
        refuse_a_closed_today(&plan.consumed, now)?;
        summary.left = Pending::of_work(&plan.work);
        if !summary.left.is_worth_a_commit(now, &self.options) {
            return Ok(summary);
        }
        progress.bytes_total = summary.left.bytes;
        while !plan.work.is_empty() && !(self.stop)() {
            let id = Builder::from_random_bytes(random()).into_uuid();
            match self.compact_chunk(Chunk { plan: &plan, id, now }, &mut summary, &mut progress).await? {
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
            plan = self.plan(Some(plan.listing), now).await?;
            summary.left = Pending::of_work(&plan.work);
        }
        Ok(summary)
    }

    /// What there is to do at `now`, with all of the log or with what was left of it before.
    async fn plan(&self, known: Option<Listing>, now: Timestamp) -> Result<Plan> {
        let table = self.lake.load().await?;
        let consumed = ConsumedSet::of(&table).await?;
        let known = match known {
            Some(known) => known,
            None => self.list(consumed.from_day()).await?,
        };
        let raw = pending_objects(known.raw, &consumed);
        let mut gateway = known.gateway;
        gateway.retain(|object| !consumed.is_settled(&object.key));
        // Whoever leaves them alone lists them all the same: their days stay open for who does not.
        let due = if self.gateway.is_some() { &gateway[..] } else { &[] };
        let work = agenda(&raw, due, &consumed, now, self.options.settle);
        Ok(Plan { table, consumed, listing: Listing { raw, gateway }, work })
    }

    async fn list(&self, from_day: Option<&str>) -> Result<Listing> {
        Ok(Listing { raw: self.raw.list(from_day).await?, gateway: self.raw.list_gateway(from_day).await? })
    }

    async fn compact_chunk(&self, chunk: Chunk<'_>, summary: &mut Summary, progress: &mut Progress) -> Result<Outcome> {
        (self.failpoint)(Step::Planned)?;
        let (rows, mut taken) = self.decode_chunk(&chunk, progress).await?;
        (self.failpoint)(Step::Decoded)?;
        let merged = merge(&chunk.plan.table, rows).await?;
        (self.failpoint)(Step::Merged)?;
        if self.lake.load().await?.metadata_location() != chunk.plan.table.metadata_location() {
            // The fence would find out, too, but only after files were written that nobody will ever name.
            return Ok(Outcome::Overtaken);
        }
        let files = self.write(&chunk, &merged, progress).await?;
        (self.failpoint)(Step::Written)?;
        taken.count(&merged);
        drop(merged);
        self.commit_chunk(chunk, files, taken, summary, progress).await
    }

    async fn commit_chunk(
        &self,
        chunk: Chunk<'_>,
        files: Vec<DataFile>,
        taken: Taken,
        summary: &mut Summary,
        progress: &mut Progress,
    ) -> Result<Outcome> {
        let (Plan { table, .. }, counts) = (chunk.plan, taken.counts);
        let done = &chunk.plan.work[..taken.objects];
        let consumed = chunk.plan.consumed_after(taken.objects, self.options.look_back_days.max(3));
        let consumed = commit::write_consumed(table, &consumed, chunk.id).await?;
        (self.failpoint)(Step::Consumed)?;
        let (added, bytes_out) = (files.len() as u64, files.iter().map(DataFile::file_size_in_bytes).sum::<u64>());
        let outcome = commit::commit(self.lake, table, Batch { id: chunk.id, files, counts, consumed }).await?;
        if matches!(outcome, Outcome::Committed) {
            (self.failpoint)(Step::Committed)?;
            summary.counts = summary.counts.plus(counts);
            summary.files += added;
            summary.bytes_in += done.iter().map(|work| work.object.bytes).sum::<u64>();
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
        let planned = first_chunk(&chunk.plan.work, most);
        let mut rows = Rows::new(chunk.now);
        let mut taken = Taken::default();
        let mut fold = None;
        for work in &chunk.plan.work[..planned] {
            let lines;
            (rows, lines) = match (work.task, &self.gateway) {
                (Task::Events, _) | (_, None) => self.decode_events(&work.object, rows, &mut taken.counts).await?,
                (task, Some(gateway)) => {
                    let begin = || Fold::begin(&self.raw, self.options.limits, gateway.clone(), &mut rows);
                    fold.get_or_insert_with(begin).read(&work.object, task, rows).await?
                }
            };
            taken.objects += 1;
            progress.bytes_decoded += work.object.bytes;
            progress.lines += lines;
            (self.report)(*progress);
            if rows.bytes() >= most {
                break;
            }
        }
        if let Some(fold) = fold {
            taken.gateway_part = Some(fold.part());
            (rows, taken.counts.gateway) = fold.settle(&chunk.plan.table, rows).await?;
        }
        Ok((rows, taken))
    }

    async fn decode_events(&self, object: &RawObject, rows: Rows, counts: &mut Counts) -> Result<(Rows, u64)> {
        let (rows, decoded) = decode(&self.raw, object, self.options.limits, rows).await?;
        if decoded.damaged {
            tracing::warn!(raw_object = object.key, lines = decoded.lines, "a raw object is damaged");
        }
        counts.objects += 1;
        counts.lines += decoded.lines;
        counts.quarantined += decoded.bad.len();
        quarantine::keep(&self.raw, decoded.bad).await?;
        Ok((rows, decoded.lines))
    }

    async fn write(&self, chunk: &Chunk<'_>, merged: &Merged, progress: &mut Progress) -> Result<Vec<DataFile>> {
        let written = AtomicU64::new(progress.rows_written);
        let before = *progress;
        let report = |rows: u64| {
            let sum = written.fetch_add(rows, Ordering::Relaxed) + rows;
            (self.report)(Progress { rows_written: sum, ..before });
        };
        let files = write(&chunk.plan.table, merged, &chunk.id.to_string(), &report).await?;
        progress.rows_written = written.into_inner();
        Ok(files)
    }
}

/// The objects that a plan knows of: raw ones that are not consumed, gateway ones that are not settled.
#[derive(Debug)]
struct Listing {
    raw: Vec<RawObject>,
    gateway: Vec<RawObject>,
}

/// What is to be done with the table as it is.
#[derive(Debug)]
struct Plan {
    table: Table,
    consumed: ConsumedSet,
    listing: Listing,
    work: Vec<Work>,
}

impl Plan {
    /// The consumed set once the first `count` pieces of work are done. It closes no day in which anything is left to
    /// do, be it later.
    fn consumed_after(&self, count: usize, days: usize) -> ConsumedSet {
        let (done, left) = self.work.split_at(count);
        fn key(work: &Work) -> &str {
            &work.object.key
        }
        let settled: BTreeSet<&str> =
            done.iter().filter(|work| matches!(work.task, Task::Settle | Task::Whole)).map(key).collect();
        let unsettled = self.listing.gateway.iter().map(|object| object.key.as_str());
        let left: Vec<&str> = left.iter().map(key).chain(unsettled.filter(|key| !settled.contains(key))).collect();
        self.consumed.clone().with_settled(settled).with(done.iter().map(key), &left, days)
    }
}

/// What one commit is planned from.
#[derive(Debug, Clone, Copy)]
struct Chunk<'a> {
    plan: &'a Plan,
    id: Uuid,
    now: Timestamp,
}

/// What was decoded for one commit: the first `objects` pieces of the work.
#[derive(Debug, Default)]
struct Taken {
    objects: usize,
    counts: Counts,
    /// Where the rows of gateway objects begin, if there are any.
    gateway_part: Option<Part>,
}

impl Taken {
    /// Counts the rows that are new, and those left out.
    fn count(&mut self, merged: &Merged) {
        let of_gateway = |part: Part| merged.keys.iter().filter(|key| part.holds(key)).count() as u64;
        let rows = self.gateway_part.map_or(0, of_gateway);
        let gateway = &mut self.counts.gateway;
        *gateway = GatewayCounts { duplicates: gateway.rows - rows, rows, ..*gateway };
        self.counts.rows = merged.keys.len() as u64 - rows;
        self.counts.duplicates = merged.duplicates - gateway.duplicates;
    }
}
