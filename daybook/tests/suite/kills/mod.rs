//! `daybook compact`, killed with SIGKILL at random moments while raw objects arrive, alone and two at once.
//!
//! In the end `daybook verify` holds, and table and counts are those of a folder that was compacted once (I2, I7, I8).
//! `DAYBOOK_TEST_CYCLES` sets how many processes are killed (36), `DAYBOOK_TEST_SEED` repeats a run's choices, and
//! `DAYBOOK_TEST_FOLDER` names a folder to be made and left behind, for others to read.

mod objects;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use compactor::Lake;
use event::{COLUMNS, sha256_hex};
use futures::TryStreamExt;
use serde_json::Value;

use crate::support::{Place, Random, daybook, program, wait};
use objects::Arrivals;

/// Processes that are killed without being told.
const KILLS: u64 = 36;
/// What one of them may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const SIGKILL: i32 = 9;

#[test]
fn compactions_killed_at_any_moment_make_the_table_of_one_that_was_not() {
    let kills = std::env::var("DAYBOOK_TEST_CYCLES").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let mut random = Random::of_test("kills");
    let (place, clean) = (Place::new(), Place::new());
    let data = std::env::var_os("DAYBOOK_TEST_FOLDER").map_or(place.data(), PathBuf::from);
    let mut arrivals = Arrivals::new(random.next(), &[&data, &clean.data()]);
    let (begun, span, mut cycles) = (Instant::now(), how_long_one_takes(random.next()), 0);
    let mut ends = Ends::default();
    while ends.killed < kills {
        arrivals.come(random.between(1, 4));
        let mut compactions: Vec<Child> =
            (0..1 + u64::from(cycles % 3 == 2)).map(|_| start(&data, &mut random)).collect();
        // Of two at once, the first is left alone every other time.
        if compactions.len() == 2 && cycles % 2 == 0 {
            ends.kill(&mut compactions.pop().unwrap(), span, &mut random);
            ends.spare(&mut compactions[0]);
        } else {
            compactions.iter_mut().for_each(|compaction| ends.kill(compaction, span, &mut random));
        }
        cycles += 1;
        if cycles % 10 == 0 {
            daybook(&data, &["verify"]).done();
        }
        assert!(cycles < 4 * kills + 20, "too few live long enough to be killed: {ends:?}");
    }
    daybook(&data, &["compact"]).done();
    daybook(&clean.data(), &["compact"]).done();
    daybook(&data, &["verify"]).done();
    check_same(&rows(&data), &rows(&clean.data()));
    let (facts, expect) = (facts(&data), facts(&clean.data()));
    assert_eq!(facts["compacted"], expect["compacted"]);
    let (commits, took) = (&facts["snapshots"]["count"], begun.elapsed());
    eprintln!("{ends:?} in {cycles} cycles, {took:?}; one alone takes {span:?}");
    eprintln!("{commits} snapshots; {}", facts["compacted"]);
}

/// How compactions ended.
#[derive(Debug, Default)]
struct Ends {
    killed: u64,
    /// Those that had come to their end before.
    too_late: u64,
    spared: u64,
}

impl Ends {
    /// Waits for a part of `span`, and kills.
    fn kill(&mut self, compaction: &mut Child, span: Duration, random: &mut Random) {
        sleep(span * u32::try_from(random.between(0, 1_050)).unwrap() / 1_000);
        // It may have ended.
        let _ = compaction.kill();
        let status = compaction.wait().unwrap();
        match (status.signal(), status.code()) {
            (Some(SIGKILL), _) => self.killed += 1,
            (None, Some(0)) => self.too_late += 1,
            _ => panic!("a compaction failed: {status}"),
        }
    }

    /// Lets it come to its end, which must be a good one.
    fn spare(&mut self, compaction: &mut Child) {
        assert_eq!(wait(compaction, LIMIT), Some(0), "beside one that was killed");
        self.spared += 1;
    }
}

/// A compaction in a process of its own.
fn start(data: &Path, random: &mut Random) -> Child {
    let memory = *random.choice(&["1MiB", "24MiB", "512MiB"]).unwrap();
    let mut command = program();
    command.args(["compact", "--log", "error", "--memory", memory, "--data"]).arg(data);
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// From start to end, with as many objects as a cycle brings.
fn how_long_one_takes(seed: u64) -> Duration {
    let place = Place::new();
    let mut arrivals = Arrivals::new(seed, &[&place.data()]);
    let times = (0..3).map(|_| {
        arrivals.come(3);
        let begun = Instant::now();
        daybook(&place.data(), &["compact"]).done();
        begun.elapsed()
    });
    times.max().unwrap()
}

/// What `daybook lake` says.
fn facts(data: &Path) -> Value {
    daybook(data, &["lake", "--json"]).json()
}

/// SHA-256 over all columns but `ingested_at` of each row, by event id.
fn rows(data: &Path) -> BTreeMap<String, String> {
    let columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).filter(|name| *name != "ingested_at").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let batches: Vec<RecordBatch> = runtime.block_on(async {
        let table = Lake::open(data).await.unwrap().load().await.unwrap();
        compactor::scan(&table, &columns).await.unwrap().try_collect().await.unwrap()
    });
    let mut rows = BTreeMap::new();
    let options = FormatOptions::new().with_null("null");
    for batch in &batches {
        let values: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let text: Vec<String> = values.iter().map(|value| value.value(row).to_string()).collect();
            let earlier = rows.insert(text[0].clone(), sha256_hex(format!("{text:?}").as_bytes()));
            assert!(earlier.is_none(), "{} is there twice", text[0]);
        }
    }
    rows
}

/// Fails with the first few that differ, not with all of them.
fn check_same(found: &BTreeMap<String, String>, expect: &BTreeMap<String, String>) {
    let other: Vec<_> = found.iter().filter(|(id, hash)| expect.get(*id) != Some(*hash)).take(3).collect();
    assert!(other.is_empty() && found.len() == expect.len(), "{} of {} rows: {other:?}", found.len(), expect.len());
}
