//! The stores that the suite runs on.

use std::path::Path;
use std::sync::Arc;

use event::Event;
use ingest::store::memory::MemoryStore;
use ingest::store::sqlite::SqliteStore;
use ingest::store::{EventSink, EventStore};
use tempfile::TempDir;

use crate::rig::run;

/// A store of either kind.
pub enum Backend {
    Memory(Arc<MemoryStore>),
    Sqlite(Arc<SqliteStore>, TempDir),
}

impl Backend {
    pub fn memory() -> Self {
        Self::Memory(Arc::default())
    }

    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::Sqlite(Arc::new(SqliteStore::open(dir.path(), [1; 4]).unwrap()), dir)
    }

    /// The folder that it keeps files in, if it does.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Memory(_) => None,
            Self::Sqlite(_, dir) => Some(dir.path()),
        }
    }

    pub fn store(&self) -> Arc<dyn EventStore> {
        match self {
            Self::Memory(store) => Arc::clone(store) as _,
            Self::Sqlite(store, _) => Arc::clone(store) as _,
        }
    }

    pub fn sink(&self) -> Arc<dyn EventSink> {
        match self {
            Self::Memory(store) => Arc::clone(store) as _,
            Self::Sqlite(store, _) => Arc::clone(store) as _,
        }
    }

    /// Every event so far, in the order in which they became durable.
    pub async fn log(&self) -> Vec<Event> {
        match self {
            Self::Memory(store) => store.log(),
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
