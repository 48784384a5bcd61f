//! Any bytes at all, over streams in memory, against the server's own connection: no panic, no request without an
//! event, no answer without one, and nothing that is not documented.
//!
//! As many of 100,000 inputs as there is time for; with `DAYBOOK_EDGE_INPUTS` so many, however long it takes.
//! `DAYBOOK_EDGE_SEED` is where they begin; what failed says its seed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use event::EventIds;
use ingest::assets::memory::MemoryAssets;
use ingest::http::cursor::Cursors;
use ingest::local::server::{Capacity, Limits, serve_stream};
use ingest::{Api, Parts, Settings, System};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::fresh::Fresh;
use crate::hostile::DOCUMENTED;
use crate::rig::redactor;

/// Inputs of a usual run.
const INPUTS: u64 = 100_000;
/// Time of a usual run.
const TIME: Duration = Duration::from_secs(8);
/// Threads that share them.
const THREADS: u64 = 2;

/// SplitMix64: an input is its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const HEADS: &[&str] =
    &["GET /health", "GET /tasks", "POST /data", "PUT /tasks/1", "HEAD /", "OPTIONS *", "CONNECT a:1"];
const FIELDS: &[&str] = &[
    "content-type: application/json",
    "content-length: 0",
    "content-length: 5",
    "transfer-encoding: chunked",
    "connection: close",
    "connection: keep-alive",
    "connection: upgrade",
    "upgrade: h2c",
    "expect: 100-continue",
    "x: \u{e9}",
    "idempotency-key: a",
];
const SCRAPS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"\r\n\r\n",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"0\r\n\r\n",
    b"5\r\nab",
    b"content-length: 1\r\n",
    b"content-length: 99999999999999999999\r\n",
    b"transfer-encoding: gzip\r\n",
    b"host: y\r\n",
    b" folded\r\n",
    b"a : b\r\n",
    b"-1",
    b"+",
    b"%",
    b"\xff\xfe",
    b"\x16\x03\x01",
    b"PRI * HTTP/2.0\r\n\r\n",
];

