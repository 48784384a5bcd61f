//! Makes raw objects of mixed traffic, or compacts a folder, to be measured from outside (`/usr/bin/time -v`).
//!
//! ```sh
//! cargo run --release -p compactor --example compact -- generate /tmp/day 1000000
//! cargo run --release -p compactor --example compact -- compact /tmp/day
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use compactor::{DirRawLog, Lake, Options, compact, counts, table_rows};
use event::{Event, EventIds, Timestamp, key};
use flate2::Compression;
use flate2::write::GzEncoder;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// `2026-11-20T00:00:00Z`, microseconds.
const DAY: i64 = 1_795_132_800_000_000;
const OBJECTS: u64 = 50;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate", folder, count] => generate(Path::new(folder), count.parse()?),
        ["compact", folder] => run(Path::new(folder)).await,
        _ => Err("usage: compact generate FOLDER EVENTS | compact compact FOLDER".into()),
    }
}

async fn run(folder: &Path) -> Result<()> {
    let lake = Lake::open(folder).await?;
    let raw = Arc::new(DirRawLog::new(folder));
    let now = Timestamp::from_micros(DAY + 86_400_000_000);
    let random = || {
        let mut bytes = [0; 16];
        // Without randomness the id repeats, and the commit is refused by its files' names.
        let _ = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
        bytes
    };
    let summary = compact(&lake, raw, now, Options::default().forced(), &random).await?;
    println!("{summary:#?}");
    let table = lake.load().await?;
    println!("{} rows, {:?}", table_rows(&table).await?, counts(&table)?);
    Ok(())
}

/// A day of `count` events in 50 objects; 1 % of them twice, 0.5 % late by up to three hours.
fn generate(folder: &Path, count: u64) -> Result<()> {
    let (mut random, mut ids) = (Random(1), EventIds::default());
    let mut late: Vec<(u64, Event)> = Vec::new();
    let step = 86_400_000_000 / count.max(1);
    let each = count.div_ceil(OBJECTS);
    for number in 0..OBJECTS {
        let arrival = Timestamp::from_micros(DAY + (number * each * step) as i64);
        let path = folder.join(key::raw(arrival, &format!("{number:05}")));
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        let mut object = GzEncoder::new(BufWriter::new(File::create(path)?), Compression::new(6));
        let (arrived, later) = late.into_iter().partition(|(due, _)| *due <= number || number == OBJECTS - 1);
        late = later;
        let arrived: Vec<(u64, Event)> = arrived;
        for (_, event) in &arrived {
            write(&mut object, event)?;
        }
        for index in number * each..((number + 1) * each).min(count) {
            let event = one(&mut random, &mut ids, Timestamp::from_micros(DAY + (index * step) as i64));
            if random.below(200) == 0 {
                late.push((number + random.below(6), event));
                continue;
            }
            write(&mut object, &event)?;
            if random.below(100) == 0 {
                write(&mut object, &event)?;
            }
        }
        object.finish()?.into_inner()?.sync_all()?;
    }
    println!("{count} events, {} of them not written since the day ended", late.len());
    Ok(())
}

fn write(object: &mut impl Write, event: &Event) -> Result<()> {
    object.write_all(&event.to_line())?;
    object.write_all(b"\n")?;
    Ok(())
}

fn one(random: &mut Random, ids: &mut EventIds, received_at: Timestamp) -> Event {
    let user = random.below(1_000) * random.below(1_000) / 1_000;
    let task = random.below(4) == 0;
    let words = ["invoice", "delivery", "address", "monday", "urgent", "please", "customer", "return", "order"];
    let text: Vec<&str> = (0..40).map(|_| words[random.below(9) as usize]).collect();
    let body = format!(
        "{{\"user\":{user},\"title\":\"{}\",\"note\":\"{}\",\"ref\":\"{:016x}\"}}",
        words[random.below(9) as usize],
        text.join(" "),
        random.next()
    );
    Event {
        event_id: ids.next(received_at, (u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes()),
        event_type: if task { "task.updated" } else { "data.submitted" }.to_owned(),
        schema_version: 1,
        received_at,
        tenant: format!("tenant-{}", user % 7),
        request_id: format!("{:032x}", u128::from(random.next()) << 64 | u128::from(random.next())),
        trace_id: Some(format!("{:032x}", u128::from(random.next()) << 64 | u128::from(random.next()))),
        actor_type: "api_key".to_owned(),
        actor_id: Some(format!("key-{}", user % 20)),
        api_key_id: Some(format!("key-{}", user % 20)),
        user_id: Some(format!("user-{user}")),
        client_ip: Some(format!("10.{}.{}.{}", user % 4, user % 250, random.below(250))),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36".to_owned()),
        host: Some("api.example.com".to_owned()),
        protocol: Some("HTTP/1.1".to_owned()),
        method: if task { "PUT" } else { "POST" }.to_owned(),
        route: Some(if task { "/tasks/{id}" } else { "/data" }.to_owned()),
        path: if task { format!("/tasks/{user}") } else { "/data".to_owned() },
        request_content_type: Some("application/json".to_owned()),
        request_headers: Some(r#"{"accept":["*/*"],"content-type":["application/json"]}"#.to_owned()),
        request_bytes: body.len() as i64,
        request_body_encoding: "json".to_owned(),
        request_body_sha256: Some(event::sha256_hex(body.as_bytes())),
        state_after: task.then(|| body.clone()),
        request_body: Some(body),
        status: if random.below(20) == 0 { 409 } else { 201 },
        duration_ms: random.below(40_000) as f64 / 1_000.0,
        response_bytes: Some(random.below(500) as i64),
        entity_type: task.then(|| "task".to_owned()),
        entity_id: task.then(|| user.to_string()),
        entity_version: task.then(|| 1 + random.below(90) as i64),
        operation: task.then(|| "update".to_owned()),
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "bench".to_owned(),
        ingest_path: "local".to_owned(),
        ..Event::default()
    }
    .sealed()
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
