//! However files, days and runs fall, the rows stay the same.

use std::time::Duration;

use compactor::UpkeepOptions;
use event::Event;
use proptest::prelude::*;

use super::{OLD, ONE_DAY, at_once, check_every_snapshot, essence, in_order, keep_up, tidy_after_a_commit, unnamed};
use crate::support::{World, events, key};

#[derive(Debug, Clone)]
struct Round {
    /// For each commit: its first day, over how many days its events are spread, how many there are.
    commits: Vec<(i64, i64, usize)>,
    settled: bool,
    keep_all: bool,
    memory: u64,
    target: u64,
}

fn round() -> impl Strategy<Value = Round> {
    let commit = (0..4_i64, 1..3_i64, 1..25_usize);
    (
        prop::collection::vec(commit, 0..7),
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(vec![256 << 20, 6 << 20]),
        prop::sample::select(vec![128 << 20, 150_000]),
    )
        .prop_map(|(commits, settled, keep_all, memory, target)| Round {
            commits,
            settled,
            keep_all,
            memory,
            target,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, fork: false, ..ProptestConfig::default() })]
    #[test]
    fn any_commits_and_runs_make_the_same_rows(rounds in prop::collection::vec(round(), 1..4), seed in 0..1_000_000_u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(rounds, seed));
    }
}

async fn play(rounds: Vec<Round>, seed: u64) {
    let world = World::new().await;
    let mut input: Vec<Event> = Vec::new();
    let mut number = 0;
    for round in rounds {
        for (day, days, count) in round.commits {
            number += 1;
            let step = days * ONE_DAY / count as i64;
            let some = events(seed + number, OLD + day * ONE_DAY + number as i64, step.max(1), count);
            world.put_events(&key(number as i64 % 20, &format!("{number}")), &some);
            world.compact().await;
            input.extend(some);
        }
        let before = essence(&world).await;
        let options = UpkeepOptions {
            settle: if round.settled { Duration::ZERO } else { Duration::MAX },
            keep: if round.keep_all { Duration::MAX } else { Duration::ZERO },
            memory: round.memory,
            target_bytes: round.target,
            ..at_once()
        };
        let summary = keep_up(&world, options.clone()).await;
        assert!(summary.files_after <= summary.files_before);
        assert_eq!(essence(&world).await, before);
        assert_eq!(keep_up(&world, options).await.rewrites, 0, "once is enough");
        check_every_snapshot(&world.lake.load().await.unwrap()).await;
        unnamed(&world).await;
    }
    input.extend(tidy_after_a_commit(&world).await);
    world.check(&input).await;
    let mut order = in_order(&world.lake.load().await.unwrap()).await;
    order.sort();
    order.dedup();
    assert_eq!(order.len(), input.len());
}
