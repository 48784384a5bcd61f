//! Both ports on one machine: a SQLite database whose log is one gzip member per commit.

mod batch;
mod checksum;
mod commit;
mod fault;
mod gather;
mod group;
mod job;
mod member;
mod name;
mod outbox;
mod place;
mod queue;
mod read;
mod reader;
mod recent;
mod removal;
mod retention;
mod schema;
mod soundness;
mod standing;
mod versions;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use event::{Event, Sealed, Timestamp};

use self::batch::Line;
use self::commit::{Change, Outcome, Work};
use self::place::Place;
use self::recent::Recent;
use self::standing::Standing;
use self::writer::Writer;
use super::{Append, Appended, EntityRef, EventSink, EventStore, Kept, ListQuery, Listed, Stored};
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::receipt::Receipt;

#[cfg(feature = "bench")]
pub use member::compress as compress_member;
pub use outbox::{Batch, Extent, REPLAYED};
pub use reader::SqliteReader;
pub use removal::{Holding, Removal};
pub use retention::Due;
pub use soundness::Soundness;

/// The database's file name within the data folder.
const FILE: &str = "store.db";
/// The file that the one process that writes has locked.
const LOCK: &str = "store.lock";

/// The store and sink of one machine.
///
/// One process at a time has it open: a lock beside the database says so. Everything acknowledged survives a kill and
/// a power cut (`synchronous=FULL`).
#[derive(Debug)]
pub struct SqliteStore {
    folder: PathBuf,
    reader: SqliteReader,
    writer: Writer,
    standing: Arc<Standing>,
    recent: Arc<Recent>,
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in a data folder; creates it, or migrates an earlier version's.
    ///
    /// `random` names a new store; an existing one keeps its name. A folder that had a store never gets a new one in its
    /// place: what was acknowledged would seem never to have been.
    ///
    /// # Errors
    /// Another process has it open, a later version wrote it, it is no Daybook database, it is gone or not the one that
    /// was there, or the disk refuses.
    pub fn open(folder: &Path, random: [u8; 4]) -> Result<Self> {
        let unusable = |what: &str, error: std::io::Error| {
            Error::new(ErrorKind::Unusable, format!("cannot {what} {}", folder.display())).with_source(error)
        };
        files::create_folder_durably(folder).map_err(|error| unusable("create", error))?;
        let lock = lock(folder)?;
        let path = folder.join(FILE);
        let known = name::known(folder)?;
        if known.is_some() && schema::is_empty(&path)? {
            return Err(name::refusal(folder, "is empty"));
        }
        let connection = schema::open_writer(&path, &event::hex(&random))?;
        let reader = SqliteReader::open(folder)?;
        if known.as_deref().is_some_and(|known| known != reader.store_id()) {
            return Err(name::refusal(folder, "is another store's"));
        }
        // The file's name in its folder must survive a power cut, too.
        files::sync_folder(folder).map_err(|error| unusable("sync", error))?;
        if known.is_none() {
            name::remember(folder, reader.store_id())?;
        }
        let place = Place::of(&path, &folder.join(LOCK)).map_err(|error| unusable("find the store in", error))?;
        let standing = Arc::new(Standing::default());
        let recent = Arc::new(Recent::default());
        let writer = Writer::start(connection, place, Arc::clone(&standing), Arc::clone(&recent))?;
        Ok(Self { folder: folder.to_owned(), reader, writer, standing, recent, _lock: lock })
    }

    /// Whether a data folder has a store.
    pub fn exists(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// The store's reading side.
    pub fn reader(&self) -> &SqliteReader {
        &self.reader
    }

    /// Why nothing more will be acknowledged, once it is not known any more what is on disk.
    pub fn failure(&self) -> Option<&str> {
        let panicked = self.writer.has_failed().then_some("its writer has panicked");
        self.standing.ended().or(panicked)
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it: what is on disk is not known any more, and nothing more is acknowledged.
    pub(crate) fn end(&self, why: String) {
        self.standing.end(why);
    }

    /// Writes a file of the folder durably. After a failed sync the store acknowledges nothing more.
    ///
    /// # Errors
    /// The disk's; the file is then not there, unless the sync of its folder failed.
    pub(crate) async fn write_file(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        let path = self.folder.join(key);
        let written = tokio::task::spawn_blocking(move || files::write_durably(&path, &bytes)).await;
        let error = match written.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let lost = files::is_lost_sync(&error);
        if lost {
            self.standing.end(format!("{key} could not be synced: {error}"));
        }
        let kind = if lost { ErrorKind::Unknown } else { ErrorKind::Unavailable };
        Err(Error::new(kind, format!("cannot write {key}")).with_source(error))
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
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
        if let Some(stored) = self.recent.get(entity) {
            return Ok(Some(stored));
        }
        let entity = entity.clone();
        self.reader.read(move |connection| read::load(connection, &entity)).await
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        match self.writer.run(Work::Append(Box::new(Change::from(append)))).await? {
            Outcome::Appended(appended) => Ok(appended),
            _ => Err(self.standing.stopped()),
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
        self.write_file(key, body.to_vec()).await
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
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        match self.writer.run(Work::Put(events.into_iter().map(Line::of).collect())).await? {
            Outcome::Put(receipts) => Ok(receipts),
            _ => Err(self.standing.stopped()),
        }
    }
}
