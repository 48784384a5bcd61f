//! The store's reading side, open to any number of processes beside the one that writes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use event::EventId;
use rusqlite::{Connection, OptionalExtension};

use super::removal::{self, REMOVED_ID};
use super::{FILE, read, schema};
use crate::error::{Error, ErrorKind, Result};

/// Reads a store that this or another process writes. Sees what was committed before each call.
#[derive(Debug, Clone)]
pub struct SqliteReader {
    store_id: String,
    connections: Arc<Connections>,
}

/// Connections that only read, one for each read that is under way.
#[derive(Debug)]
struct Connections {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl SqliteReader {
    /// Opens the store of a data folder for reading.
    ///
    /// # Errors
    /// There is none, or it is not this version's.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let connection = schema::open_reader(&path)?;
        schema::check(&connection, &path)?;
        let store_id = connection
            .query_row("select value from meta where name = 'store_id'", [], |row| row.get(0))
            .map_err(read::failed)?;
        Ok(Self { store_id, connections: Arc::new(Connections { path, idle: Mutex::new(vec![connection]) }) })
    }

    /// The store's own name, part of the names of its raw objects.
    pub fn store_id(&self) -> &str {
        &self.store_id
    }

    /// The greatest event id so far; new ids must be above it.
    ///
    /// # Errors
    /// The database's.
    pub async fn last_event_id(&self) -> Result<Option<EventId>> {
        self.read(|connection| {
            let last: Option<[u8; 16]> = connection
                .query_row("select max(last_id) from batches", [], |row| row.get(0))
                .optional()
                .map_err(read::failed)?
                .flatten();
            let removed = removal::mark(connection, REMOVED_ID)?.and_then(|id| id.parse().ok());
            Ok(last.map(EventId::from_bytes).max(removed))
        })
        .await
    }

    /// Runs a read on a connection of its own, off the async threads. All of it sees the database at one moment.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connections = Arc::clone(&self.connections);
        tokio::task::spawn_blocking(move || connections.with(read))
            .await
            .map_err(|error| Error::new(ErrorKind::Unavailable, "a read was cut off").with_source(error))?
    }
}

impl Connections {
    fn with<T>(&self, task: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        let result = match connection.unchecked_transaction() {
            Ok(transaction) => task(&transaction),
            Err(error) => Err(read::failed(error)),
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        result
    }
}
