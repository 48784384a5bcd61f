//! What one run after the other makes of raw objects.

use std::sync::Mutex;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::array::cast::AsArray;
use arrow::array::types::TimestampMicrosecondType;
use compactor::{Compaction, DirRawLog, Lake, Options, Progress, compact};
use event::Event;
use futures::TryStreamExt;

use crate::support::{DAY, HOUR, World, at, check_table, events, gzip, key, lines, random};

#[tokio::test]
async fn every_line_becomes_its_row() {
    let world = World::new().await;
    let input = events(1, DAY, 1_000_000, 10_000);
    world.put_events(&key(0, "a"), &input[..6_000]);
    world.put_events(&key(1, "b"), &input[6_000..]);
    let summary = world.compaction().run(at(DAY + 24 * HOUR), &random).await.unwrap();
    assert_eq!((summary.counts.objects, summary.counts.rows, summary.files, summary.commits), (2, 10_000, 1, 1));
    assert!(summary.bytes_out > 0 && summary.bytes_in > summary.bytes_out / 4);
    assert_eq!(summary.left.objects, 0);
    world.check(&input).await;
    let rows = world.rows().await;
    let last = &rows[&input[9_999].event_id.to_string()];
    assert_eq!(last[last.len() - 2].as_deref(), Some(key(1, "b").as_str()), "lineage");
    assert_eq!(last[last.len() - 1].as_deref(), Some("2026-11-21T00:00:00.000000Z"), "ingested_at is the run's now");
}

#[tokio::test]
async fn a_file_is_sorted_and_holds_one_day() {
    let world = World::new().await;
    let mut input = events(2, DAY - 2 * HOUR, 60_000_000, 300);
    input.reverse();
    world.put_events(&key(0, "a"), &input);
    assert_eq!(world.compaction().run(at(DAY + 24 * HOUR), &random).await.unwrap().files, 2);
    let times = times(&world).await;
    assert_eq!(times.len(), 300);
    assert!(times.is_sorted(), "days come in order, and rows within a day");
    world.check(&input).await;
}

/// All threads may be waiting for rows of theirs to be written while late lines want to be encoded.
#[tokio::test]
async fn a_large_object_in_reverse_leaves_a_thread_for_its_late_lines() {
    let mut input = events(13, DAY, 1_000_000, 12_000);
    input.reverse();
    for threads in [1, 2] {
        let world = World::new().await;
        world.put_events(&key(0, "a"), &input);
        world.put_events(&key(1, "b"), &events(14, DAY + HOUR, 1, 1));
        let options = Options { memory: 1, threads, ..Options::default().forced() };
        let compaction = Compaction::new(&world.lake, world.raw(), options);
        let run = tokio::time::timeout(Duration::from_secs(120), compaction.run(at(DAY + 24 * HOUR), &random));
        assert_eq!(run.await.expect("it waits for itself").unwrap().counts.rows, 12_001, "{threads} threads");
    }
}

/// The times of all rows: day by day, file by file, as they stand there.
async fn times(world: &World) -> Vec<i64> {
    let table = world.lake.load().await.unwrap();
    let batches: Vec<RecordBatch> =
        compactor::scan(&table, &["received_at"]).await.unwrap().try_collect().await.unwrap();
    let times = |batch: &RecordBatch| batch.column(0).as_primitive::<TimestampMicrosecondType>().values().to_vec();
    batches.iter().flat_map(times).collect()
}

#[tokio::test]
async fn late_lines_and_wrong_clocks_cost_a_file_and_no_order() {
    let mut input = events(11, DAY, 1_000_000, 12_000);
    let from_2099 = events(12, DAY + 73 * 365 * 24 * HOUR, 1, 1);
    // Each 40th event comes four objects late; the first object has one whose clock was wrong.
    let mut objects: Vec<Vec<Event>> = input.chunks(500).map(<[Event]>::to_vec).collect();
    for number in (0..objects.len()).rev() {
        let late: Vec<Event> = (0..500).step_by(40).rev().map(|place| objects[number].remove(place)).collect();
        let later = (number + 4).min(objects.len() - 1);
        objects[later].extend(late);
    }
    objects[0].extend(from_2099.clone());
    input.extend(from_2099);
    for (memory, threads) in [(1, 1), (64 << 20, 1), (64 << 20, 3), (512 << 20, 2)] {
        let world = World::new().await;
        for (number, events) in objects.iter().enumerate() {
            world.put_events(&key(0, &format!("{number:03}")), events);
        }
        let options = Options { memory, threads, ..Options::default().forced() };
        let run = Compaction::new(&world.lake, world.raw(), options).run(at(DAY + 24 * HOUR), &random).await.unwrap();
        assert_eq!((run.commits, run.counts.rows, run.counts.duplicates), (1, 12_001, 0));
        let falls = times(&world).await.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64;
        assert!(run.files <= 3 && falls < run.files, "{} files, {falls} times back, {memory} {threads}", run.files);
        world.check(&input).await;
    }
}

