//! A run: plan, load, sort, encode, write, commit; again until what was pending at its start is in the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::Timestamp;
use iceberg::spec::DataFile;
use iceberg::table::Table;
use tokio::runtime::Handle;
use uuid::{Builder, Uuid};

use crate::commit::{self, Batch, Outcome};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Fold, Gateway};
use crate::ground::{Ground, Spare};
use crate::lake::{ConsumedSet, Counts, Lake};
use crate::lookup::Known;
use crate::output::{CommitFiles, Written};
use crate::pipeline::{Output, Pipeline};
use crate::plan::{Budget, Options, Pending, Task, Work, agenda, first_commit, pending_objects};
use crate::profile::{Profile, Stage};
use crate::raw::{RawLog, RawObject};
use crate::workers::Workers;

/// Rows made from the gateway's log are written once their text is larger. Each time makes a file for each day that they
/// are of, so it is not small; nor as large as memory would allow, since what is noted of the lines being settled is held
/// beside it.
const GATEWAY_TEXT: u64 = 16 << 20;

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
    /// A commit is planned.
    Planned,
    /// Rows of it are decoded and encoded; there may be several such points.
    Encoded,
    /// All its files are durable.
    Written,
    /// Its bad lines are durable in quarantine.
    Quarantined,
    /// The new consumed set is durable.
    Consumed,
    /// The commit is made.
    Committed,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Self; 6] =
        [Self::Planned, Self::Encoded, Self::Written, Self::Quarantined, Self::Consumed, Self::Committed];
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
    profile: Profile,
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
            profile: Profile::default(),
        }
    }

    /// Folds the gateway's own log in, too: requests that have no event of their own become rows.
    #[must_use]
    pub fn with_gateway(mut self, gateway: Gateway) -> Self {
        self.gateway = Some(Arc::new(gateway));
        self
    }

    /// Adds to `profile` what each stage takes.
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Calls `report` after all rows written, objects done and commits made.
    #[must_use]
    pub fn with_report(mut self, report: impl Fn(Progress) + Send + Sync + 'a) -> Self {
        self.report = Box::new(report);
        self
    }

    /// Asks `stop` before every commit; once it says so no further one is begun, and the run ends with what is left.
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
        let plan = self.plan(None, now).await?;
        refuse_a_closed_today(&plan.consumed, now)?;
        let left = Pending::of_work(&plan.work);
        if !left.is_worth_a_commit(now, &self.options) {
            return Ok(Summary { left, ..Summary::default() });
        }
        let mut run = Run::new(&self.options, left);
        let done = self.commit_all(&mut run, plan, now, random).await;
        let summary = run.end().await;
        done.map(|()| summary)
    }

    async fn commit_all(
        &self,
        run: &mut Run,
        mut plan: Plan,
        now: Timestamp,
        random: &(dyn Fn() -> [u8; 16] + Sync),
    ) -> Result<()> {
        let mut conflicts = 0;
        while !plan.work.is_empty() && !(self.stop)() {
            let id = Builder::from_random_bytes(random()).into_uuid();
            match self.make_commit(&plan, id, now, run).await? {
                Outcome::Committed => conflicts = 0,
                Outcome::Overtaken if conflicts < self.options.max_conflicts => {
                    tracing::debug!(batch_id = %id, "another compactor was faster");
                    conflicts += 1;
                    run.summary.overtaken += 1;
                }
                Outcome::Overtaken => {
                    return Err(Error::new(ErrorKind::Conflict, "other compactors were faster, too often in a row"));
                }
                Outcome::Failed(error) => return Err(error),
            }
            plan = self.plan(Some(plan.listing), now).await?;
            run.summary.left = Pending::of_work(&plan.work);
        }
        Ok(())
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

    /// Makes the plan's first commit.
    async fn make_commit(&self, plan: &Plan, id: Uuid, now: Timestamp, run: &mut Run) -> Result<Outcome> {
        (self.failpoint)(Step::Planned)?;
        let work = &plan.work[..first_commit(&plan.work, self.options.commit_bytes)];
        let ground = Arc::new(Ground {
            raw: self.raw.clone(),
            limits: self.options.limits,
            objects: work.iter().map(|work| work.object.clone()).collect(),
            known: Known::of(&plan.table).await?,
            ingested_at: now,
            runtime: Handle::current(),
            profile: self.profile.clone(),
            spare: run.spare.clone(),
        });
        let files = CommitFiles::new(ground.clone(), run.late_worker.clone(), &plan.table, id, run.budget.late);
        let mut making = Making { plan, work, files, ground };
        let Some(mut taken) = self.take_events(&mut making, run).await? else { return Ok(Outcome::Overtaken) };
        if let Some(gateway) = &self.gateway
            && work.get(taken.objects).is_some_and(|work| work.task != Task::Events)
        {
            self.take_gateway(&mut making, gateway, &mut taken, run).await?;
        }
        let files = making.files.finish().await?;
        (self.failpoint)(Step::Written)?;
        taken.counts.quarantined = making.files.keep_bad().await?;
        (self.failpoint)(Step::Quarantined)?;
        self.commit(plan, id, files, taken, run).await
    }

    /// Takes in the raw objects; `None` if another compactor's commit came in between.
    async fn take_events(&self, making: &mut Making<'_>, run: &mut Run) -> Result<Option<Taken>> {
        let mut taken = Taken::default();
        let counts = &mut taken.counts;
        let events = making.work.iter().take_while(|work| work.task == Task::Events).count();
        let mut pipeline = Pipeline::new(making.ground.clone(), run.workers.clone(), run.budget, events);
        while let Some(output) = pipeline.next(making.files.is_heavy()).await? {
            match output {
                Output::Piece(piece) => {
                    (self.failpoint)(Step::Encoded)?;
                    if making.files.is_empty() && self.is_overtaken(making.plan).await? {
                        pipeline.stop().await;
                        return Ok(None);
                    }
                    counts.lines += piece.lines;
                    run.progress.lines += piece.lines;
                    let written = making.files.take(piece).await?;
                    counts.add(written);
                    run.progress.rows_written += written.rows;
                }
                Output::Done(objects) => {
                    taken.objects = objects.end;
                    run.progress.bytes_decoded += bytes(&making.work[objects]);
                }
            }
            (self.report)(run.progress);
        }
        pipeline.stop().await;
        let written = making.files.write_late(0).await?;
        counts.add(written);
        counts.objects = taken.objects as u64;
        run.progress.rows_written += written.rows;
        Ok(Some(taken))
    }

    /// The fence would find out, too, but only after files were written that nobody will ever name.
    async fn is_overtaken(&self, plan: &Plan) -> Result<bool> {
        Ok(self.lake.load().await?.metadata_location() != plan.table.metadata_location())
    }

    /// Folds in the gateway objects, once all events of the log are in the table or in the files of this commit.
    async fn take_gateway(
        &self,
        making: &mut Making<'_>,
        gateway: &Arc<Gateway>,
        taken: &mut Taken,
        run: &mut Run,
    ) -> Result<()> {
        let (limit, mut written) = (self.options.memory.min(GATEWAY_TEXT) as usize, Written::default());
        making.files.close().await?;
        let mut fold = Fold::new(making.ground.clone(), gateway.clone());
        for (number, work) in making.work.iter().enumerate().skip(taken.objects) {
            run.progress.lines += fold.read(number as u32, work.task, making.files.late()).await?;
            written.add(making.files.write_late(limit).await?);
            run.progress.bytes_decoded += work.object.bytes;
            (self.report)(run.progress);
        }
        taken.objects = making.work.len();
        fold.look_up().await?;
        while fold.settle_next(making.files.late()).await? {
            written.add(making.files.write_late(limit).await?);
        }
        (self.failpoint)(Step::Encoded)?;
        written.add(making.files.write_late(0).await?);
        run.progress.rows_written += written.rows;
        taken.counts.gateway = fold.counts(written);
        Ok(())
    }

    async fn commit(
        &self,
        plan: &Plan,
        id: Uuid,
        files: Vec<DataFile>,
        taken: Taken,
        run: &mut Run,
    ) -> Result<Outcome> {
        let (Plan { table, .. }, counts, begun) = (plan, taken.counts, self.profile.now());
        let consumed = plan.consumed_after(taken.objects, self.options.look_back_days.max(3));
        let consumed = commit::write_consumed(table, &consumed, id).await?;
        (self.failpoint)(Step::Consumed)?;
        let (added, bytes_out) = (files.len() as u64, files.iter().map(DataFile::file_size_in_bytes).sum::<u64>());
        let outcome = commit::commit(self.lake, table, Batch { id, files, counts, consumed }).await?;
        self.profile.add(Stage::Commit, begun);
        if matches!(outcome, Outcome::Committed) {
            (self.failpoint)(Step::Committed)?;
            let summary = &mut run.summary;
            summary.counts = summary.counts.plus(counts);
            summary.files += added;
            summary.bytes_in += bytes(&plan.work[..taken.objects]);
            summary.bytes_out += bytes_out;
            summary.commits += 1;
            run.progress.commits += 1;
            (self.report)(run.progress);
        }
        Ok(outcome)
    }
}