/// A request that is mostly good.
fn request(random: &mut Random, bytes: &mut Vec<u8>) {
    let body: &[u8] = random.one(&[&b""[..], br#"{"user_id":"u","message":"m"}"#, br#"{"task":"t"}"#, b"not json"]);
    bytes.extend_from_slice(random.one(HEADS).as_bytes());
    bytes.extend_from_slice(
        random.one(&[" HTTP/1.1\r\nhost: x\r\n", " HTTP/1.1\r\nHost: x\r\n", " HTTP/1.0\r\n"]).as_bytes(),
    );
    for _ in 0..random.below(3) {
        bytes.extend_from_slice(random.one(FIELDS).as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    match random.below(3) {
        0 => bytes.extend_from_slice(b"\r\n"),
        1 => bytes.extend_from_slice(&[format!("content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()),
        _ => {
            let chunk = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len().max(1));
            let body = if body.is_empty() { b"x" } else { body };
            bytes.extend_from_slice(&[chunk.as_bytes(), body, b"\r\n0\r\n\r\n"].concat());
        }
    }
}

fn input(seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::new();
    if random.below(8) == 0 {
        bytes.extend((0..random.below(200)).map(|_| random.next() as u8).collect::<Vec<u8>>());
        return bytes;
    }
    for _ in 0..1 + random.below(3) {
        request(&mut random, &mut bytes);
    }
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = random.next() as u8,
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 => {
                let until = at + random.below(bytes.len() - at + 1);
                let again = bytes[at..until].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                bytes.splice(at..at, random.one(SCRAPS).iter().copied());
            }
        }
    }
    bytes
}

struct Bench {
    api: Arc<Api>,
    store: Arc<Fresh>,
    capacity: Arc<Capacity>,
}

impl Bench {
    fn new() -> Self {
        let store: Arc<Fresh> = Arc::default();
        let api = Api::new(Parts {
            settings: Settings::default(),
            redactor: redactor(),
            cursors: Cursors::new([9; 32]),
            ids: EventIds::default(),
            system: System::real(),
            store: Arc::clone(&store) as _,
            sink: Arc::clone(&store) as _,
            assets: Arc::new(MemoryAssets::default()),
            queries: None,
            credentials: ingest::http::auth::Credentials::default(),
        });
        Self { api: Arc::new(api), store, capacity: Arc::new(Capacity::new(Limits::default())) }
    }

    /// Sends an input, cut as its seed says, and checks what came of it.
    async fn check(&self, seed: u64) {
        let bytes = input(seed);
        let mut random = Random(!seed);
        let (client, server) = duplex(1 + random.below(4_000));
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let served = serve_stream(server, peer, Arc::clone(&self.api), Arc::clone(&self.capacity));
        let (mut reading, mut writing) = tokio::io::split(client);
        let sent = async {
            for piece in bytes.chunks(1 + random.below(bytes.len().max(1))) {
                if writing.write_all(piece).await.is_err() {
                    break;
                }
            }
            let _ = writing.shutdown().await;
        };
        let mut answers = Vec::new();
        let read = async { reading.read_to_end(&mut answers).await };
        let served = tokio::spawn(served);
        let ((), read) = tokio::join!(sent, read);
        assert!(read.is_ok(), "seed {seed}: {read:?}");
        assert!(served.await.is_ok(), "seed {seed} panicked: {}", bytes.escape_ascii());
        self.compare(seed, &bytes, &answers);
    }

    fn compare(&self, seed: u64, bytes: &[u8], answers: &[u8]) {
        let events = self.store.take();
        let context = || format!("seed {seed}: {}\nanswered {}", bytes.escape_ascii(), answers.escape_ascii());
        let nothing = bytes.iter().all(|byte| b"\r\n".contains(byte)) && !bytes.starts_with(b"\n");
        assert!(!events.is_empty() || nothing, "no event: {}", context());
        let text = String::from_utf8_lossy(answers);
        let ids: Vec<&str> = text.split("\r\ndaybook-event-id: ").skip(1).map(|rest| &rest[..36]).collect();
        // Every final answer has a date.
        let answered = text.matches("\r\ndate: ").count();
        let known: Vec<String> = events.iter().map(|event| event.event_id.to_string()).collect();
        assert!(answered == ids.len() && ids == known, "{answered} {ids:?} {known:?} {}", context());
        for event in &events {
            let status = u16::try_from(event.status).unwrap();
            assert!(DOCUMENTED.contains(&status), "{status} {}", context());
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Checks every input of a thread's share; how many they were.
fn run(seeds: impl Iterator<Item = u64>, until: Option<Instant>) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (bench, mut checked) = (Bench::new(), 0);
        for seed in seeds.take_while(|_| until.is_none_or(|until| Instant::now() < until)) {
            let done = tokio::time::timeout(Duration::from_secs(30), bench.check(seed)).await;
            assert!(done.is_ok(), "seed {seed} hangs: {}", input(seed).escape_ascii());
            checked += 1;
        }
        checked
    })
}

#[test]
fn any_bytes_are_answered_recorded_or_nothing() {
    let wanted = number("DAYBOOK_EDGE_INPUTS");
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let first = number("DAYBOOK_EDGE_SEED").unwrap_or(clock << 20);
    let until = if wanted.is_none() { Some(Instant::now() + TIME) } else { None };
    let end = first + wanted.unwrap_or(INPUTS);
    let share = move |thread| (first + thread..end).step_by(usize::try_from(THREADS).unwrap());
    let threads: Vec<_> = (0..THREADS).map(|thread| std::thread::spawn(move || run(share(thread), until))).collect();
    let checked: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    eprintln!("{checked} inputs from seed {first}");
    assert!(checked > 1_000 || wanted.is_some(), "{checked}");
}
