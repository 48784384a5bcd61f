//! Duplicates are found in the table without reading it all.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{DAY, HOUR, World, events, key};

/// Bytes that this process has asked files for, as the kernel counts them.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn exact_across_pages_row_groups_and_files() {
    let world = World::new().await;
    let input = events(1, DAY - 12 * HOUR, 1_000_000, 20_000);
    world.put_events(&key(0, "a"), &input[..12_000]);
    world.compact().await;
    world.put_events(&key(1, "b"), &input[12_000..]);
    world.compact().await;
    let again: Vec<_> = input.iter().step_by(397).cloned().collect();
    world.put_events(&key(2, "c"), &again);
    let counts = world.compact().await.counts;
    assert_eq!((counts.rows, counts.duplicates), (0, again.len() as u64));
    world.check(&input).await;
}

#[tokio::test]
async fn events_with_the_same_time_are_told_apart() {
    let world = World::new().await;
    let input = events(2, DAY, 0, 10_000);
    world.put_events(&key(0, "a"), &input[..9_500]);
    world.compact().await;
    world.put_events(&key(1, "b"), &input[9_490..]);
    let counts = world.compact().await.counts;
    assert_eq!((counts.rows, counts.duplicates), (500, 10));
    world.check(&input).await;
}

#[tokio::test]
async fn its_cost_follows_the_chunk() {
    let world = World::new().await;
    let input = events(3, DAY, 1_000, 60_000);
    world.put_events(&key(0, "a"), &input);
    let added = world.compact().await;
    world.put_events(&key(1, "b"), &input[33_333..33_334]);
    let read = AtomicU64::new(0);
    let last = AtomicU64::new(bytes_read());
    let run = world.compaction().with_failpoint(|step| {
        let now = bytes_read();
        if step == compactor::Step::Encoded {
            read.store(now - last.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        last.store(now, Ordering::Relaxed);
        Ok(())
    });
    assert_eq!(run.run(crate::support::at(DAY), &crate::support::random).await.unwrap().counts.duplicates, 1);
    let (read, size) = (read.load(Ordering::Relaxed), added.bytes_out);
    assert!(read * 20 < size, "read {read} of {size} bytes to find one row");
}
