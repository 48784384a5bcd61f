//! How many requests a run makes: what it costs, and how long it waits.

use compactor::{Compaction, Lake, Options};

use crate::support::{DAY, HOUR, at, events, key, random};
use crate::world::World;

/// Runs, and checks the requests, operation by operation.
async fn check(world: &World, lake: &Lake, expect: &[(&str, u64)]) {
    world.proxy().take();
    Compaction::new(lake, world.raw(), Options::default().forced()).run(at(DAY + 24 * HOUR), &random).await.unwrap();
    let traffic = world.proxy().take();
    assert_eq!(traffic.counts().into_iter().collect::<Vec<_>>(), expect, "{traffic}");
}

#[tokio::test]
async fn of_a_run() {
    let world = World::behind_proxy().await;
    world.lake().await;
    world.proxy().take();
    let lake = world.lake().await;
    let opening = world.proxy().take();
    assert_eq!(opening.operations(), ["glue:GetTable", "glue:GetTable", "s3:GetObject lake/"]);
    let input = events(1, DAY, 1_000_000, 20_000);
    for (index, part) in input.chunks(10_000).enumerate() {
        world.put_events(&key(index as i64, "a"), part).await;
    }
    // Table: planned from, looked at before the files are written, by the fence, by the commit, after it, planned anew.
    let with_new_rows = [
        ("glue:GetTable", 6),
        ("glue:UpdateTable", 1),
        ("s3:GetObject lake/", 2),
        ("s3:GetObject raw/", 2),
        ("s3:ListObjectsV2", 2),
        // A data file, the consumed set, a manifest, the manifest list, the metadata.
        ("s3:PutObject lake/", 5),
    ];
    check(&world, &lake, &with_new_rows).await;
    check(&world, &lake, &[("glue:GetTable", 1), ("s3:GetObject lake/", 1), ("s3:ListObjectsV2", 2)]).await;
    world.put_events(&key(9, "again"), &input[..100]).await;
    // Of the data file: its footer, the page of times, and the page of ids where one is the same.
    let with_duplicates = [
        ("glue:GetTable", 6),
        ("glue:UpdateTable", 1),
        ("s3:GetObject lake/", 9),
        ("s3:GetObject raw/", 1),
        ("s3:ListObjectsV2", 2),
        ("s3:PutObject lake/", 3),
    ];
    check(&world, &lake, &with_duplicates).await;
}

#[tokio::test]
async fn of_a_listing_that_leaves_old_days_out() {
    let world = World::behind_proxy().await;
    for day in -40..4 {
        world.put(&key(day * 24, "a"), "x").await;
    }
    world.put("raw/fallback/undated.ndjson.gz", "x").await;
    world.proxy().take();
    let listed = world.raw().list(Some("2026-11-20")).await.unwrap();
    assert_eq!(listed.len(), 5);
    assert_eq!(world.proxy().take().count("s3:ListObjectsV2"), 2, "the folders, and the days from that one on");
}
