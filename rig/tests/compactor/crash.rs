//! Killed between any two steps, and dropped anywhere.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use compactor::{Compaction, Error, ErrorKind, Options, Step};

use crate::support::{DAY, at, events, key, random};
use crate::world::World;

#[tokio::test]
async fn killed_between_any_two_steps_the_next_run_makes_the_table_of_a_clean_one() {
    for step in Step::ALL {
        for chunk in 0..2 {
            let world = World::new().await;
            let input = events(1, DAY, 1_000_000, 400);
            for (index, part) in input.chunks(200).enumerate() {
                world.put_events(&key(index as i64, "a"), part).await;
            }
            world.put_events(&key(9, "again"), &input[150..250]).await;
            let passed = AtomicU32::new(0);
            let failpoint = |at: Step| {
                if at == step && passed.fetch_add(1, Ordering::Relaxed) == chunk {
                    return Err(Error::new(ErrorKind::Stopped, "killed"));
                }
                Ok(())
            };
            let lake = world.lake().await;
            let options = Options { commit_bytes: 1, ..Options::default().forced() };
            let killed = Compaction::new(&lake, world.raw(), options).with_failpoint(failpoint);
            let killed = killed.run(at(DAY), &random).await;
            if chunk == 0 {
                assert_eq!(killed.unwrap_err().kind(), ErrorKind::Stopped, "{step:?}");
            }
            world.compact().await;
            world.check(&input).await;
            let counts = world.counts().await;
            assert_eq!((counts.objects, counts.lines, counts.duplicates), (3, 500, 100), "{step:?} of chunk {chunk}");
        }
    }
}

#[tokio::test]
async fn dropped_at_any_point_it_loses_nothing() {
    let world = World::new().await;
    let input = events(2, DAY, 1_000_000, 1_200);
    for (index, part) in input.chunks(100).enumerate() {
        world.put_events(&key(index as i64, "a"), part).await;
    }
    let lake = world.lake().await;
    for millis in (0..30).map(|step| step * 9) {
        let options = Options { commit_bytes: 1, ..Options::default().forced() };
        let run = Compaction::new(&lake, world.raw(), options);
        let _ = tokio::time::timeout(Duration::from_millis(millis), run.run(at(DAY), &random)).await;
    }
    world.compact().await;
    world.check(&input).await;
    assert_eq!(world.counts().await.objects, 12);
}
