//! What a rewrite leaves: the same rows in fewer files, and metadata as the format wants it.

use std::collections::BTreeSet;
use std::fs;

use compactor::lake::data_files;
use compactor::{ErrorKind, UpkeepOptions, UpkeepSummary};
use iceberg::spec::{ManifestStatus, Operation};

use super::{
    MINUTE, OLD, ONE_DAY, as_of, at_once, check_every_snapshot, commit_each, essence, file_count, hash, in_order,
    keep_up, now, rows_of_file, unnamed, upkeep,
};
use crate::support::{World, check_table, events, key, random};

#[tokio::test]
async fn small_files_become_one_a_day_and_no_row_changes() {
    let world = World::new().await;
    let input = commit_each(&world, 1, OLD - 90 * MINUTE, 180 * MINUTE, 6).await;
    let before = essence(&world).await;
    assert_eq!(file_count(&world).await, 12);
    let summary = keep_up(&world, UpkeepOptions::default()).await;
    let expect = UpkeepSummary {
        files_before: 12,
        files_after: 2,
        rows_rewritten: 120,
        rewrites: 1,
        ..UpkeepSummary::default()
    };
    assert_eq!(summary, expect);
    assert_eq!(essence(&world).await, before, "rows by hash over all columns, properties, consumed set");
    world.check(&input).await;
    let table = world.lake.load().await.unwrap();
    assert!(in_order(&table).await.is_sorted(), "sorted within a file and by day");
    check_every_snapshot(&table).await;
    let unnamed = unnamed(&world).await;
    assert!(
        unnamed.len() == 5 && unnamed.iter().all(|path| path.starts_with(world.folder.path().join("lake/consumed")))
    );
    assert_eq!(keep_up(&world, UpkeepOptions::default()).await.rewrites, 0, "nothing is left to do");
}

#[tokio::test]
async fn entries_and_summary_are_what_the_format_wants() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 180 * MINUTE, 3).await;
    // And one with a day that is not worth a merge: its entry is to survive in the place of both.
    commit_each(&world, 2, OLD + ONE_DAY - 60 * MINUTE, 120 * MINUTE, 1).await;
    let before = world.lake.load().await.unwrap();
    let was: Vec<_> = data_files(&before).await.unwrap();
    keep_up(&world, UpkeepOptions::default()).await;
    let table = world.lake.load().await.unwrap();
    let (metadata, old) = (table.metadata(), before.metadata());
    let snapshot = metadata.current_snapshot().unwrap();
    assert_eq!(snapshot.summary().operation, Operation::Replace);
    assert_eq!(snapshot.parent_snapshot_id(), old.current_snapshot_id());
    assert_eq!(snapshot.sequence_number(), old.last_sequence_number() + 1);
    assert_eq!(metadata.last_sequence_number(), snapshot.sequence_number());
    assert_eq!(metadata.snapshot_for_ref("main").unwrap().snapshot_id(), snapshot.snapshot_id());
    assert_eq!(metadata.history().last().unwrap().snapshot_id, snapshot.snapshot_id());
    assert!(metadata.history().is_sorted_by_key(|entry| entry.timestamp_ms));
    assert_eq!(metadata.metadata_log().last().unwrap().metadata_file, before.metadata_location().unwrap());
    let now_there = data_files(&table).await.unwrap();
    let says = |name: &str| snapshot.summary().additional_properties[name].parse::<u64>().unwrap();
    assert_eq!((says("added-data-files"), says("deleted-data-files"), says("total-data-files")), (1, 4, 2));
    assert_eq!((says("added-records"), says("deleted-records"), says("total-records")), (70, 70, 80));
    let size = |files: &[iceberg::spec::DataFile]| files.iter().map(|f| f.file_size_in_bytes()).sum::<u64>();
    assert_eq!(says("total-files-size"), size(&now_there));
    assert_eq!(says("removed-files-size") + size(&now_there), size(&was) + says("added-files-size"));

    let list = table.manifest_list_reader(snapshot).load().await.unwrap();
    let mut seen = Vec::new();
    for manifest in list.entries() {
        for entry in manifest.load_manifest(table.file_io()).await.unwrap().entries() {
            let known = was.iter().any(|file| file.file_path() == entry.file_path());
            let (sequence, snapshot_id) = (entry.sequence_number().unwrap(), entry.snapshot_id().unwrap());
            assert_eq!(entry.file_sequence_number, Some(sequence));
            assert!(sequence >= manifest.min_sequence_number || !entry.is_alive());
            let mine = snapshot_id == snapshot.snapshot_id();
            match entry.status() {
                ManifestStatus::Added => assert!(!known && mine && sequence == snapshot.sequence_number()),
                ManifestStatus::Existing => assert!(known && !mine && sequence == 4),
                ManifestStatus::Deleted => assert!(known && mine && sequence <= 4),
            }
            seen.push(entry.status() as i32);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 2, 2, 2], "one stays, one is new, four are gone");
}