#[tokio::test]
async fn duplicates_in_an_object_across_objects_runs_and_days() {
    let world = World::new().await;
    let input = events(3, DAY - 10_000_000, 1_000_000, 20);
    let twice: Vec<Event> = [&input[..], &input[5..7]].concat();
    world.put_events(&key(0, "a"), &twice);
    world.put_events(&key(0, "b"), &input[8..12]);
    let first = world.compact().await.counts;
    assert_eq!((first.lines, first.rows, first.duplicates), (26, 20, 6));
    world.put_events(&key(30, "c"), &input);
    let again = world.compact().await;
    assert_eq!((again.counts.rows, again.counts.duplicates, again.files, again.commits), (0, 20, 0, 1));
    let late = events(4, DAY - 30_000_000, 7, 3);
    world.put_events(&key(31, "d"), &[&late[..], &input[..1]].concat());
    let third = world.compact().await.counts;
    assert_eq!((third.rows, third.duplicates), (3, 1));
    world.check(&[input, late].concat()).await;
    assert_eq!(world.counts().await.objects, 4);
}

#[tokio::test]
async fn nothing_pending_means_nothing_written() {
    let world = World::new().await;
    assert_eq!(world.compact().await, compactor::Summary::default());
    world.put_events(&key(0, "a"), &events(5, DAY, 1, 10));
    world.compact().await;
    let before = world.lake.load().await.unwrap().metadata_location().map(str::to_owned);
    assert_eq!(world.compact().await.commits, 0);
    assert_eq!(world.lake.load().await.unwrap().metadata_location().map(str::to_owned), before);
}

#[tokio::test]
async fn waits_until_a_commit_is_worth_it() {
    let world = World::new().await;
    let input = events(6, DAY, 1, 10);
    world.put_events(&key(0, "a"), &input);
    let run = async |minutes: i64, options: Options| {
        compact(&world.lake, world.raw(), at(DAY + minutes * 60_000_000), options, &random).await.unwrap()
    };
    let idle = run(59, Options::default()).await;
    assert_eq!((idle.commits, idle.left.objects), (0, 1));
    assert_eq!(
        run(1, Options { max_wait: Duration::from_secs(3_600), min_bytes: 1 << 20, ..Options::default() })
            .await
            .commits,
        0
    );
    assert_eq!(run(60, Options::default()).await.commits, 1);
    world.check(&input).await;
}

#[tokio::test]
async fn the_consumed_set_outlives_a_reopened_lake_and_closes_old_days() {
    let folder = tempfile::tempdir().unwrap();
    let log = std::sync::Arc::new(compactor::MemoryRawLog::new());
    let mut all = Vec::new();
    for day in 0..8 {
        let input = events(day + 10, DAY + day as i64 * 24 * HOUR, 1, 5);
        log.put(key(day as i64 * 24, "a"), gzip(&lines(&input)), at(DAY));
        all.extend(input);
        let lake = Lake::open(folder.path()).await.unwrap();
        let today = at(DAY + day as i64 * 24 * HOUR);
        let summary = compact(&lake, log.clone(), today, Options::default().forced(), &random).await.unwrap();
        assert_eq!(summary.counts.objects, 1, "day {day}");
    }
    let lake = Lake::open(folder.path()).await.unwrap();
    let error = compact(&lake, log.clone(), at(DAY), Options::default().forced(), &random).await.unwrap_err();
    assert!(error.to_string().contains("before 2026-11-24, and today is 2026-11-20"), "{error}");
    let set = compactor::lake::ConsumedSet::of(&lake.load().await.unwrap()).await.unwrap();
    assert_eq!((set.from_day(), set.len()), (Some("2026-11-24"), 4));
    check_table(&lake, &all).await;
}

