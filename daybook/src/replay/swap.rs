//! Putting a rebuilt database in the place of the one that is there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use event::Timestamp;
use ingest::store::sqlite::{SqliteReader, SqliteStore};

use super::Rebuilt;
use crate::failure::{Failure, Result};
use crate::installation::Installation;

const STORE: &str = "store.db";
/// The name of the store, by which a database that is gone or another one's is missed.
const NAME: &str = "store.id";

/// The lock of a data folder's store: no server starts while it is held.
#[derive(Debug)]
pub struct Held {
    folder: PathBuf,
    _lock: File,
}

impl Held {
    /// Takes the lock.
    ///
    /// # Errors
    /// A server, or another command, has it.
    pub fn of(installation: &Installation) -> Result<Self> {
        let folder = installation.folder().to_owned();
        let path = folder.join("store.lock");
        let cannot = |error: std::io::Error| Failure::while_(format_args!("lock {}", path.display()))(error);
        let lock = File::options().create(true).append(true).open(&path).map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => {
                let folder = folder.display();
                Err(Failure::new(format!("{folder} is in use by another daybook process; stop it first")))
            }
            Err(fs::TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// Reads the database that is there, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub fn present(&self) -> Result<Option<SqliteReader>> {
        SqliteStore::exists(&self.folder).then(|| SqliteReader::open(&self.folder)).transpose().map_err(Failure::from)
    }

    /// Puts the rebuilt database in the place of the one that is there, in one step; gives the name under which that
    /// one is kept.
    ///
    /// A crash leaves either of them, whole.
    ///
    /// # Errors
    /// The database that is there was not closed cleanly, or the disk refuses. Then nothing is changed.
    pub fn swap(&self, rebuilt: &Rebuilt, now: Timestamp) -> Result<Option<PathBuf>> {
        let (old, new) = (self.folder.join(STORE), rebuilt.folder.join(STORE));
        for path in [beside(&old, "-wal"), beside(&new, "-wal")] {
            if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 0) {
                let path = path.display();
                return Err(Failure::new(format!(
                    "{path} holds changes that its database lacks; start and stop the server"
                )));
            }
        }
        let failed = |error: std::io::Error| Failure::while_("put the new database in place")(error);
        File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
        let kept = match old.exists() {
            true => {
                let name: String = now.to_seconds_string().chars().filter(char::is_ascii_alphanumeric).collect();
                let kept = beside(&old, &format!(".replaced-{name}"));
                fs::hard_link(&old, &kept).map_err(failed)?;
                Some(kept)
            }
            false => None,
        };
        for log in ["-wal", "-shm"] {
            // Empty, or for the readers of the old one alone.
            let _ = fs::remove_file(beside(&old, log));
        }
        // A database without a name may be opened, one of another name may not: the old name goes first.
        let name = self.folder.join(NAME);
        if name.exists() {
            fs::remove_file(&name).and_then(|()| self.sync()).map_err(failed)?;
        }
        fs::rename(&new, &old).and_then(|()| self.sync()).map_err(failed)?;
        fs::rename(rebuilt.folder.join(NAME), &name).and_then(|()| self.sync()).map_err(failed)?;
        Ok(kept)
    }

    fn sync(&self) -> std::io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
