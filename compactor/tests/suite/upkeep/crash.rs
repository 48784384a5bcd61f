//! Killed between any two steps, overtaken, and answers that are lost.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use compactor::{Compaction, Error, ErrorKind, Lake, Options, Step, Upkeep, UpkeepStep, compact};

use super::{
    MINUTE, OLD, ONE_DAY, at_once, check_every_snapshot, commit_each, essence, file_count, keep_up, now, sql, tidy,
    tidy_after_a_commit, unnamed, upkeep,
};
use crate::support::{DAY, World, at, events, key, random};

#[tokio::test]
async fn killed_between_any_two_steps_nothing_is_lost_and_the_next_run_makes_it_good() {
    for step in UpkeepStep::ALL {
        let mut times = 0;
        loop {
            let world = World::new().await;
            let mut input = commit_each(&world, 1, OLD, 60 * MINUTE, 3).await;
            input.extend(commit_each(&world, 2, OLD + 3 * ONE_DAY, 60 * MINUTE, 2).await);
            let before = essence(&world).await;
            let passed = AtomicU32::new(0);
            let failpoint = |at: UpkeepStep| {
                if at == step && passed.fetch_add(1, Ordering::Relaxed) == times {
                    return Err(Error::new(ErrorKind::Stopped, "killed"));
                }
                Ok(())
            };
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            let killed = upkeep(&world, at_once()).with_failpoint(failpoint).run(now(), &random).await;
            let case = format!("{step:?}, time {times}");
            assert_eq!(essence(&world).await, before, "{case}");
            check_every_snapshot(&world.lake.load().await.unwrap()).await;
            unnamed(&world).await;
            let Err(error) = killed else {
                assert!(times > 0, "{case} is never reached");
                break;
            };
            assert_eq!(error.kind(), ErrorKind::Stopped);
            if times % 2 == 1 {
                // The compactor may be the first to come back.
                let more = events(99, OLD, 1_000, 10);
                world.put_events(&key(31, "first"), &more);
                world.compact().await;
                input.extend(more);
            }
            keep_up(&world, at_once()).await;
            world.check(&input).await;
            assert_eq!(file_count(&world).await, 2, "{case}");
            input.extend(tidy_after_a_commit(&world).await);
            world.check(&input).await;
            times += 1;
            if times == 5 {
                // Of many files that are deleted the first few tell all.
                break;
            }
        }
    }
}

#[tokio::test]
async fn dropped_at_any_point_it_loses_nothing() {
    let world = World::new().await;
    let mut input = commit_each(&world, 2, OLD, 60 * MINUTE, 4).await;
    for micros in (0..40).map(|step| step * 2_500) {
        let run = upkeep(&world, at_once());
        let _ = tokio::time::timeout(std::time::Duration::from_micros(micros), run.run(now(), &random)).await;
        unnamed(&world).await;
    }
    input.extend(tidy_after_a_commit(&world).await);
    world.check(&input).await;
}

/// A trigger in the catalog that makes moving the table fail, after it is done, before, or without a word.
async fn with_trigger(world: &World, when: &str, what: &str) {
    sql(world, &format!("create trigger fault {when} update on iceberg_tables begin select raise({what}); end")).await;
}

#[tokio::test]
async fn an_answer_lost_after_the_swap_is_a_swap() {
    let world = World::new().await;
    let input = commit_each(&world, 3, OLD, 60 * MINUTE, 4).await;
    with_trigger(&world, "after", "fail, 'the answer is lost'").await;
    let summary = keep_up(&world, at_once()).await;
    assert_eq!((summary.rewrites, summary.snapshots_expired, summary.overtaken), (1, 4, 0));
    assert_eq!(summary.files_after, 1);
    sql(&world, "drop trigger fault").await;
    world.check(&input).await;
    tidy(&world).await;
}

#[tokio::test]
async fn a_swap_that_was_not_made_is_an_error_deletes_nothing_and_can_be_repeated() {
    let world = World::new().await;
    let input = commit_each(&world, 4, OLD, 60 * MINUTE, 4).await;
    let before = unnamed(&world).await.len();
    with_trigger(&world, "before", "abort, 'no room'").await;
    let error = upkeep(&world, at_once()).run(now(), &random).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("no room"), "{error}");
    assert_eq!(unnamed(&world).await.len(), before + 5, "what was staged stays: a file, two manifests, list, metadata");
    sql(&world, "drop trigger fault").await;
    assert_eq!(tidy(&world).await.rewrites, 1);
    world.check(&input).await;
}

