//! A reader who comes again and again while others change the table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compactor::{Lake, counts};

use crate::support::{World, rows};

/// Reads the table through a handle of its own, as often as it comes to that while `work` goes on: returns the snapshots
/// that it saw, and how many rows each had.
///
/// Between finding a snapshot and reading it there is a `pause`. Its rows must be as many as the snapshot itself counts.
pub async fn reading_while(world: &World, pause: Duration, work: impl Future<Output = ()>) -> BTreeMap<i64, u64> {
    let done = Arc::new(AtomicBool::new(false));
    let (reader_done, folder) = (done.clone(), world.folder.path().to_owned());
    let reader = tokio::spawn(async move {
        let lake = Lake::open(&folder).await.unwrap();
        let mut seen = BTreeMap::new();
        while !reader_done.load(Ordering::Relaxed) {
            let table = lake.load().await.unwrap();
            tokio::time::sleep(pause).await;
            let found = rows(&table).await.len() as u64;
            assert_eq!(found, counts(&table).unwrap().rows, "rows and counts are of one snapshot");
            seen.extend(table.metadata().current_snapshot_id().map(|snapshot| (snapshot, found)));
        }
        seen
    });
    work.await;
    done.store(true, Ordering::Relaxed);
    reader.await.unwrap()
}
