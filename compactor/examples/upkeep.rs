//! A lake of many small commits, and its upkeep, to be measured from outside (`/usr/bin/time -v`) and to be read by
//! others (`make test-foreign`).
//!
//! ```sh
//! cargo run --release -p compactor --example upkeep -- make /tmp/small 100 10000
//! cargo run --release -p compactor --example upkeep -- keep /tmp/small 20
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use compactor::{Compaction, Lake, MemoryRawLog, Options, RawLog, Upkeep, UpkeepOptions};
use event::{Event, EventIds, Timestamp, key};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// `2020-01-01T22:00:00Z`, microseconds: two hours before a day's end.
const START: i64 = 1_577_916_000_000_000;
/// Events of a commit lie so far apart.
const STEP: i64 = 400_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", folder, commits, events] => make(Path::new(folder), commits.parse()?, events.parse()?).await,
        ["keep", folder, snapshots] => keep(Path::new(folder), snapshots.parse()?).await,
        _ => Err("usage: upkeep make FOLDER COMMITS EVENTS | upkeep keep FOLDER SNAPSHOTS".into()),
    }
}

/// Commits that overlap in time, over two or three days.
async fn make(folder: &Path, commits: usize, events: usize) -> Result<()> {
    let lake = Lake::open(folder).await?;
    let mut ids = EventIds::default();
    for commit in 0..commits {
        let log = Arc::new(MemoryRawLog::new());
        let start = START + commit as i64 * 600_000_000 % 86_400_000_000;
        let mut lines = Vec::new();
        for index in 0..events {
            let time = Timestamp::from_micros(start + index as i64 * STEP);
            lines.extend(one(&mut ids, time)?.to_line());
            lines.push(b'\n');
        }
        let arrived = now()?;
        log.put(key::raw(arrived, &event::hex(&random())), lines, arrived);
        let raw: Arc<dyn RawLog> = log;
        Compaction::new(&lake, raw, Options::default().forced()).run(arrived, &random).await?;
    }
    println!("{commits} commits of {events} events");
    Ok(())
}

/// Two runs that keep the newest `snapshots`: the second deletes what the first let go of.
async fn keep(folder: &Path, snapshots: usize) -> Result<()> {
    let lake = Lake::open(folder).await?;
    let none = Duration::ZERO;
    let options = UpkeepOptions { keep: none, grace: none, keep_least: snapshots, ..UpkeepOptions::default() };
    let upkeep = Upkeep::new(&lake, folder, options)?;
    println!("{:#?}", upkeep.run(now()?, &random).await?);
    println!("{:#?}", upkeep.run(now()?, &random).await?);
    Ok(())
}

fn one(ids: &mut EventIds, received_at: Timestamp) -> Result<Event> {
    let bytes = random();
    let noise: String = (0..12).flat_map(|_| random()).map(|byte| char::from(b'a' + byte % 26)).collect();
    let body = format!("{{\"note\":\"{noise} {}\"}}", "please deliver by monday ".repeat(20));
    Ok(Event {
        event_id: ids.next(received_at, random()),
        event_type: "data.submitted".to_owned(),
        schema_version: 1,
        received_at,
        tenant: format!("tenant-{}", bytes[0] % 5),
        request_id: event::hex(&random()),
        actor_type: "api_key".to_owned(),
        user_id: Some(format!("user-{}", bytes[1])),
        method: "POST".to_owned(),
        path: "/data".to_owned(),
        request_bytes: i64::try_from(body.len())?,
        request_body_encoding: "json".to_owned(),
        request_body_sha256: Some(event::sha256_hex(body.as_bytes())),
        request_body: Some(body),
        status: 201,
        duration_ms: f64::from(bytes[2]) / 10.0,
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "bench".to_owned(),
        ingest_path: "local".to_owned(),
        ..Event::default()
    }
    .sealed())
}

#[expect(clippy::disallowed_methods, reason = "this is a composition root")]
fn now() -> Result<Timestamp> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(Timestamp::from_micros(i64::try_from(now.as_micros())?))
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // Without randomness ids repeat, and a commit is refused by its files' names.
    let _ = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    bytes
}
