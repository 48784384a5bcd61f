//! Compactors, upkeep and readers, sixteen at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compactor::{Lake, Options, Upkeep, UpkeepOptions, UpkeepSummary, compact};

use super::{MINUTE, OLD, at_once, check_every_snapshot, commit_each, keep_up, now, tidy_after_a_commit, unnamed};
use crate::reader::reading_while;
use crate::support::{DAY, World, at, events, key, random};

/// Snapshots go at once; files stay for a minute, as long as any of these readers needs.
fn hasty() -> UpkeepOptions {
    UpkeepOptions { grace: Duration::from_secs(60), keep: Duration::from_secs(60), ..at_once() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_compactors_and_eight_in_upkeep_at_once() {
    let world = World::new().await;
    let mut input = commit_each(&world, 1, OLD, 60 * MINUTE, 6).await;
    for index in 0..10 {
        let some = events(500 + index, OLD + index as i64, 3_000_000, 50);
        world.put_events(&key(index as i64, &format!("new-{index}")), &some);
        input.extend(some);
    }
    world.put_events(&key(15, "again"), &input[..150]);
    let compactors = (0..8).map(|_| {
        let (folder, raw) = (world.folder.path().to_owned(), world.raw());
        tokio::spawn(async move {
            let lake = Lake::open(&folder).await.unwrap();
            let options = Options { memory: 1, max_conflicts: 10_000, ..Options::default().forced() };
            compact(&lake, raw, at(DAY), options, &random).await.unwrap();
        })
    });
    let done = Arc::new(AtomicBool::new(false));
    let keepers = (0..8).map(|_| {
        let (folder, done) = (world.folder.path().to_owned(), Arc::clone(&done));
        tokio::spawn(async move {
            let lake = Lake::open(&folder).await.unwrap();
            let upkeep = Upkeep::new(&lake, &folder, hasty()).unwrap();
            let mut sum = UpkeepSummary::default();
            loop {
                let last = done.load(Ordering::Relaxed);
                let run = upkeep.run(now(), &random).await.unwrap();
                sum.rewrites += run.rewrites;
                sum.overtaken += run.overtaken;
                if last {
                    return sum;
                }
                tokio::task::yield_now().await;
            }
        })
    });
    let (compactors, keepers): (Vec<_>, Vec<_>) = (compactors.collect(), keepers.collect());
    for compactor in compactors {
        compactor.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let mut rewrites = 0;
    for keeper in keepers {
        rewrites += keeper.await.unwrap().rewrites;
    }
    assert!(rewrites > 0);
    world.check(&input).await;
    assert_eq!(world.counts().await.duplicates, 150);
    check_every_snapshot(&world.lake.load().await.unwrap()).await;
    unnamed(&world).await;
    assert_eq!(keep_up(&world, at_once()).await.files_after, 1);
    input.extend(tidy_after_a_commit(&world).await);
    world.check(&input).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_all_rows_before_between_and_after() {
    let world = World::new().await;
    commit_each(&world, 2, OLD, 60 * MINUTE, 4).await;
    let work = async {
        for round in 0..6 {
            commit_each(&world, 10 + round, OLD, 60 * MINUTE, 2).await;
            let summary = keep_up(&world, UpkeepOptions { keep: Duration::from_secs(60), ..hasty() }).await;
            assert!(round > 0 || summary.rewrites == 1);
        }
    };
    assert!(reading_while(&world, Duration::from_millis(20), work).await.len() > 1);
}
