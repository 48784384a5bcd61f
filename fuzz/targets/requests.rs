//! What a client sends, byte for byte: the server's own connection over a stream in memory.
//!
//! The first byte of an input says in which pieces the rest is sent. No panic, no hang; an event for everything but empty
//! lines; as many answers as events, each naming its own.
#![no_main]

/// The property test's own file.
#[path = "../../ingest/tests/suite/edge/fresh.rs"]
mod fresh;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use event::EventIds;
use event::redact::{Redactor, Rules};
use fresh::Fresh;
use ingest::assets::memory::MemoryAssets;
use ingest::http::cursor::Cursors;
use ingest::local::server::{Capacity, Limits, serve_stream};
use ingest::{Api, Parts, Settings, System};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::{Builder, Runtime};

struct Bench {
    runtime: Runtime,
    store: Arc<Fresh>,
    api: Arc<Api>,
}

thread_local! {
    static BENCH: Bench = Bench::new();
}

impl Bench {
    fn new() -> Self {
        let store: Arc<Fresh> = Arc::default();
        let api = Api::new(Parts {
            settings: Settings::default(),
            redactor: Redactor::new([7; 32], Rules::default()).expect("the default rules make patterns"),
            cursors: Cursors::new([9; 32]),
            ids: EventIds::default(),
            system: System::real(),
            store: Arc::clone(&store) as _,
            sink: Arc::clone(&store) as _,
            assets: Arc::new(MemoryAssets::default()),
            queries: None,
            credentials: ingest::http::auth::Credentials::default(),
        });
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { runtime, store, api: Arc::new(api) }
    }
}

/// Sends the bytes and the end, and gives all that comes back.
async fn exchange(bytes: &[u8], piece: usize, api: Arc<Api>) -> Vec<u8> {
    let (client, server) = duplex(16 * piece);
    let capacity = Arc::new(Capacity::new(Limits::default()));
    let served = tokio::spawn(serve_stream(server, IpAddr::V4(Ipv4Addr::LOCALHOST), api, capacity));
    let (mut reading, mut writing) = tokio::io::split(client);
    let mut answers = Vec::new();
    let send = async {
        for piece in bytes.chunks(piece) {
            if writing.write_all(piece).await.is_err() {
                break;
            }
        }
        let _ = writing.shutdown().await;
    };
    let ((), read) = tokio::join!(send, reading.read_to_end(&mut answers));
    read.expect("the server ends what it has begun");
    served.await.expect("no panic");
    answers
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    BENCH.with(|bench| {
        let exchanged = exchange(bytes, 1 + usize::from(*first), Arc::clone(&bench.api));
        let limited = async { tokio::time::timeout(Duration::from_secs(20), exchanged).await };
        let answers = bench.runtime.block_on(limited).expect("no hang");
        let text = String::from_utf8_lossy(&answers);
        let told: Vec<&str> = text.split("\r\ndaybook-event-id: ").skip(1).map(|rest| &rest[..36]).collect();
        let logged: Vec<String> = bench.store.take().iter().map(|event| event.event_id.to_string()).collect();
        assert_eq!(told, logged);
        assert_eq!(text.matches("\r\ndate: ").count(), logged.len(), "every final answer has a date");
        let is_nothing = bytes.iter().all(|byte| b"\r\n".contains(byte)) && !bytes.starts_with(b"\n");
        assert!(!logged.is_empty() || is_nothing);
    });
});
