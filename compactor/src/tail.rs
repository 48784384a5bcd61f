//! Fresh rows: what the raw log has and a snapshot does not, read in memory by the compactor's own decoder.

use std::sync::Arc;

use arrow::array::RecordBatch;
use event::Timestamp;
use iceberg::table::Table;

use crate::decode::{Limits, decode};
use crate::error::Result;
use crate::lake::{ConsumedSet, Counts};
use crate::merge::merge;
use crate::plan::{Pending, pending_objects};
use crate::raw::{RawLog, RawObject};
use crate::rows::Rows;

/// The rows that compaction would add to a snapshot now.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// Rows with the table's Arrow schema, sorted by `(received_at, event_id)`, none of them in the snapshot.
    pub batches: Vec<RecordBatch>,
    /// What the objects hold: the counts that compaction would add.
    pub counts: Counts,
    /// The objects.
    pub pending: Pending,
}

/// What the raw log has that the snapshot `table` has not consumed.
///
/// # Errors
/// The log cannot be listed, or the snapshot's consumed set cannot be read.
pub async fn pending(table: &Table, raw: &Arc<dyn RawLog>) -> Result<Pending> {
    Ok(Pending::of(&unconsumed(table, raw).await?))
}

/// Decodes the raw objects that are not in the consumed set of the very snapshot `table`.
///
/// Table and tail together are each event once, whatever is committed meanwhile. Nothing is written: bad lines are
/// counted and left to compaction. Memory follows what is pending. `ingested_at` of the rows is `now`.
///
/// # Errors
/// Raw log or lake could not be read.
pub async fn tail(table: &Table, raw: &Arc<dyn RawLog>, now: Timestamp, limits: Limits) -> Result<Tail> {
    let objects = unconsumed(table, raw).await?;
    let mut rows = Rows::new(now);
    let mut counts = Counts { objects: objects.len() as u64, ..Counts::default() };
    for object in &objects {
        let decoded;
        (rows, decoded) = decode(raw, object, limits, rows).await?;
        counts.lines += decoded.lines;
        counts.quarantined += decoded.bad.len();
    }
    let merged = merge(table, rows).await?;
    counts.rows = merged.keys.len() as u64;
    counts.duplicates = merged.duplicates;
    let batches = merged.batches_of(&merged.keys).collect::<Result<_>>()?;
    Ok(Tail { batches, counts, pending: Pending::of(&objects) })
}

async fn unconsumed(table: &Table, raw: &Arc<dyn RawLog>) -> Result<Vec<RawObject>> {
    let consumed = ConsumedSet::of(table).await?;
    Ok(pending_objects(raw.list(consumed.from_day()).await?, &consumed))
}
