//! The lake's facts agree with what is in it.

use compactor::inspect;

use crate::support::{DAY, HOUR, World, events, gzip, key};

#[tokio::test]
async fn an_empty_lake() {
    let world = World::new().await;
    let facts = inspect(&world.lake.load().await.unwrap()).await.unwrap();
    assert_eq!((facts.snapshots, facts.manifests, facts.files, facts.rows(), facts.bytes()), (0, 0, 0, 0, 0));
    assert_eq!((facts.newest, facts.smallest, facts.consumed, facts.closed_before), (None, None, 0, None));
    assert!(facts.days.is_empty() && facts.location.ends_with("requests"), "{}", facts.location);
}

#[tokio::test]
async fn facts_of_three_commits_over_two_days() {
    let world = World::new().await;
    let input = events(1, DAY + 23 * HOUR, HOUR / 10, 20);
    world.put_events(&key(0, "a"), &input[..15]);
    world.compact().await;
    world.put_events(&key(1, "b"), &input[10..]);
    world.compact().await;
    world.put(&key(2, "c"), gzip(b"none\n"));
    world.compact().await;
    let table = world.lake.load().await.unwrap();
    let facts = inspect(&table).await.unwrap();
    assert_eq!((facts.snapshots, facts.consumed), (3, 3));
    assert_eq!((facts.rows(), facts.files), (20, 3));
    let days: Vec<_> = facts.days.iter().map(|day| (day.day.as_str(), day.files, day.rows)).collect();
    assert_eq!(days, [("2026-11-20", 1, 10), ("2026-11-21", 2, 10)]);
    let files = compactor::lake::data_files(&table).await.unwrap();
    let sizes: Vec<u64> = files.iter().map(|file| file.file_size_in_bytes()).collect();
    assert_eq!((facts.bytes(), facts.smallest), (sizes.iter().sum(), sizes.iter().min().copied()));
    assert_eq!(facts.counts, world.counts().await);
    assert!(facts.newest.is_some() && (2..=3).contains(&facts.manifests), "{}", facts.manifests);
}
