//! Sorting, and leaving out what is there already: within the chunk, then against the table (I2).

mod lookup;

use std::collections::HashSet;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use event::EventId;
use iceberg::table::Table;

use crate::error::{Error, Result};
use crate::rows::{BATCH_BYTES, BATCH_ROWS, Key, Rows};

/// New rows, sorted by `(received_at, event_id)`, each event once.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    batches: Vec<RecordBatch>,
    /// In their final order.
    pub(crate) keys: Vec<Key>,
    /// How many rows were left out.
    pub(crate) duplicates: u64,
}

/// Sorts `rows` and leaves out those whose event came before in them or is in the table.
///
/// A duplicate is the same line, so it has the same `received_at`, too: of the table only what shares a sort key's
/// time is read, however large it is.
///
/// # Errors
/// The table could not be read.
pub(crate) async fn merge(table: &Table, rows: Rows) -> Result<Merged> {
    let (batches, mut keys) = rows.finish()?;
    let all = keys.len();
    sort_and_deduplicate(&mut keys);
    let present = lookup::present(table, &keys).await?;
    keys.retain(|key| !present.contains(&key.event_id));
    Ok(Merged { batches, duplicates: (all - keys.len()) as u64, keys })
}

fn sort_and_deduplicate(keys: &mut Vec<Key>) {
    keys.sort_unstable();
    let mut seen: HashSet<EventId> = HashSet::with_capacity(keys.len());
    keys.retain(|key| seen.insert(key.event_id));
}

impl Merged {
    /// The rows of some of the keys, in batches of bounded size.
    pub(crate) fn batches_of(&self, keys: &[Key]) -> impl Iterator<Item = Result<RecordBatch>> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        slices(keys).into_iter().map(move |keys| {
            let places: Vec<_> = keys.iter().map(|key| (key.batch as usize, key.row as usize)).collect();
            interleave_record_batch(&batches, &places).map_err(Error::lake("sort the rows"))
        })
    }

    /// The keys day by day.
    pub(crate) fn days(&self) -> impl Iterator<Item = &[Key]> {
        self.keys.chunk_by(|a, b| a.day() == b.day())
    }

    /// How many values of a column at `index` are not null, duplicates included.
    pub(crate) fn non_null(&self, index: usize) -> u64 {
        self.batches.iter().map(|batch| (batch.num_rows() - batch.column(index).null_count()) as u64).sum()
    }
}

/// Cuts keys into runs that fit one batch.
fn slices(keys: &[Key]) -> Vec<&[Key]> {
    let mut slices = Vec::with_capacity(keys.len() / BATCH_ROWS + 1);
    let (mut start, mut bytes) = (0, 0);
    for (index, key) in keys.iter().enumerate() {
        if index > start && (index - start == BATCH_ROWS || bytes + key.bytes as usize > BATCH_BYTES) {
            slices.push(&keys[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += key.bytes as usize;
    }
    if start < keys.len() {
        slices.push(&keys[start..]);
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(received_at: i64, id: u128, row: u32) -> Key {
        Key { received_at, event_id: EventId::from_u128(id), batch: 0, row, bytes: 10 }
    }

    #[test]
    fn the_first_of_equal_events_stays() {
        let mut keys = vec![key(5, 1, 0), key(3, 2, 1), key(5, 1, 2), key(9, 2, 3), key(3, 1, 4)];
        sort_and_deduplicate(&mut keys);
        assert_eq!(keys, [key(3, 1, 4), key(3, 2, 1)]);
    }

    #[test]
    fn batches_are_bounded_by_rows_and_bytes() {
        let many: Vec<_> = (0..BATCH_ROWS as u32 * 2 + 1).map(|row| key(0, u128::from(row), row)).collect();
        assert_eq!(slices(&many).iter().map(|slice| slice.len()).collect::<Vec<_>>(), [BATCH_ROWS, BATCH_ROWS, 1]);
        let large: Vec<_> = (0..3).map(|row| Key { bytes: BATCH_BYTES as u32, ..key(0, 0, row) }).collect();
        assert_eq!(slices(&large).len(), 3);
        assert!(slices(&[]).is_empty());
    }

    #[test]
    fn days_before_1970_are_days_too() {
        assert_eq!([key(-1, 0, 0).day(), key(0, 0, 0).day(), key(86_400_000_000, 0, 0).day()], [-1, 0, 1]);
    }
}
