//! Killed between any two steps, and answers that are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use compactor::{Compaction, Error, ErrorKind, Lake, Options, Step, compact};
use futures::FutureExt;

use crate::faulty_catalog::{Fault, FaultyCatalog};
use crate::support::{DAY, World, at, events, key, lines, random};

#[tokio::test]
async fn killed_between_any_two_steps_the_next_run_makes_the_table_of_a_clean_one() {
    for step in Step::ALL {
        for chunk in 0..3 {
            let world = World::new().await;
            let input = events(1, DAY, 1_000_000, 600);
            for (index, part) in input.chunks(200).enumerate() {
                world.put_events(&key(index as i64, "a"), part);
            }
            world.put_events(&key(9, "again"), &input[150..250]);
            let passed = AtomicU32::new(0);
            let failpoint = |at: Step| {
                if at == step && passed.fetch_add(1, Ordering::Relaxed) == chunk {
                    return Err(Error::new(ErrorKind::Stopped, "killed"));
                }
                Ok(())
            };
            let options = Options { commit_bytes: 1, ..Options::default().forced() };
            let killed = Compaction::new(&world.lake, world.raw(), options).with_failpoint(failpoint);
            let killed = killed.run(at(DAY), &random).await;
            if chunk == 0 {
                assert_eq!(killed.unwrap_err().kind(), ErrorKind::Stopped, "{step:?}");
            }
            world.compact().await;
            world.check(&input).await;
            let counts = world.counts().await;
            assert_eq!((counts.objects, counts.lines, counts.duplicates), (4, 700, 100), "{step:?} of chunk {chunk}");
        }
    }
}

#[tokio::test]
async fn dropped_at_any_point_it_loses_nothing() {
    let world = World::new().await;
    let input = events(2, DAY, 1_000_000, 2_000);
    for (index, part) in input.chunks(100).enumerate() {
        world.put_events(&key(index as i64, "a"), part);
    }
    for micros in (0..40).map(|step| step * 1_500) {
        let run = world.compaction();
        let run = run.run(at(DAY), &random);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(micros), run).await;
    }
    world.compact().await;
    world.check(&input).await;
    assert_eq!(world.counts().await.objects, 20);
}

async fn with_fault(world: &World, fault: Fault) -> Lake {
    Lake::with_catalog(Arc::new(FaultyCatalog::new(world.lake.catalog().clone(), fault))).await.unwrap()
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_is_a_commit() {
    let world = World::new().await;
    let lake = with_fault(&world, Fault::LosesAnswer).await;
    let input = events(3, DAY, 1, 100);
    world.put_events(&key(0, "a"), &input);
    let options = Options::default().forced();
    let summary = Compaction::new(&lake, world.raw(), options).run(at(DAY), &random).await.unwrap();
    assert_eq!((summary.commits, summary.counts.rows), (1, 100));
    assert_eq!(world.compact().await.commits, 0);
    world.check(&input).await;
}

#[tokio::test]
async fn a_commit_that_was_not_made_is_an_error_and_can_be_repeated() {
    for (fault, message) in [(Fault::LosesRequest, "lost"), (Fault::Pretends, "did not keep")] {
        let world = World::new().await;
        let lake = with_fault(&world, fault).await;
        let input = events(4, DAY, 1, 100);
        world.put_events(&key(0, "a"), &input);
        let run = Compaction::new(&lake, world.raw(), Options::default().forced());
        let error = run.run(at(DAY), &random).await.unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains(message), "{error}");
        assert_eq!(run.run(at(DAY), &random).await.unwrap().counts.rows, 100);
        world.check(&input).await;
    }
}

/// The fence has let the commit pass, and only then another one comes: the gap that the catalog itself has to close.
#[tokio::test]
async fn a_commit_that_slips_in_behind_the_fence_is_met_by_the_catalog() {
    for (mine, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let world = World::new().await;
        let input = events(5, DAY, 1, 100);
        let content = |rows: bool| if rows { lines(&input) } else { b"bad\n".to_vec() };
        world.put(&key(0, "mine"), content(mine));
        let (other, raw, log, theirs_bytes) = (world.lake.clone(), world.raw(), world.log.clone(), content(theirs));
        let intrude = move || {
            let (other, raw) = (other.clone(), raw.clone());
            log.put(key(1, "theirs"), theirs_bytes.clone(), at(DAY));
            async move {
                let options = Options::default().forced();
                assert_eq!(compact(&other, raw, at(DAY), options, &random).await.unwrap().commits, 1);
            }
            .boxed()
        };
        let lake = with_fault(&world, Fault::Intrudes(Box::new(intrude))).await;
        let run = Compaction::new(&lake, world.raw(), Options::default().forced());
        let run = run.run(at(DAY), &random).await.unwrap();
        let case = format!("mine {mine}, theirs {theirs}");
        assert_eq!((run.overtaken, run.commits), (1, 0), "{case}");
        world.check(if mine || theirs { &input } else { &[] }).await;
        assert_eq!(world.counts().await.objects, 2, "{case}");
    }
}