fn bytes(work: &[Work]) -> u64 {
    work.iter().map(|work| work.object.bytes).sum()
}

/// What a run has come to so far, and what all its commits use.
struct Run {
    summary: Summary,
    progress: Progress,
    budget: Budget,
    workers: Arc<Workers>,
    /// For the late lines: the workers may all be waiting until these are written.
    late_worker: Arc<Workers>,
    spare: Spare,
}

impl Run {
    fn new(options: &Options, left: Pending) -> Self {
        let budget = Budget::of(options);
        Self {
            summary: Summary { left, ..Summary::default() },
            progress: Progress { bytes_total: left.bytes, ..Progress::default() },
            budget,
            workers: Arc::new(Workers::new(budget.groups)),
            late_worker: Arc::new(Workers::new(1)),
            spare: Arc::default(),
        }
    }

    /// Ends the threads: what the run held is free when this returns.
    async fn end(self) -> Summary {
        drop(self.spare);
        for workers in [self.workers, self.late_worker] {
            if let Some(workers) = Arc::into_inner(workers) {
                workers.stop().await;
            }
        }
        self.summary
    }
}

/// A commit that is being made.
struct Making<'a> {
    plan: &'a Plan,
    /// What it is to take in.
    work: &'a [Work],
    ground: Arc<Ground>,
    files: CommitFiles<'a>,
}

impl Counts {
    fn add(&mut self, written: Written) {
        self.rows += written.rows;
        self.duplicates += written.duplicates;
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

/// What a commit takes in: the first `objects` pieces of the work.
#[derive(Debug, Default)]
struct Taken {
    objects: usize,
    counts: Counts,
}
