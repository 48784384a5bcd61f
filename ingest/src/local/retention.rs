//! How long the store of one machine keeps what: events for a time, states and the log for ever.

use std::time::Duration;

use event::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::store::sqlite::{Holding, REPLAYED, SqliteStore};

/// Batches that are read at a time.
const STEP: usize = 16;

/// How long what is kept; none is for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Events that are the history of something else, reads and refusals.
    pub events: Option<Duration>,
    /// Submissions.
    pub submissions: Option<Duration>,
}

/// What a run removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Batches that were looked at.
    pub batches: u64,
    /// Events that went.
    pub events: u64,
}

/// Removes what has had its time from the store, as far as the raw object that has it is there.
///
/// One commit of the writer takes one batch at most of it, beside the requests of that moment: none of them waits for
/// the whole. Stopped anywhere, the next run goes on.
///
/// # Errors
/// The store's; what went until then is gone.
pub async fn remove(store: &SqliteStore, retention: Retention, now: Timestamp) -> Result<Removed> {
    let mut removed = Removed::default();
    for (holding, period) in [(Holding::Events, retention.events), (Holding::Submissions, retention.submissions)] {
        let Some(period) = period else { continue };
        let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(now.micros().saturating_sub(period));
        while remove_step(store, holding, before, &mut removed).await? {}
    }
    Ok(removed)
}

/// A few batches; whether there may be more.
async fn remove_step(store: &SqliteStore, holding: Holding, before: Timestamp, removed: &mut Removed) -> Result<bool> {
    let due = store.reader().due(holding, before, STEP).await?;
    let is_all = due.len() < STEP;
    for due in due {
        if due.object() != REPLAYED && !store.has_file(due.object()) {
            tracing::warn!(object = due.object(), "a raw object is gone; the store keeps its events");
            return Ok(false);
        }
        let removal = tokio::task::spawn_blocking(move || due.removal(holding))
            .await
            .map_err(|error| Error::new(ErrorKind::Unavailable, "a removal was cut off").with_source(error))??;
        removed.batches += 1;
        removed.events += removal.events();
        store.remove(removal).await?;
    }
    Ok(!is_all)
}
