//! Fresh rows: table and tail together are every event once.

use compactor::{Limits, Options, compact, pending, tail};

use crate::support::{DAY, World, at, events, key, random, rows, rows_of};

#[tokio::test]
async fn the_tail_is_what_compaction_then_adds() {
    let world = World::new().await;
    let input = events(1, DAY, 1_000_000, 12_000);
    world.put_events(&key(0, "a"), &input[..2_000]);
    world.compact().await;
    world.put_events(&key(1, "b"), &input[1_500..6_000]);
    world.put_events(&key(2, "c"), &input[5_000..]);
    world.put(&key(3, "bad"), b"bad\n".to_vec());
    let table = world.lake.load().await.unwrap();
    let fresh = tail(&table, &world.raw(), at(DAY), Limits::default()).await.unwrap();
    assert_eq!((fresh.counts.rows, fresh.counts.duplicates, fresh.counts.quarantined), (10_000, 1_500, 1));
    assert_eq!(fresh.pending, pending(&table, &world.raw()).await.unwrap());
    assert_eq!((fresh.pending.objects, fresh.pending.oldest), (3, Some(at(DAY))));
    assert!(world.raw().list_quarantine().await.unwrap().is_empty(), "a tail writes nothing");
    let (old, fresh_rows) = (rows(&table).await, rows_of(&fresh.batches));
    assert!(fresh.batches.iter().all(|batch| batch.schema() == compactor::schema::arrow_schema()));
    let added = world.compact().await.counts;
    assert_eq!(added, fresh.counts);
    let now = world.rows().await;
    assert_eq!(now.len(), old.len() + fresh_rows.len());
    assert!(now.iter().all(|(id, row)| old.get(id).or(fresh_rows.get(id)) == Some(row)));
}

#[tokio::test]
async fn an_old_snapshot_keeps_its_own_tail() {
    let world = World::new().await;
    let input = events(2, DAY, 1, 300);
    world.put_events(&key(0, "a"), &input[..100]);
    let before = world.lake.load().await.unwrap();
    world.compact().await;
    world.put_events(&key(1, "b"), &input[100..]);
    let between = world.lake.load().await.unwrap();
    compact(&world.lake, world.raw(), at(DAY), Options::default().forced(), &random).await.unwrap();
    for (table, fresh) in [(before, 300), (between, 200), (world.lake.load().await.unwrap(), 0)] {
        let tail = tail(&table, &world.raw(), at(DAY), Limits::default()).await.unwrap();
        assert_eq!(tail.counts.rows, fresh);
        assert_eq!(rows(&table).await.len() + rows_of(&tail.batches).len(), 300);
    }
}
