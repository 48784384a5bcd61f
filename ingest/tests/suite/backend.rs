//! The stores that the suite runs on.

use std::path::Path;
use std::sync::Arc;

use event::Event;
use ingest::System;
use ingest::assets::AssetStore;
use ingest::assets::memory::MemoryAssets;
use ingest::local::assets::Folder;
use ingest::store::memory::MemoryStore;
use ingest::store::sqlite::SqliteStore;
use ingest::store::{EventSink, EventStore};
use tempfile::TempDir;

use crate::rig::run;

/// A store of either kind.
pub enum Backend {
    Memory(Arc<MemoryStore>, Arc<MemoryAssets>),
    Sqlite(Arc<SqliteStore>, TempDir),
}

impl Backend {
    pub fn memory() -> Self {
        Self::Memory(Arc::default(), Arc::default())
    }

    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::Sqlite(Arc::new(SqliteStore::open(dir.path(), [1; 4]).unwrap()), dir)
    }

    /// The folder that it keeps files in, if it does.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Memory(..) => None,
            Self::Sqlite(_, dir) => Some(dir.path()),
        }
    }

    pub fn store(&self) -> Arc<dyn EventStore> {
        match self {
            Self::Memory(store, _) => Arc::clone(store) as _,
            Self::Sqlite(store, _) => Arc::clone(store) as _,
        }
    }

    pub fn sink(&self) -> Arc<dyn EventSink> {
        match self {
            Self::Memory(store, _) => Arc::clone(store) as _,
            Self::Sqlite(store, _) => Arc::clone(store) as _,
        }
    }

    /// Where the contents of its assets lie.
    pub fn assets(&self) -> Arc<dyn AssetStore> {
        match self {
            Self::Memory(_, assets) => Arc::clone(assets) as _,
            Self::Sqlite(store, _) => Arc::new(Folder::new(Arc::clone(store), [8; 32], System::real().random)),
        }
    }

    /// Uploads a content behind the API's back.
    pub async fn upload(&self, key: &str, content: &[u8]) {
        match self {
            Self::Memory(_, assets) => assets.put(key, content),
            Self::Sqlite(_, dir) => ingest::files::write_durably(&dir.path().join(key), content).unwrap(),
        }
    }

    /// Every event so far, in the order in which they became durable.
    pub async fn log(&self) -> Vec<Event> {
        match self {
            Self::Memory(store, _) => store.log(),
            Self::Sqlite(store, _) => {
                let batches = store.reader().batches(0, usize::MAX).await.unwrap();
                batches.iter().flat_map(|batch| batch.decode().unwrap()).collect()
            }
        }
    }
}

/// Runs a test on a store of each kind, on threads of its own.
pub fn on_both(test: impl AsyncFn(Backend)) {
    for backend in [Backend::memory, Backend::sqlite] {
        run(test(backend()));
    }
}