#[tokio::test]
async fn a_merged_file_is_like_any_other() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 180 * MINUTE, 4).await;
    keep_up(&world, UpkeepOptions::default()).await;
    let table = world.lake.load().await.unwrap();
    let [file] = &data_files(&table).await.unwrap()[..] else { panic!("one file") };
    assert_eq!(rows_of_file(std::path::Path::new(file.file_path())), 80);
    assert_eq!(file.file_size_in_bytes(), fs::metadata(file.file_path()).unwrap().len());
    // The same rows compacted at once: the entry must say the same about them.
    let other = World::new().await;
    for index in 0..4 {
        other.put_events(
            &key(index, &format!("1-{index}")),
            &events(1_000 + index as u64, OLD + index * 7, 9 * MINUTE, 20),
        );
    }
    other.compact().await;
    let table = other.lake.load().await.unwrap();
    let [like] = &data_files(&table).await.unwrap()[..] else { panic!("one file") };
    assert_eq!((file.lower_bounds(), file.upper_bounds()), (like.lower_bounds(), like.upper_bounds()));
    assert_eq!((file.value_counts(), file.null_value_counts()), (like.value_counts(), like.null_value_counts()));
    assert_eq!((file.partition(), file.sort_order_id()), (like.partition(), like.sort_order_id()));
    let reader = |path: &str| {
        let file = fs::File::open(path).unwrap();
        parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&file).unwrap()
    };
    let (merged, fresh) = (reader(file.file_path()), reader(like.file_path()));
    for (mine, theirs) in merged.row_group(0).columns().iter().zip(fresh.row_group(0).columns()) {
        assert_eq!(mine.compression(), theirs.compression(), "{}", mine.column_path());
        assert_eq!(mine.encodings().collect::<Vec<_>>(), theirs.encodings().collect::<Vec<_>>());
        assert_eq!(mine.bloom_filter_length(), theirs.bloom_filter_length(), "{}", mine.column_path());
    }
    assert_eq!(merged.row_group(0).sorting_columns(), fresh.row_group(0).sorting_columns());
}

#[tokio::test]
async fn a_day_that_still_gets_rows_is_merged_by_the_eight() {
    let world = World::new().await;
    let open = || UpkeepOptions { settle: std::time::Duration::MAX, ..UpkeepOptions::default() };
    let mut input = commit_each(&world, 1, OLD, 60 * MINUTE, 7).await;
    assert_eq!(keep_up(&world, open()).await.rewrites, 0);
    input.extend(commit_each(&world, 2, OLD, 60 * MINUTE, 1).await);
    let summary = keep_up(&world, open()).await;
    assert_eq!((summary.rewrites, summary.files_before, summary.files_after), (1, 8, 1));
    input.extend(commit_each(&world, 3, OLD, 60 * MINUTE, 7).await);
    assert_eq!(keep_up(&world, open()).await.rewrites, 0, "the large one is left alone");
    world.check(&input).await;
}

#[tokio::test]
async fn manifests_become_few_even_where_no_file_is_merged() {
    let world = World::new().await;
    let mut input = Vec::new();
    for day in 0..20 {
        input.extend(commit_each(&world, 1 + day, OLD + day as i64 * ONE_DAY, 60 * MINUTE, 1).await);
    }
    let before = (essence(&world).await, file_count(&world).await);
    let summary = keep_up(&world, UpkeepOptions::default()).await;
    assert_eq!((summary.rewrites, summary.rows_rewritten), (1, 0));
    let table = world.lake.load().await.unwrap();
    let list = table.manifest_list_reader(table.metadata().current_snapshot().unwrap()).load().await.unwrap();
    assert_eq!(list.entries().len(), 1);
    assert_eq!((essence(&world).await, file_count(&world).await), before);
    assert_eq!(keep_up(&world, UpkeepOptions::default()).await.rewrites, 0);
    check_every_snapshot(&table).await;
    world.check(&input).await;
}

#[tokio::test]
async fn compaction_goes_on_upon_a_rewritten_table() {
    let world = World::new().await;
    let mut input = commit_each(&world, 1, OLD, 60 * MINUTE, 3).await;
    keep_up(&world, UpkeepOptions::default()).await;
    input.extend(commit_each(&world, 2, OLD, 60 * MINUTE, 2).await);
    world.put_events(&key(19, "again"), &input[10..70]);
    assert_eq!(world.compact().await.counts.duplicates, 60, "rows are found in the files they were moved to");
    keep_up(&world, UpkeepOptions::default()).await;
    world.check(&input).await;
}

