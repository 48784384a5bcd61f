//! The state rebuilt from the log alone: compared with the database that is there, or made into a new one that is put in
//! its place on request (I5).
//!
//! What is rebuilt is what the API serves: states, histories, submissions. The answers kept under idempotency keys are
//! not in the log; they live for a day.

mod check;
mod compare;
mod fold;
mod swap;

use std::path::PathBuf;

use compactor::Limits;
use futures::TryStreamExt;
use ingest::store::sqlite::{REPLAYED, SqliteReader, SqliteStore};

pub use check::{Checked, check};
pub use compare::{Difference, compare};
pub use swap::Held;

use self::fold::Fold;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::verify::{Depth, row, view};

/// The folder in the data folder that the new database is made in.
const FOLDER: &str = "replay";

/// What a replay read and made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Events of the log.
    pub events: u64,
    /// Those that changed an entity.
    pub changes: u64,
    /// Entities that have a state, deleted ones included.
    pub entities: u64,
    /// Submissions.
    pub submissions: u64,
}

/// A database made from the log, in a folder that goes with it.
#[derive(Debug)]
pub struct Rebuilt {
    folder: PathBuf,
    /// What went into it.
    pub replayed: Replayed,
    /// The first thing in the log that no state can be made of.
    pub offender: Option<String>,
}

impl Rebuilt {
    /// Reads it.
    ///
    /// # Errors
    /// The store's.
    pub fn reader(&self) -> Result<SqliteReader> {
        Ok(SqliteReader::open(&self.folder)?)
    }
}

impl Drop for Rebuilt {
    fn drop(&mut self) {
        // What is left of it is removed by the next replay.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Folds the whole log, table and raw objects, into a new database. `report` is told how many events were read.
///
/// Memory: the last state of each entity, and those changes that were read before the ones they follow on.
///
/// # Errors
/// The log cannot be read, or the database not be written.
pub async fn rebuild(installation: &Installation, report: impl Fn(u64)) -> Result<Rebuilt> {
    let folder = installation.folder().join(FOLDER);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::while_(format_args!("remove {}", folder.display()))(error));
        }
        _ => {}
    }
    let random = (installation.system().random)();
    let store = SqliteStore::open(&folder, [random[0], random[1], random[2], random[3]])?;
    let mut rebuilt = Rebuilt { folder, replayed: Replayed::default(), offender: None };
    let table = installation.lake().await?.load().await?;
    let tail = compactor::tail(&table, &installation.raw(), installation.now(), Limits::default()).await?;
    let mut fold = Fold::new(&store);
    let mut rows = compactor::scan(&table, &view::columns(Depth::Whole)).await?;
    let mut tail = tail.batches.into_iter();
    while let Some(batch) = match rows.try_next().await? {
        Some(batch) => Some(batch),
        None => tail.next(),
    } {
        rebuilt.replayed.events += batch.num_rows() as u64;
        let mut lines = row::Lines::of(&batch)?;
        for index in view::changes(&batch)? {
            fold.take(lines.event(index)?).await?;
        }
        report(rebuilt.replayed.events);
    }
    let (changes, submissions, offender) = fold.finish().await?;
    rebuilt.replayed.changes = changes;
    rebuilt.replayed.submissions = submissions;
    rebuilt.offender = offender;
    close(store).await?;
    rebuilt.replayed.entities = count(&rebuilt.reader()?).await?;
    Ok(rebuilt)
}

/// Ends writing: everything in the database stands in the log already, so nothing of it is to be relayed.
async fn close(store: SqliteStore) -> Result<()> {
    let mut last = 0;
    loop {
        let batches = store.reader().batches(last, 16 << 20).await?;
        let Some(batch) = batches.last() else { break };
        last = batch.seq;
    }
    if last > 0 {
        store.mark_relayed(1, last, REPLAYED.to_owned()).await?;
    }
    tokio::task::spawn_blocking(move || drop(store)).await.map_err(Failure::while_("close the new database"))
}

async fn count(reader: &SqliteReader) -> Result<u64> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = reader.entities(after, 4_096).await?;
        let Some((last, _)) = page.last() else { return Ok(count) };
        count += page.len() as u64;
        after = Some(last.clone());
    }
}
