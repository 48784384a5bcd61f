//! Upkeep of one machine's lake: few files, few manifests, few snapshots, and nothing on disk that nothing names.
//!
//! Every commit adds a file for each day it touches, a manifest, a snapshot and two metadata files, for ever. [`Upkeep`]
//! merges small files ([`policy`] says which), makes manifests few, lets snapshots expire, and deletes what is left.
//! What holds whenever a run returns, fails, or its process is killed:
//!
//! - the rows and the table's own counts are what they were (I2, I7): only the files change that hold them;
//! - a commit is made on the table its plan was made from, or not at all; every snapshot is whole (I8);
//! - what the current table names, or named for anyone who loaded it within the grace period, is on disk, and so is what
//!   a commit under way may still name.
//!
//! On AWS this is left to Glue's optimizer: the function there may delete nothing.

mod expire;
mod merge;
mod named;
mod pages;
mod policy;
mod replace;
mod rewrite;
mod survey;
mod swap;
mod sweep;

use std::path::{Path, PathBuf};
use std::time::Duration;

use event::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use survey::Plan;
use swap::Swap;

/// How upkeep decides and what it may use.
#[derive(Debug, Clone)]
pub struct UpkeepOptions {
    /// Files are merged up to this size. Default 128 MiB.
    pub target_bytes: u64,
    /// Memory for a merge, bytes: bounds how many files it takes and its row groups. Default 256 MiB.
    pub memory: u64,
    /// How long after its end a day gets only late rows, and its files may become one. Default 48 hours.
    pub settle: Duration,
    /// How long a snapshot stays after another took its place. Default 72 hours: more than the look-back, and more than
    /// anyone reads one snapshot.
    pub keep: Duration,
    /// How many of the newest snapshots stay, however old. Default 8.
    pub keep_least: usize,
    /// How long a file stays that nothing names, and what a table that was loaded names. Default 6 hours.
    pub grace: Duration,
}

impl Default for UpkeepOptions {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        Self {
            target_bytes: 128 << 20,
            memory: 256 << 20,
            settle: hours(48),
            keep: hours(72),
            keep_least: 8,
            grace: hours(6),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpkeepSummary {
    /// Data files of the table before.
    pub files_before: u64,
    /// Data files of the table after.
    pub files_after: u64,
    /// Rows that are in another file now.
    pub rows_rewritten: u64,
    /// Commits that rewrote files or manifests.
    pub rewrites: u64,
    /// Snapshots that are no longer in the table's history.
    pub snapshots_expired: u64,
    /// Files deleted, since nothing names them.
    pub files_removed: u64,
    /// Their size.
    pub bytes_removed: u64,
    /// Commits given up since another was faster; a later run does the work.
    pub overtaken: u64,
}

impl UpkeepSummary {
    /// Whether the table or its folder are other than before.
    pub fn changed_anything(&self) -> bool {
        self.rewrites + self.snapshots_expired + self.files_removed > 0
    }

    fn count_rewrite(&mut self, plan: &Plan) {
        self.rewrites += 1;
        self.rows_rewritten += plan.rows();
    }
}

/// A point between two steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpkeepStep {
    /// It is known what to rewrite.
    Planned,
    /// A merged file is durable.
    Merged,
    /// The new manifests are durable.
    ManifestsWritten,
    /// Their list is durable.
    ListWritten,
    /// The new metadata is durable, and not the table's.
    Staged,
    /// It is the table's.
    Swapped,
    /// It is known which files nothing names.
    Found,
    /// One of them is deleted.
    Removed,
}

impl UpkeepStep {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Merged,
        Self::ManifestsWritten,
        Self::ListWritten,
        Self::Staged,
        Self::Swapped,
        Self::Found,
        Self::Removed,
    ];
}

type Stop<'a> = Box<dyn Fn() -> bool + Send + Sync + 'a>;
type Failpoint<'a> = Box<dyn Fn(UpkeepStep) -> Result<()> + Send + Sync + 'a>;

/// A run of upkeep, to be configured and then [`run`](Self::run).
pub struct Upkeep<'a> {
    lake: Lake,
    /// The lake's folder, without symbolic links.
    folder: PathBuf,
    swap: Swap,
    options: UpkeepOptions,
    stop: Stop<'a>,
    failpoint: Failpoint<'a>,
}

impl<'a> Upkeep<'a> {
    /// Upkeep of `lake`, which was opened in `data_dir`.
    ///
    /// # Errors
    /// There is no lake in the folder.
    pub fn new(lake: &Lake, data_dir: &Path, options: UpkeepOptions) -> Result<Self> {
        let folder = data_dir.join("lake");
        let folder = folder.canonicalize().map_err(Error::lake(format!("find {}", folder.display())))?;
        Ok(Self {
            lake: lake.clone(),
            swap: Swap::new(lake, &folder),
            folder,
            options,
            stop: Box::new(|| false),
            failpoint: Box::new(|_| Ok(())),
        })
    }

    /// Asks `stop` often; once it says so the run ends with what is done. A merge under way is given up.
    #[must_use]
    pub fn until(mut self, stop: impl Fn() -> bool + Send + Sync + 'a) -> Self {
        self.stop = Box::new(stop);
        self
    }

    /// Calls `failpoint` between the steps; its error ends the run there, as a kill would.
    #[must_use]
    pub fn with_failpoint(mut self, failpoint: impl Fn(UpkeepStep) -> Result<()> + Send + Sync + 'a) -> Self {
        self.failpoint = Box::new(failpoint);
        self
    }

    /// Merges files, lets snapshots expire and deletes what nothing names, as far as each is due at `now`.
    ///
    /// Any number of runs and compactions may go on at once, in any number of processes; it may be dropped or killed
    /// anywhere. Ages are those of the files' times on disk and of the snapshots' own. `random` gives the bytes of the
    /// commits' ids and must not repeat itself.
    ///
    /// # Errors
    /// The table cannot be read or changed, or some of its files cannot be merged; then all the rest was done.
    pub async fn run(&self, now: Timestamp, random: &(dyn Fn() -> [u8; 16] + Sync)) -> Result<UpkeepSummary> {
        let before = survey::count_files(&self.lake.load().await?).await?;
        let mut summary = UpkeepSummary { files_before: before, files_after: before, ..UpkeepSummary::default() };
        let failed = self.rewrite(now, random, &mut summary).await?;
        if !(self.stop)() && self.may_delete().await? {
            self.expire(now, &mut summary).await?;
            self.sweep(now, &mut summary).await?;
        }
        summary.files_after = survey::count_files(&self.lake.load().await?).await?;
        failed.map_or(Ok(summary), Err)
    }

    /// Whether the table's owner lets anyone delete, as other engines ask, too.
    async fn may_delete(&self) -> Result<bool> {
        let table = self.lake.load().await?;
        let place = table.metadata().location();
        if !Path::new(plain(place)).starts_with(&self.folder) {
            let message = format!("the table lies at {place}, not in {}", self.folder.display());
            return Err(Error::new(ErrorKind::Table, message));
        }
        Ok(table.metadata().properties().get("gc.enabled").is_none_or(|enabled| enabled != "false"))
    }
}

/// A location as the path it means: they are plain absolute paths here, others write `file:` before them.
fn plain(location: &str) -> &str {
    location.strip_prefix("file://").or_else(|| location.strip_prefix("file:")).unwrap_or(location)
}
