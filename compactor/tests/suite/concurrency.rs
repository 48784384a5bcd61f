//! Two compactors, sixteen compactors, and readers in between.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compactor::{Compaction, Lake, Options, Step, Summary, compact};
use event::Event;

use crate::reader::reading_while;
use crate::support::{DAY, World, at, events, key, random};

/// Runs `count` compactors at once, each with its own handle on the lake, and returns what they did.
async fn race(world: &World, count: usize, commit_bytes: u64) -> Vec<Summary> {
    let runs = (0..count).map(|_| {
        let (folder, raw) = (world.folder.path().to_owned(), world.raw());
        tokio::spawn(async move {
            let lake = Lake::open(&folder).await.unwrap();
            let options = Options { commit_bytes, max_conflicts: 1_000, ..Options::default().forced() };
            compact(&lake, raw, at(DAY), options, &random).await.unwrap()
        })
    });
    let mut summaries = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        summaries.push(run.await.unwrap());
    }
    summaries
}

fn put_all(world: &World, objects: usize) -> Vec<Event> {
    let input = events(1, DAY - 3_600_000_000, 10_000_000, objects * 100);
    for (index, part) in input.chunks(100).enumerate() {
        world.put_events(&key(index as i64, "a"), part);
    }
    world.put_events(&key(99, "again"), &input[..150]);
    input
}

async fn check_race(world: &World, input: &[Event], summaries: &[Summary]) {
    world.check(input).await;
    let counts = world.counts().await;
    assert_eq!((counts.lines, counts.duplicates), (input.len() as u64 + 150, 150));
    let rows: u64 = summaries.iter().map(|summary| summary.counts.rows).sum();
    assert_eq!(rows, input.len() as u64, "each row was added by one of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once() {
    let world = World::new().await;
    let input = put_all(&world, 6);
    let summaries = race(&world, 2, 512 << 20).await;
    check_race(&world, &input, &summaries).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_at_once_with_several_commits_each() {
    let world = World::new().await;
    let input = put_all(&world, 6);
    let summaries = race(&world, 16, 1).await;
    check_race(&world, &input, &summaries).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_open_an_absent_lake_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let opened = (0..16).map(|_| {
        let folder = folder.path().to_owned();
        tokio::spawn(async move { Lake::open(&folder).await.unwrap().load().await.unwrap().metadata().uuid() })
    });
    let mut tables = std::collections::HashSet::new();
    for table in opened.collect::<Vec<_>>() {
        tables.insert(table.await.unwrap());
    }
    assert_eq!(tables.len(), 1, "all of them have the same table");
}

/// Another compactor commits after this one planned: its commit must be refused, with rows and without.
#[tokio::test]
async fn a_commit_from_a_stale_plan_is_refused() {
    for (mine, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        for step in [Step::Planned, Step::Encoded, Step::Written, Step::Consumed] {
            let world = World::new().await;
            let input = events(2, DAY, 1, 100);
            let content = |rows: bool| if rows { crate::support::lines(&input) } else { b"bad\n".to_vec() };
            world.put(&key(0, "mine"), content(mine));
            let (folder, raw, other) = (world.folder.path().to_owned(), world.raw(), content(theirs));
            let log = world.log.clone();
            let once = AtomicBool::new(true);
            let overtake = |at_step: Step| {
                if at_step == step && once.swap(false, Ordering::Relaxed) {
                    log.put(key(1, "theirs"), other.clone(), at(DAY));
                    let (folder, raw) = (folder.clone(), raw.clone());
                    let other = std::thread::spawn(move || {
                        let runtime = tokio::runtime::Runtime::new().unwrap();
                        runtime.block_on(async {
                            let lake = Lake::open(&folder).await.unwrap();
                            compact(&lake, raw, at(DAY), Options::default().forced(), &random).await.unwrap()
                        })
                    });
                    assert_eq!(other.join().unwrap().commits, 1);
                }
                Ok(())
            };
            let run = world.compaction().with_failpoint(overtake).run(at(DAY), &random).await.unwrap();
            let case = format!("{step:?}, mine {mine}, theirs {theirs}");
            assert_eq!((run.overtaken, run.commits), (1, 0), "{case}");
            world.check(if mine || theirs { &input } else { &[] }).await;
            assert_eq!(world.counts().await.objects, 2, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_old_or_new() {
    let world = World::new().await;
    let input = events(3, DAY, 1_000_000, 1_000);
    for (index, part) in input.chunks(100).enumerate() {
        world.put_events(&key(index as i64, "a"), part);
    }
    let options = Options { commit_bytes: 1, ..Options::default().forced() };
    let work = async {
        Compaction::new(&world.lake, world.raw(), options).run(at(DAY), &random).await.unwrap();
    };
    let seen = reading_while(&world, Duration::ZERO, work).await;
    assert!(seen.values().all(|rows| rows % 100 == 0), "{seen:?}");
    world.check(&input).await;
}