#[tokio::test]
async fn a_catalog_that_moved_nothing_means_overtaken_and_leaves_nothing() {
    let world = World::new().await;
    let input = commit_each(&world, 5, OLD, 60 * MINUTE, 4).await;
    let before = unnamed(&world).await.len();
    with_trigger(&world, "before", "ignore").await;
    let options = compactor::UpkeepOptions::default();
    let summary = upkeep(&world, options).run(now(), &random).await.unwrap();
    assert_eq!((summary.rewrites, summary.overtaken), (0, 1));
    assert_eq!(unnamed(&world).await.len(), before);
    sql(&world, "drop trigger fault").await;
    world.check(&input).await;
}

fn in_another_process(work: impl std::future::Future<Output = ()> + Send + 'static) {
    let other = std::thread::spawn(move || tokio::runtime::Runtime::new().unwrap().block_on(work));
    other.join().unwrap();
}

#[tokio::test]
async fn a_rewrite_overtaken_by_a_compaction_is_dropped_and_done_later() {
    for step in &UpkeepStep::ALL[..5] {
        let world = World::new().await;
        let mut input = commit_each(&world, 6, OLD, 60 * MINUTE, 4).await;
        let theirs = events(66, OLD, MINUTE, 10);
        world.put_events(&key(9, "theirs"), &theirs);
        input.extend(theirs);
        let before = unnamed(&world).await.len();
        let once = AtomicBool::new(true);
        let overtake = |at_step: UpkeepStep| {
            if at_step == *step && once.swap(false, Ordering::Relaxed) {
                let (folder, raw) = (world.folder.path().to_owned(), world.raw());
                in_another_process(async move {
                    let lake = Lake::open(&folder).await.unwrap();
                    let run = compact(&lake, raw, at(DAY), Options::default().forced(), &random).await.unwrap();
                    assert_eq!(run.commits, 1);
                });
            }
            Ok(())
        };
        let options = compactor::UpkeepOptions::default();
        let summary = upkeep(&world, options.clone()).with_failpoint(overtake).run(now(), &random).await.unwrap();
        assert_eq!((summary.rewrites, summary.overtaken, summary.files_after), (0, 1, 5), "{step:?}");
        assert_eq!(unnamed(&world).await.len(), before + 1, "{step:?}: only the consumed set that theirs replaced");
        world.check(&input).await;
        assert_eq!(keep_up(&world, options).await.files_after, 1);
        world.check(&input).await;
    }
}

#[tokio::test]
async fn a_compaction_overtaken_by_upkeep_plans_anew() {
    for step in [Step::Planned, Step::Encoded, Step::Written, Step::Consumed] {
        // With a rewrite, and with an expiry alone.
        for rewrite in [true, false] {
            let world = World::new().await;
            let mut input = commit_each(&world, 7, OLD, 60 * MINUTE, 4).await;
            let mine = events(77, OLD, MINUTE, 10);
            world.put_events(&key(9, "mine"), &mine);
            world.put_events(&key(9, "again"), &input[..30]);
            input.extend(mine);
            let once = AtomicBool::new(true);
            let overtake = |at_step: Step| {
                if at_step == step && once.swap(false, Ordering::Relaxed) {
                    let folder = world.folder.path().to_owned();
                    in_another_process(async move {
                        let lake = Lake::open(&folder).await.unwrap();
                        let settle = if rewrite { std::time::Duration::ZERO } else { std::time::Duration::MAX };
                        let options =
                            compactor::UpkeepOptions { settle, grace: std::time::Duration::from_secs(60), ..at_once() };
                        let run = Upkeep::new(&lake, &folder, options).unwrap().run(now(), &random).await.unwrap();
                        assert_eq!((run.rewrites, run.overtaken), (u64::from(rewrite), 0));
                        assert!(run.snapshots_expired > 0);
                    });
                }
                Ok(())
            };
            let run = Compaction::new(&world.lake, world.raw(), Options::default().forced()).with_failpoint(overtake);
            let run = run.run(at(DAY), &random).await.unwrap();
            assert_eq!((run.overtaken, run.commits, run.counts.duplicates), (1, 1, 30), "{step:?}, rewrite {rewrite}");
            world.check(&input).await;
            check_every_snapshot(&world.lake.load().await.unwrap()).await;
        }
    }
}
