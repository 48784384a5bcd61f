//! Every snapshot on S3 and Glue, read by pyiceberg and DuckDB (I8).

use compactor::Options;

use crate::support::{DAY, HOUR, events, key};
use crate::world::World;

#[tokio::test]
async fn pyiceberg_and_duckdb_read_every_snapshot() {
    let world = World::new().await;
    let input = events(1, DAY - 2 * HOUR, 60_000_000, 900);
    for (index, part) in input.chunks(300).enumerate() {
        world.put_events(&key(index as i64, "a"), part).await;
        world.try_compact(Options::default()).await.unwrap();
    }
    world.put(&key(9, "bad"), "no event\n").await;
    world.compact().await;
    world.check(&input).await;
    let Some(said) = rig::foreign::read(&world.bucket, &world.database).await else { return };
    assert!(said.contains("snapshots 4  rows 900  distinct events 900"), "{said}");
    assert!(said.contains("duckdb over the files: rows 900"), "{said}");
}
