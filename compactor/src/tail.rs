//! Fresh rows: what the raw log has and a snapshot does not, read in memory by the compactor's own decoder.

use std::io::Read;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use event::Timestamp;
use iceberg::table::Table;

use crate::block::{Block, Entry, Loader, SortKey, Source, Stored};
use crate::columns::Columns;
use crate::decode::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{ConsumedSet, Counts};
use crate::lookup::Known;
use crate::plan::{Pending, pending_objects};
use crate::raw::{RawLog, RawObject};

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Text of a batch, bytes: far below what 32-bit offsets can say, so that no column can overflow (I9).
const BATCH_BYTES: usize = 64 << 20;
/// Text of a block, bytes.
const BLOCK_BYTES: usize = 32 << 20;

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
    let mut decoding = Decoding::new(now, limits);
    for object in &objects {
        let (reader, object) = (raw.open(&object.key).await?, object.clone());
        let stopped = |stopped| Error::caused(ErrorKind::Stopped, "decode raw objects", stopped);
        decoding = tokio::task::spawn_blocking(move || decoding.decode(reader, &object)).await.map_err(stopped)??;
    }
    let (mut batches, mut keys, mut counts) = decoding.finish()?;
    keys.sort_unstable();
    let all = keys.len();
    keys.dedup_by_key(|key| key.sort_key);
    let present = Known::of(table).await?.present(&keys, |key| key.sort_key).await?;
    keys.retain(|key| !present.contains(&key.sort_key));
    counts.objects = objects.len() as u64;
    counts.rows = keys.len() as u64;
    counts.duplicates = (all - keys.len()) as u64;
    batches = in_order(&batches, &keys)?;
    Ok(Tail { batches, counts, pending: Pending::of(&objects) })
}

async fn unconsumed(table: &Table, raw: &Arc<dyn RawLog>) -> Result<Vec<RawObject>> {
    let consumed = ConsumedSet::of(table).await?;
    Ok(pending_objects(raw.list(consumed.from_day()).await?, &consumed))
}

/// Where a row is and what it is sorted by; of equal ones, the first read comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    sort_key: SortKey,
    batch: usize,
    row: usize,
    bytes: usize,
}

/// Objects that are being decoded.
struct Decoding {
    loader: Loader,
    block: Block,
    rows: Rows,
}

struct Rows {
    columns: Columns,
    batches: Vec<RecordBatch>,
    keys: Vec<Key>,
    counts: Counts,
}

impl Decoding {
    fn new(now: Timestamp, limits: Limits) -> Self {
        let (batches, keys, counts) = Default::default();
        let rows = Rows { columns: Columns::new(now), batches, keys, counts };
        Self { loader: Loader::new(limits, BLOCK_BYTES), block: Block::default(), rows }
    }

    fn decode(mut self, mut reader: Box<dyn Read + Send>, object: &RawObject) -> Result<Self> {
        let mut stored = Vec::new();
        reader.read_to_end(&mut stored).map_err(Error::raw(format!("read {}", object.key)))?;
        let stored = Stored::Whole(&stored);
        let source = Source { key: &object.key, number: 0, bytes: object.bytes, stored };
        let rows = &mut self.rows;
        self.loader.load(&source, &mut self.block, &mut |block| rows.take(block, &object.key))?;
        rows.take(&mut self.block, &object.key)?;
        Ok(self)
    }

    fn finish(mut self) -> Result<(Vec<RecordBatch>, Vec<Key>, Counts)> {
        self.rows.end_batch()?;
        Ok((self.rows.batches, self.rows.keys, self.rows.counts))
    }
}

impl Rows {
    /// Adds the rows of a block, and empties it.
    fn take(&mut self, block: &mut Block, key: &str) -> Result<()> {
        self.counts.lines += block.lines();
        self.counts.quarantined += block.bad();
        for entry in block.entries() {
            self.push(block.line(entry), entry, key)?;
        }
        block.clear();
        Ok(())
    }

    fn push(&mut self, line: &[u8], entry: &Entry, key: &str) -> Result<()> {
        if self.columns.rows() >= BATCH_ROWS || self.columns.bytes() + line.len() > BATCH_BYTES {
            self.end_batch()?;
        }
        let (batch, row) = (self.batches.len(), self.columns.rows());
        if self.columns.push(line, key) {
            self.keys.push(Key { sort_key: entry.sort_key(), batch, row, bytes: line.len() });
        } else {
            self.counts.quarantined += 1;
        }
        Ok(())
    }

    fn end_batch(&mut self) -> Result<()> {
        if self.columns.rows() > 0 {
            self.batches.push(self.columns.finish()?);
        }
        Ok(())
    }
}

/// The rows of the keys in their order, in batches of bounded size.
fn in_order(batches: &[RecordBatch], keys: &[Key]) -> Result<Vec<RecordBatch>> {
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    let rows = |keys: &[Key]| {
        let places: Vec<_> = keys.iter().map(|key| (key.batch, key.row)).collect();
        interleave_record_batch(&batches, &places).map_err(Error::lake("sort the rows"))
    };
    slices(keys).into_iter().map(rows).collect()
}

/// Cuts keys into runs that fit one batch.
fn slices(keys: &[Key]) -> Vec<&[Key]> {
    let mut slices = Vec::with_capacity(keys.len() / BATCH_ROWS + 1);
    let (mut start, mut bytes) = (0, 0);
    for (index, key) in keys.iter().enumerate() {
        if index > start && (index - start == BATCH_ROWS || bytes + key.bytes > BATCH_BYTES) {
            slices.push(&keys[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += key.bytes;
    }
    if start < keys.len() {
        slices.push(&keys[start..]);
    }
    slices
}

#[cfg(test)]
mod tests {
    use event::EventId;

    use super::*;

    #[test]
    fn batches_are_bounded_by_rows_and_bytes() {
        let key = |row, bytes| Key { sort_key: (0, EventId::default()), batch: 0, row, bytes };
        let many: Vec<_> = (0..BATCH_ROWS * 2 + 1).map(|row| key(row, 10)).collect();
        assert_eq!(slices(&many).iter().map(|slice| slice.len()).collect::<Vec<_>>(), [BATCH_ROWS, BATCH_ROWS, 1]);
        let large: Vec<_> = (0..3).map(|row| key(row, BATCH_BYTES)).collect();
        assert_eq!(slices(&large).len(), 3);
        assert!(slices(&[]).is_empty());
    }
}
