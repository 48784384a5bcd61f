//! `bench serve sqlite|noop DIR HOST:PORT`: the API on the real store or on one that keeps nothing, to be compared.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use event::EventIds;
use event::redact::{Redactor, Rules};
use ingest::http::cursor::Cursors;
use ingest::local::server;
use ingest::store::noop::NoopStore;
use ingest::store::sqlite::SqliteStore;
use ingest::store::{EventSink, EventStore};
use ingest::{Api, Parts, Settings, System};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["serve", sink @ ("sqlite" | "noop"), folder, address] => run(sink, Path::new(folder), address),
        _ => Err("usage: bench serve sqlite|noop DIR HOST:PORT".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a benchmark speaks to whoever runs it")]
fn tell(text: &str) {
    eprintln!("bench: {text}");
}

fn run(sink: &str, folder: &Path, address: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match sink {
            "noop" => {
                let store = Arc::new(NoopStore);
                serve(Arc::clone(&store) as _, store as _, address).await
            }
            _ => {
                let store = Arc::new(SqliteStore::open(folder, [0; 4])?);
                serve(Arc::clone(&store) as _, store as _, address).await
            }
        }
    })
}

async fn serve(store: Arc<dyn EventStore>, sink: Arc<dyn EventSink>, address: &str) -> Result<(), Failure> {
    let api = Api::new(Parts {
        settings: Settings::default(),
        redactor: Redactor::new([1; 32], Rules::default())?,
        cursors: Cursors::new([2; 32]),
        ids: EventIds::default(),
        system: System::real(),
        store,
        sink,
        queries: None,
    });
    let listener = TcpListener::bind(address).await?;
    server::serve(listener, Arc::new(api), std::future::pending()).await;
    Ok(())
}
