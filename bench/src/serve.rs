//! `bench serve sqlite|noop DIR HOST:PORT`: the API on the real store or on one that keeps nothing, to be compared.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use event::EventIds;
use event::redact::{Redactor, Rules};
use ingest::assets::memory::MemoryAssets;
use ingest::http::cursor::Cursors;
use ingest::local::server::{self, Capacity, Limits};
use ingest::store::noop::NoopStore;
use ingest::store::sqlite::SqliteStore;
use ingest::store::{EventSink, EventStore};
use ingest::{Api, Parts, Settings, System};

use crate::Failure;

/// What to serve.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where events go
    store: Store,
    /// Gets the store's database
    folder: PathBuf,
    /// HOST:PORT to listen on
    address: std::net::SocketAddr,
    /// Most connections
    #[arg(long, default_value_t = Limits::default().connections)]
    connections: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Store {
    Sqlite,
    Noop,
}

/// Serves until it is killed.
pub async fn serve(args: &Serve) -> Result<(), Failure> {
    let (store, sink): (Arc<dyn EventStore>, Arc<dyn EventSink>) = match args.store {
        Store::Noop => (Arc::new(NoopStore), Arc::new(NoopStore)),
        Store::Sqlite => {
            let store = Arc::new(SqliteStore::open(&args.folder, [0; 4])?);
            (Arc::clone(&store) as _, store)
        }
    };
    let api = Api::new(Parts {
        settings: Settings::default(),
        redactor: Redactor::new([1; 32], Rules::default())?,
        cursors: Cursors::new([2; 32]),
        ids: EventIds::default(),
        system: System::real(),
        store,
        sink,
        assets: Arc::new(MemoryAssets::default()),
        queries: None,
        credentials: ingest::http::auth::Credentials::default(),
    });
    let listener = server::listen(args.address)?;
    let capacity = Arc::new(Capacity::new(Limits { connections: args.connections, ..Limits::default() }));
    let counted = Arc::clone(&capacity);
    let api = api.with_health(Box::new(move || counted.report()));
    server::serve(listener, Arc::new(api), capacity, std::future::pending()).await;
    Ok(())
}
