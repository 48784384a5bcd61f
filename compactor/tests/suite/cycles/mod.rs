//! Cycle after cycle raw objects come, and the compactor or upkeep is ended anywhere: the table is that of one clean
//! run.
//!
//! `DAYBOOK_TEST_CYCLES` sets how many cycles there are (36), `DAYBOOK_TEST_SEED` repeats a run's choices.

mod objects;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use compactor::lake::{ConsumedSet, data_files};
use compactor::{
    Compaction, Counts, Error, ErrorKind, Lake, Limits, Options, QuarantinedLine, Result, Step, Upkeep, UpkeepOptions,
    UpkeepStep, count_raw, read_quarantine,
};
use event::{COLUMNS, sha256_hex};

use crate::support::{self, DAY, Random, World, at};
use crate::upkeep::{check_every_snapshot, keep_up, now, unnamed};
use objects::Sender;

/// Cycles without being told.
const CYCLES: u32 = 36;

/// How a run is ended.
#[derive(Debug, Clone, Copy)]
enum End<S> {
    /// When it comes to a step for so many times and once more, as a kill would.
    At(S, usize),
    /// After it has waited so often. What it had handed to other threads goes on.
    Dropped(u64),
}

/// A run that is to be ended, and the steps that it comes to.
struct Doomed<S> {
    end: End<S>,
    passed: Mutex<Vec<S>>,
}

/// What happened to the runs, by where they ended.
#[derive(Debug, Default)]
struct Ends(BTreeMap<String, u32>);

#[tokio::test]
async fn whatever_is_ended_anywhere_the_table_is_that_of_one_clean_run() {
    let (cycles, seed) = (setting("DAYBOOK_TEST_CYCLES").unwrap_or(CYCLES.into()), seed());
    println!("{cycles} cycles, DAYBOOK_TEST_SEED={seed}");
    let (mut random, mut sender, mut ends) = (Random(seed), Sender::new(!seed), Ends::default());
    let (world, clean) = (World::new().await, World::new().await);
    for cycle in 0..u32::try_from(cycles).unwrap() {
        for (key, bytes) in sender.objects(cycle) {
            world.put(&key, bytes.clone());
            clean.put(&key, bytes);
        }
        compact_in_part(&world, cycle, &mut random, &mut ends).await;
        if cycle % 3 == 2 {
            keep_up_in_part(&world, cycle, &mut random, &mut ends).await;
            unnamed(&world).await;
        }
        check_counts(&world).await;
    }
    world.compact().await;
    clean.compact().await;
    let expect = essence(&clean).await;
    assert_same(&essence(&world).await, &expect);
    keep_up(&world, UpkeepOptions { keep_least: 4, ..crate::upkeep::at_once() }).await;
    assert_same(&essence(&world).await, &expect);
    unnamed(&world).await;
    check_every_snapshot(&world.lake.load().await.unwrap()).await;
    println!("{:?}, rows {}, {ends:#?}", expect.counts, expect.rows.len());
    for step in Step::ALL {
        assert!(cycles < 12 || ends.0.contains_key(&format!("ended at {step:?}")), "never ended at {step:?}");
    }
}

/// A compaction that is ended: at each step in turn, or wherever chance has it.
async fn compact_in_part(world: &World, cycle: u32, random: &mut Random, ends: &mut Ends) {
    let options = Options {
        commit_bytes: pick(random, &[1, 20_000, 100_000, u64::MAX]),
        memory: pick(random, &[1, 12 << 20, 24 << 20, 512 << 20]),
        threads: pick(random, &[1, 2, 3]),
        ..Options::default().forced()
    };
    let step = Step::ALL[cycle as usize / 2 % Step::ALL.len()];
    let times = if cycle < 12 { 0 } else { random.below(3) as usize };
    let doomed = Doomed::new(if cycle.is_multiple_of(2) { End::At(step, times) } else { at_any_wait(random) });
    // A process of its own would have a handle of its own.
    let lake = Lake::open(world.folder.path()).await.unwrap();
    let run = Compaction::new(&lake, world.raw(), options).with_failpoint(|step| doomed.comes_to(step));
    ends.note("", doomed.ended(run.run(at(DAY), &support::random)).await);
}

/// The same of upkeep.
async fn keep_up_in_part(world: &World, cycle: u32, random: &mut Random, ends: &mut Ends) {
    let options = UpkeepOptions {
        target_bytes: pick(random, &[128 << 20, 200_000]),
        memory: pick(random, &[256 << 20, 6 << 20]),
        keep: pick(random, &[Duration::ZERO, Duration::MAX]),
        keep_least: pick(random, &[1, 5]),
        grace: pick(random, &[Duration::ZERO, Duration::from_secs(60)]),
        ..UpkeepOptions::default()
    };
    let step = UpkeepStep::ALL[cycle as usize / 6 % UpkeepStep::ALL.len()];
    let times = random.below(2) as usize;
    let doomed = Doomed::new(if cycle.is_multiple_of(2) { End::At(step, times) } else { at_any_wait(random) });
    let lake = Lake::open(world.folder.path()).await.unwrap();
    let upkeep = Upkeep::new(&lake, world.folder.path(), options).unwrap();
    let upkeep = upkeep.with_failpoint(|step| doomed.comes_to(step));
    ends.note("upkeep ", doomed.ended(upkeep.run(now(), &support::random)).await);
}