#[tokio::test]
async fn time_travel_finds_the_rows_of_its_time() {
    let world = World::new().await;
    let first = commit_each(&world, 1, OLD, 60 * MINUTE, 2).await;
    let then = world.lake.load().await.unwrap().metadata().current_snapshot_id().unwrap();
    let hashed = hash(&world.lake.load().await.unwrap()).await;
    keep_up(&world, UpkeepOptions::default()).await;
    commit_each(&world, 2, OLD, 60 * MINUTE, 3).await;
    keep_up(&world, UpkeepOptions::default()).await;
    let table = world.lake.load().await.unwrap();
    assert_eq!(hash(&as_of(&table, then)).await, hashed);
    assert_eq!(crate::support::rows(&as_of(&table, then)).await.len(), first.len());
}

#[tokio::test]
async fn a_damaged_file_is_left_and_all_else_is_done() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 60 * MINUTE, 3).await;
    let spoilt = data_files(&world.lake.load().await.unwrap()).await.unwrap()[1].file_path().to_owned();
    commit_each(&world, 2, OLD + 3 * ONE_DAY, 60 * MINUTE, 3).await;
    let mut bytes = fs::read(&spoilt).unwrap();
    let middle = bytes.len() / 2;
    bytes[4..middle].fill(0xff);
    fs::write(&spoilt, bytes).unwrap();
    let error = upkeep(&world, at_once()).run(now(), &random).await.unwrap_err();
    assert!(error.to_string().contains(&spoilt), "{error}");
    assert_eq!(file_count(&world).await, 4, "the other day is one file now");
    assert_eq!(world.lake.load().await.unwrap().metadata().snapshots().len(), 1);
    upkeep(&world, at_once()).run(now(), &random).await.unwrap_err();
    assert!(unnamed(&world).await.is_empty());
}

#[tokio::test]
async fn files_of_any_size_fit_the_memory_they_are_given() {
    let world = World::new().await;
    let input = commit_each(&world, 1, OLD, 60 * MINUTE, 12).await;
    let options = UpkeepOptions { memory: 1 << 20, ..UpkeepOptions::default() };
    let summary = keep_up(&world, options.clone()).await;
    assert!(summary.rewrites > 1, "in several steps: {summary:?}");
    world.check(&input).await;
    let none = UpkeepOptions { memory: 0, ..options };
    commit_each(&world, 2, OLD, 60 * MINUTE, 3).await;
    assert_eq!(keep_up(&world, none).await.rewrites, 0);
}

#[tokio::test]
async fn a_file_reaches_the_target_and_is_left_alone() {
    let world = World::new().await;
    let input = commit_each(&world, 1, OLD, 60 * MINUTE, 9).await;
    let sizes = |files: Vec<iceberg::spec::DataFile>| files.iter().map(|f| f.file_size_in_bytes()).collect::<Vec<_>>();
    let most = *sizes(data_files(&world.lake.load().await.unwrap()).await.unwrap()).iter().max().unwrap();
    let options = UpkeepOptions { target_bytes: most * 3, ..UpkeepOptions::default() };
    keep_up(&world, options.clone()).await;
    let after = sizes(data_files(&world.lake.load().await.unwrap()).await.unwrap());
    assert!(after.iter().all(|bytes| *bytes <= options.target_bytes) && after.len() < 9, "{after:?}");
    world.check(&input).await;
}

#[tokio::test]
async fn told_to_stop_it_leaves_nothing_behind() {
    let world = World::new().await;
    let input = commit_each(&world, 1, OLD, 60 * MINUTE, 4).await;
    let before: BTreeSet<String> = crate::support::files_below(world.folder.path()).into_iter().collect();
    for calls in [0, 1, 2, 3] {
        let asked = std::sync::atomic::AtomicU32::new(0);
        let stop = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= calls;
        let summary = upkeep(&world, at_once()).until(stop).run(now(), &random).await.unwrap();
        if summary.rewrites == 0 {
            let after: BTreeSet<String> = crate::support::files_below(world.folder.path()).into_iter().collect();
            let left = |path: &&String| !path.contains("catalog.db");
            assert!(!after.difference(&before).any(|path| left(&path)), "after {calls}");
            assert!(calls < 3);
        }
        assert_eq!(summary.overtaken, 0);
        if summary.rewrites > 0 {
            break;
        }
    }
    check_table(&world.lake, &input).await;
}

#[tokio::test]
async fn a_folder_without_a_lake_is_refused() {
    let world = World::new().await;
    let empty = tempfile::tempdir().unwrap();
    let refused = compactor::Upkeep::new(&world.lake, empty.path(), at_once()).map(|_| ());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Lake);
    let other = World::new().await;
    let upkeep = compactor::Upkeep::new(&world.lake, other.folder.path(), at_once()).unwrap();
    assert_eq!(upkeep.run(now(), &random).await.unwrap_err().kind(), ErrorKind::Table, "another lake's folder");
}
