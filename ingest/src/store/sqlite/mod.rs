//! Both ports on one machine: a SQLite database whose log is one gzip member per commit.

mod commit;
mod member;
mod outbox;
mod read;
mod reader;
mod schema;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use event::{Event, Timestamp};

use self::commit::{Change, Line, Outcome, Work};
use self::writer::Writer;
use super::{Append, Appended, EntityRef, EventSink, EventStore, Kept, ListQuery, Listed, Stored};
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::receipt::Receipt;

#[cfg(feature = "bench")]
pub use member::compress as compress_member;
pub use outbox::Batch;
pub use reader::SqliteReader;

/// The database's file name within the data folder.
const FILE: &str = "store.db";

/// The store and sink of one machine.
///
/// One process at a time has it open: a lock beside the database says so. Everything acknowledged survives a kill and
/// a power cut (`synchronous=FULL`).
#[derive(Debug)]
pub struct SqliteStore {
    folder: PathBuf,
    reader: SqliteReader,
    writer: Writer,
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in a data folder; creates it, or migrates an earlier version's.
    ///
    /// `random` names a new store; an existing one keeps its name.
    ///
    /// # Errors
    /// Another process has it open, a later version wrote it, it is no Daybook database, or the disk refuses.
    pub fn open(folder: &Path, random: [u8; 4]) -> Result<Self> {
        let unusable = |what: &str, error: std::io::Error| {
            Error::new(ErrorKind::Unusable, format!("cannot {what} {}", folder.display())).with_source(error)
        };
        files::create_folder_durably(folder).map_err(|error| unusable("create", error))?;
        let lock = lock(folder)?;
        let path = folder.join(FILE);
        let connection = schema::open_writer(&path, &event::hex(&random))?;
        // The file's name in its folder must survive a power cut, too.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unusable("sync", error))?;
        Ok(Self {
            folder: folder.to_owned(),
            reader: SqliteReader::open(folder)?,
            writer: Writer::start(connection)?,
            _lock: lock,
        })
    }

    /// Whether a data folder has a store.
    pub fn exists(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// The store's reading side.
    pub fn reader(&self) -> &SqliteReader {
        &self.reader
    }

    /// Whether the writer has stopped because it no longer knows what is on disk: nothing more will be acknowledged.
    pub fn has_failed(&self) -> bool {
        self.writer.has_failed()
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("store.lock");
    let held = |reason: String| Error::new(ErrorKind::Unusable, reason);
    let file = File::options().create(true).append(true).open(&path).map_err(|error| {
        held(format!("cannot write {}, as whoever uses the folder must", path.display())).with_source(error)
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            let reason = format!("{} is in use by another daybook process; stop it first", folder.display());
            Err(Error::new(ErrorKind::InUse, reason))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(held(format!("cannot lock {}", path.display())).with_source(error))
        }
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>> {
        let entity = entity.clone();
        self.reader.read(move |connection| read::load(connection, &entity)).await
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        match self.writer.run(Work::Append(Box::new(Change::from(append)))).await? {
            Outcome::Appended(appended) => Ok(appended),
            _ => Err(writer::stopped()),
        }
    }

    async fn kept(&self, scope: &str, now: Timestamp) -> Result<Option<Kept>> {
        let scope = scope.to_owned();
        self.reader.read(move |connection| read::kept(connection, &scope, now.micros())).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>> {
        let query = query.clone();
        self.reader.read(move |connection| read::list(connection, &query)).await
    }

    async fn history(&self, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
        let entity = entity.clone();
        self.reader.read(move |connection| read::history(connection, &entity, after, limit)).await
    }

    async fn set_aside(&self, key: &str, body: &[u8]) -> Result<()> {
        let (path, body) = (self.folder.join(key), body.to_vec());
        let written = tokio::task::spawn_blocking(move || files::write_durably(&path, &body)).await;
        written
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(|error| Error::new(ErrorKind::Unavailable, format!("cannot write {key}")).with_source(error))
    }

    async fn read_aside(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match tokio::fs::read(self.folder.join(key)).await {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::new(ErrorKind::Unavailable, format!("cannot read {key}")).with_source(error)),
        }
    }
}

#[async_trait]
impl EventSink for SqliteStore {
    async fn put(&self, events: Vec<Event>) -> Result<Vec<Receipt>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        match self.writer.run(Work::Put(events.iter().map(Line::of).collect())).await? {
            Outcome::Put(receipts) => Ok(receipts),
            _ => Err(writer::stopped()),
        }
    }
}