/// Sooner or later: a run waits some dozens of times, or some hundreds.
fn at_any_wait<S>(random: &mut Random) -> End<S> {
    let most = 8 << random.below(7);
    End::Dropped(1 + random.below(most))
}

impl<S: Copy + PartialEq + std::fmt::Debug> Doomed<S> {
    fn new(end: End<S>) -> Self {
        Self { end, passed: Mutex::default() }
    }

    fn comes_to(&self, step: S) -> Result<()> {
        let mut passed = self.passed.lock().unwrap();
        passed.push(step);
        match self.end {
            End::At(at, times) if at == step && passed.iter().filter(|step| **step == at).count() == times + 1 => {
                Err(Error::new(ErrorKind::Stopped, "killed"))
            }
            _ => Ok(()),
        }
    }

    /// Runs up to the end that it is meant to have, if it comes so far; says where that was.
    async fn ended<T>(&self, run: impl Future<Output = Result<T>>) -> String {
        let mut left = if let End::Dropped(waits) = self.end { waits } else { u64::MAX };
        let mut run = pin!(run);
        let outcome = std::future::poll_fn(|context| {
            let poll = run.as_mut().poll(context).map(Some);
            left -= 1;
            if poll.is_pending() && left == 0 { Poll::Ready(None) } else { poll }
        });
        let outcome = outcome.await;
        let last = self.passed.lock().unwrap().last().copied();
        match (outcome, self.end, last) {
            (None, _, None) => "dropped at the beginning".to_owned(),
            (None, _, Some(last)) => format!("dropped after {last:?}"),
            (Some(Ok(_)), ..) => "came to its own end".to_owned(),
            (Some(Err(error)), End::At(step, _), _) if error.kind() == ErrorKind::Stopped => {
                format!("ended at {step:?}")
            }
            (Some(Err(error)), ..) => panic!("{error}"),
        }
    }
}

impl Ends {
    fn note(&mut self, what: &str, place: String) {
        *self.0.entry(format!("{what}{place}")).or_default() += 1;
    }
}

/// Between any two cycles the table's account adds up, and its files have the rows that it says (I7).
async fn check_counts(world: &World) {
    let table = world.lake.load().await.unwrap();
    let counts = compactor::counts(&table).unwrap();
    assert_eq!(counts.lines, counts.rows + counts.duplicates + counts.quarantined, "{counts:?}");
    let rows: u64 = data_files(&table).await.unwrap().iter().map(|file| file.record_count()).sum();
    assert_eq!(rows, counts.rows);
}

/// All that two worlds must have in common.
struct Essence {
    /// SHA-256 over all columns but `ingested_at`, by event id.
    rows: BTreeMap<String, String>,
    counts: Counts,
    consumed: ConsumedSet,
    quarantined: Vec<QuarantinedLine>,
}

async fn essence(world: &World) -> Essence {
    let late = COLUMNS.iter().position(|column| column.name == "ingested_at").unwrap();
    let hashed = world.rows().await.into_iter().map(|(id, mut row)| {
        row[late] = None;
        (id, sha256_hex(format!("{row:?}").as_bytes()))
    });
    let (raw, mut quarantined) = (world.raw(), Vec::new());
    for object in raw.list_quarantine().await.unwrap() {
        quarantined.extend(read_quarantine(&raw, &object.key).await.unwrap());
    }
    let (counts, consumed) = (world.counts().await, ConsumedSet::of(&world.lake.load().await.unwrap()).await.unwrap());
    let counted = count_raw(&raw, &raw.list(None).await.unwrap(), Limits::default()).await.unwrap();
    assert_eq!((counts.objects, counts.lines), (counted.objects, counted.lines));
    assert_eq!(counts.quarantined, quarantined.len() as u64);
    Essence { rows: hashed.collect(), counts, consumed, quarantined }
}

/// Fails with the first few rows that differ, not with all of them.
fn assert_same(found: &Essence, expect: &Essence) {
    let differ = |(id, hash): &(&String, &String)| expect.rows.get(*id) != Some(*hash);
    let other: Vec<_> = found.rows.iter().filter(differ).map(|(id, _)| id).take(3).collect();
    let missing: Vec<_> = expect.rows.keys().filter(|id| !found.rows.contains_key(*id)).take(3).collect();
    assert!(other.is_empty() && missing.is_empty(), "other rows: {other:?}; missing: {missing:?}");
    assert_eq!(found.counts, expect.counts);
    assert_eq!(found.consumed, expect.consumed);
    assert_eq!(found.quarantined, expect.quarantined);
}

fn pick<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len() as u64) as usize]
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says for how long, and which choices to repeat")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn seed() -> u64 {
    setting("DAYBOOK_TEST_SEED").unwrap_or_else(|| Random(u64::try_from(now().micros()).unwrap()).next())
}
