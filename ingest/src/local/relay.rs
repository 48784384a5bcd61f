//! The relay of one machine: committed batches become raw objects.

use event::{Timestamp, key};

use crate::error::Result;
use crate::store::sqlite::SqliteStore;

/// Size at which a raw object is full, bytes. The last batch may bring it over.
///
/// An object is held in memory while it is written, and commits wait while a disk takes it: with six times as much, the
/// slowest hundredth of requests waited up to four times as long.
const OBJECT_BYTES: usize = 1 << 20;

/// What a run of the relay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relayed {
    /// Objects written.
    pub objects: u64,
    /// Events in them.
    pub events: u64,
    /// Their size.
    pub bytes: u64,
}

/// Writes every batch that no raw object has yet to `raw/dt=…/hour=…/….ndjson.gz` of the data folder. Those that are
/// committed meanwhile may wait for the next run: taken at once, each moment's would be an object of its own.
///
/// A raw object is the gzip members of consecutive batches, concatenated: nothing is compressed anew. It is written
/// aside, synced, renamed, its folder synced, and only then marked as relayed. A kill in between leaves an object that
/// a later run writes again under another name: a duplicate in `raw/` alone, which the compactor drops (I1, I2).
///
/// # Errors
/// The store's or the disk's; what was marked until then stays relayed.
pub async fn drain(store: &SqliteStore, now: Timestamp) -> Result<Relayed> {
    let mut relayed = Relayed::default();
    loop {
        let after = store.reader().relayed_to().await?;
        let batches = store.reader().batches(after, OBJECT_BYTES).await?;
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Ok(relayed) };
        let (first_seq, last_seq) = (first.seq, last.seq);
        let key = key::raw(now, &format!("{}-{first_seq:012}-{last_seq:012}", store.reader().store_id()));
        relayed.objects += 1;
        relayed.events += batches.iter().map(|batch| batch.events).sum::<u64>();
        let members = batches.into_iter().map(|batch| batch.member).collect::<Vec<_>>().concat();
        let size = members.len();
        relayed.bytes += size as u64;
        store.write_file(&key, members).await?;
        store.mark_relayed(first_seq, last_seq, key).await?;
        if size < OBJECT_BYTES {
            return Ok(relayed);
        }
    }
}
