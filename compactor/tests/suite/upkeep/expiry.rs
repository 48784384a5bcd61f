//! Snapshots leave the history, their files the disk, and no reader notices.

use std::time::Duration;

use compactor::UpkeepOptions;
use compactor::lake::ConsumedSet;
use iceberg::MetadataLocation;
use iceberg::spec::{SnapshotReference, SnapshotRetention};

use super::{
    MINUTE, OLD, age, as_of, at_once, check_every_snapshot, commit_each, essence, file_count, hash, keep_up, now, sql,
    unnamed,
};
use crate::support::{World, at, files_below, random, rows};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn what_is_expired_is_gone_from_disk_and_all_else_is_there() {
    let world = World::new().await;
    let input = commit_each(&world, 1, OLD, 60 * MINUTE, 5).await;
    let before = essence(&world).await;
    let summary = keep_up(&world, at_once()).await;
    assert_eq!((summary.rewrites, summary.snapshots_expired), (1, 5));
    assert_eq!((summary.files_removed, unnamed(&world).await.len()), (4, 15), "consumed sets; the rest may be read");
    let summary = keep_up(&world, at_once()).await;
    assert_eq!(summary.files_removed, 15, "five data files, five manifests, five lists");
    assert!(summary.bytes_removed > 0);
    assert_eq!(essence(&world).await, before);
    assert_eq!(unnamed(&world).await, Vec::<std::path::PathBuf>::new());
    let consumed = files_below(&world.folder.path().join("lake/consumed"));
    assert_eq!((file_count(&world).await, consumed.len()), (1, 1));
    let table = world.lake.load().await.unwrap();
    assert_eq!((table.metadata().snapshots().len(), table.metadata().history().len()), (1, 1));
    check_every_snapshot(&table).await;
    world.check(&input).await;
}

#[tokio::test]
async fn a_snapshot_stays_for_as_long_as_someone_may_read_it() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 60 * MINUTE, 5).await;
    keep_up(&world, UpkeepOptions::default()).await;
    let table = world.lake.load().await.unwrap();
    assert_eq!(table.metadata().snapshots().len(), 6);
    let options = || UpkeepOptions { keep_least: 2, ..UpkeepOptions::default() };
    let upkeep = super::upkeep(&world, options());
    let in_hours = |hours: i64| at(now().micros() + hours * 3_600_000_000);
    assert_eq!(upkeep.run(in_hours(71), &random).await.unwrap().snapshots_expired, 0);
    // All but the current one were replaced 72 hours ago by then, and of those the newest stays.
    let summary = upkeep.run(in_hours(73), &random).await.unwrap();
    assert_eq!(summary.snapshots_expired, 4);
    let table = world.lake.load().await.unwrap();
    assert_eq!(table.metadata().history().len(), 2);
    check_every_snapshot(&table).await;
}

/// After a quiet week a snapshot is old, and was read until it was replaced just now.
#[tokio::test]
async fn it_counts_when_a_snapshot_was_replaced_not_when_it_was_made() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 60 * MINUTE, 1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    commit_each(&world, 2, OLD, 60 * MINUTE, 1).await;
    let keep = Duration::from_millis(500);
    let options = || UpkeepOptions { keep, settle: Duration::MAX, ..at_once() };
    assert_eq!(keep_up(&world, options()).await.snapshots_expired, 0);
    tokio::time::sleep(keep).await;
    assert_eq!(keep_up(&world, options()).await.snapshots_expired, 1);
}

#[tokio::test]
async fn a_reader_who_loaded_the_table_before_still_reads_all_of_it_within_the_grace_period() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 60 * MINUTE, 5).await;
    let reader = world.lake.load().await.unwrap();
    let (hashed, first) = (hash(&reader).await, reader.metadata().history()[0].snapshot_id);
    // All the files are old, and only the table's newest version is young.
    age(&world, 100 * HOUR);
    let newest = std::path::PathBuf::from(reader.metadata_location().unwrap());
    super::age_file(&newest, Duration::ZERO);
    let options = || UpkeepOptions { grace: HOUR, ..at_once() };
    let summary = keep_up(&world, options()).await;
    assert_eq!((summary.rewrites, summary.snapshots_expired), (1, 5));
    assert_eq!(hash(&reader).await, hashed);
    assert_eq!(rows(&as_of(&reader, first)).await.len(), 20, "even what had been expired under it");
    ConsumedSet::of(&reader).await.unwrap();
    // Its time is over.
    age(&world, 2 * HOUR);
    let summary = keep_up(&world, options()).await;
    assert!(summary.files_removed >= 10, "{summary:?}");
    assert_eq!(unnamed(&world).await, Vec::<std::path::PathBuf>::new());
    check_every_snapshot(&world.lake.load().await.unwrap()).await;
}

#[tokio::test]
async fn what_a_tag_or_a_branch_names_stays() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 60 * MINUTE, 5).await;
    let table = world.lake.load().await.unwrap();
    let ids: Vec<i64> = table.metadata().history().iter().map(|entry| entry.snapshot_id).collect();
    let tag = SnapshotReference::new(ids[1], SnapshotRetention::Tag { max_ref_age_ms: None });
    let branch =
        SnapshotRetention::Branch { min_snapshots_to_keep: None, max_snapshot_age_ms: None, max_ref_age_ms: None };
    let builder = table.metadata().clone().into_builder(table.metadata_location().map(str::to_owned));
    let builder = builder.set_ref("audit", tag).unwrap();
    // A branch off the first snapshot keeps that alone: it has no ancestors.
    let metadata = builder.set_ref("trial", SnapshotReference::new(ids[0], branch)).unwrap().build().unwrap().metadata;
    let location: MetadataLocation = table.metadata_location().unwrap().parse().unwrap();
    let location = location.with_next_version();
    metadata.write_to(table.file_io(), &location).await.unwrap();
    sql(&world, &format!("update iceberg_tables set metadata_location = '{location}'")).await;
    let summary = super::tidy(&world).await;
    assert_eq!(summary.snapshots_expired, 3);
    let table = world.lake.load().await.unwrap();
    for (name, id) in [("audit", ids[1]), ("trial", ids[0])] {
        assert_eq!(table.metadata().snapshot_for_ref(name).unwrap().snapshot_id(), id);
    }
    check_every_snapshot(&table).await;
}

#[tokio::test]
async fn a_table_whose_owner_forbids_it_loses_nothing() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 60 * MINUTE, 3).await;
    let table = world.lake.load().await.unwrap();
    let transaction = iceberg::transaction::Transaction::new(&table);
    let change = transaction.update_table_properties().set("gc.enabled".to_owned(), "false".to_owned());
    let transaction = iceberg::transaction::ApplyTransactionAction::apply(change, transaction).unwrap();
    transaction.commit(&**world.lake.catalog()).await.unwrap();
    let summary = keep_up(&world, at_once()).await;
    assert_eq!((summary.rewrites, summary.snapshots_expired, summary.files_removed), (1, 0, 0));
}

#[tokio::test]
async fn an_empty_table_needs_no_upkeep() {
    let world = World::new().await;
    assert_eq!(keep_up(&world, at_once()).await, compactor::UpkeepSummary::default());
    world.put(&crate::support::key(0, "bad"), b"bad\n".to_vec());
    world.compact().await;
    assert_eq!(keep_up(&world, at_once()).await.rewrites, 0);
}