#[tokio::test]
async fn more_than_a_chunk_makes_several_commits() {
    let world = World::new().await;
    let input = events(20, DAY, 1_000_000, 1_800);
    for (index, part) in input.chunks(200).enumerate() {
        world.put_events(&key(index as i64, "a"), part);
    }
    let seen = Mutex::new(Vec::<Progress>::new());
    let summary = Compaction::new(&world.lake, world.raw(), Options { commit_bytes: 1, ..Options::default().forced() })
        .with_report(|progress| seen.lock().unwrap().push(progress))
        .run(at(DAY), &random)
        .await
        .unwrap();
    assert!(summary.commits > 2, "{summary:?}");
    world.check(&input).await;
    let seen = seen.into_inner().unwrap();
    let last = seen.last().unwrap();
    assert_eq!((last.bytes_decoded, last.lines, last.rows_written), (last.bytes_total, 1_800, 1_800));
    assert_eq!(last.commits, summary.commits);
}

#[tokio::test]
async fn a_folder_of_nothing_but_raw() {
    let folder = tempfile::Builder::new().prefix("day book %#?ä ").tempdir().unwrap();
    let input = events(30, DAY, 1, 100);
    let path = folder.path().join(key(0, "a"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, gzip(&[&lines(&input)[..], b"{}\n"].concat())).unwrap();
    let lake = Lake::open(folder.path()).await.unwrap();
    let raw = std::sync::Arc::new(DirRawLog::new(folder.path()));
    let summary = compact(&lake, raw, at(DAY), Options::default().forced(), &random).await.unwrap();
    assert_eq!((summary.counts.rows, summary.counts.quarantined), (100, 1));
    check_table(&lake, &input).await;
    let temporary = crate::support::files_below(folder.path()).into_iter().find(|file| file.ends_with(".tmp"));
    assert_eq!(temporary, None);
}

#[tokio::test]
async fn unknown_fields_do_not_matter_and_wrong_types_are_never_coerced() {
    let world = World::new().await;
    let input = events(31, DAY, 1, 3);
    let line = String::from_utf8(input[0].to_line()).unwrap();
    let newer = line.replacen('{', r#"{"later_field":{"a":[1,2]},"#, 1);
    let wrong = String::from_utf8(input[1].to_line()).unwrap().replace(r#""status":201"#, r#""status":"201""#);
    let missing = String::from_utf8(input[2].to_line()).unwrap().replace(r#""tenant":"#, r#""tenant_":"#);
    world.put(&key(0, "a"), gzip(format!("{newer}\n{wrong}\n{missing}\n").as_bytes()));
    let counts = world.compact().await.counts;
    assert_eq!((counts.rows, counts.quarantined), (1, 2));
    world.check(&input[..1]).await;
}

#[tokio::test]
async fn a_copied_lake_is_refused() {
    let world = World::new().await;
    world.put_events(&key(0, "a"), &events(40, DAY, 1, 10));
    world.compact().await;
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("lake")).unwrap();
    for file in std::fs::read_dir(world.folder.path().join("lake")).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), copy.path().join("lake").join(file.file_name())).unwrap();
        }
    }
    let error = Lake::open(copy.path()).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("absolute"), "{error}");
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_ends_with_whole_commits_and_the_next_one_goes_on() {
    let world = World::new().await;
    let input = events(50, DAY, 1_000_000, 1_800);
    for (index, part) in input.chunks(200).enumerate() {
        world.put_events(&key(index as i64, "a"), part);
    }
    let asked = std::sync::atomic::AtomicU32::new(0);
    let run = async |chunks: u32| {
        let options = Options { commit_bytes: 1, ..Options::default().forced() };
        let run = Compaction::new(&world.lake, world.raw(), options)
            .until(|| asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == chunks);
        run.run(at(DAY), &random).await.unwrap()
    };
    assert_eq!(run(0).await.commits, 0, "none is begun when the time is over");
    asked.store(0, std::sync::atomic::Ordering::Relaxed);
    let first = run(2).await;
    assert_eq!(first.commits, 2);
    assert_eq!(first.left.objects, 9 - first.counts.objects);
    asked.store(0, std::sync::atomic::Ordering::Relaxed);
    let second = run(u32::MAX).await;
    assert_eq!((second.counts.rows, second.left.objects), (1_800 - first.counts.rows, 0));
    world.check(&input).await;
}
