//! Two compactors, sixteen compactors, with Glue's versions enforced as AWS does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use compactor::{Compaction, Options, Step, Summary};
use event::Event;

use crate::support::{DAY, HOUR, at, events, key, lines, random};
use crate::world::World;

async fn put_all(world: &World) -> Vec<Event> {
    let input = events(1, DAY - HOUR, 10_000_000, 600);
    for (index, part) in input.chunks(100).enumerate() {
        world.put_events(&key(index as i64, "a"), part).await;
    }
    world.put_events(&key(99, "again"), &input[..150]).await;
    input
}

async fn race(count: usize, commit_bytes: u64) {
    let world = Arc::new(World::behind_proxy().await);
    let input = put_all(&world).await;
    let runs = (0..count).map(|_| {
        let world = world.clone();
        tokio::spawn(async move {
            world.try_compact(Options { commit_bytes, max_conflicts: 1_000, ..Options::default() }).await.unwrap()
        })
    });
    let mut summaries: Vec<Summary> = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        summaries.push(run.await.unwrap());
    }
    world.check(&input).await;
    let counts = world.counts().await;
    assert_eq!((counts.objects, counts.lines, counts.duplicates), (7, 750, 150));
    let rows: u64 = summaries.iter().map(|summary| summary.counts.rows).sum();
    assert_eq!(rows, 600, "each row was added by one of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once() {
    race(2, 512 << 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_at_once() {
    race(16, 1).await;
}

/// Another compactor commits after this one planned: its commit must be refused, with rows and without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_from_a_stale_plan_is_refused() {
    for (mine, theirs) in [(true, true), (true, false), (false, true)] {
        for step in [Step::Planned, Step::Written, Step::Consumed] {
            let world = Arc::new(World::behind_proxy().await);
            let input = events(2, DAY, 1, 100);
            let content = |rows: bool| if rows { lines(&input) } else { b"bad\n".to_vec() };
            world.put(&key(0, "mine"), content(mine)).await;
            let once = AtomicBool::new(true);
            let (other, content) = (world.clone(), content(theirs));
            let overtake = |at_step: Step| {
                if at_step == step && once.swap(false, Ordering::Relaxed) {
                    let (other, content) = (other.clone(), content.clone());
                    let other = std::thread::spawn(move || {
                        // The clients' connections belong to the runtime that made them: this one makes its own.
                        tokio::runtime::Runtime::new().unwrap().block_on(async {
                            let other = other.again().await;
                            other.put(&key(1, "theirs"), content).await;
                            other.compact().await
                        })
                    });
                    // The proxy lives on the test's runtime, whose thread must not be held meanwhile.
                    assert_eq!(tokio::task::block_in_place(|| other.join().unwrap()).commits, 1);
                }
                Ok(())
            };
            let lake = world.lake().await;
            let run = Compaction::new(&lake, world.raw(), Options::default().forced()).with_failpoint(overtake);
            let run = run.run(at(DAY), &random).await.unwrap();
            let case = format!("{step:?}, mine {mine}, theirs {theirs}");
            assert_eq!((run.overtaken, run.commits), (1, 0), "{case}");
            world.check(&input).await;
            assert_eq!(world.counts().await.objects, 2, "{case}");
        }
    }
}
