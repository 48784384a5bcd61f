//! The API keys of one machine: a small file beside the store, that several programs may change while a server reads it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::http::auth::{ApiKey, KnownKeys};

/// The file's name in the data folder.
pub const FILE: &str = "keys.json";
/// What is locked while the file is changed; it holds nothing.
const LOCK: &str = "keys.lock";

/// The file of an installation.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
    lock: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    keys: Vec<ApiKey>,
}

impl KeyFile {
    /// The file of the installation in this folder, whether or not it is there.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join(FILE), lock: folder.join(LOCK) }
    }

    /// Every key that was ever made; none where there is no file.
    ///
    /// # Errors
    /// The file cannot be read, or was not written here: whom it would let in is not known.
    pub fn read(&self) -> Result<Vec<ApiKey>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("read", error)),
        };
        let content: Content = serde_json::from_slice(&text).map_err(|error| self.failed("understand", error))?;
        Ok(content.keys)
    }

    /// Takes the file for a change: whoever else wants to change it waits until this change is made or given up.
    ///
    /// # Errors
    /// The file cannot be locked or read.
    pub fn begin(&self) -> Result<KeyChange> {
        let lock = File::options().create(true).truncate(false).write(true).open(&self.lock);
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| self.failed("lock", error))?;
        Ok(KeyChange { keys: self.read()?, file: self.clone(), lock })
    }

    /// Changes the keys: one change at a time, whoever makes it.
    ///
    /// # Errors
    /// `change` refuses, and nothing has changed; or the file cannot be read or written.
    pub fn change<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut Vec<ApiKey>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let mut begun = self.begin()?;
        let done = change(&mut begun.keys)?;
        begun.make()?;
        Ok(done)
    }

    fn failed(&self, doing: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorKind::Unusable, format!("cannot {doing} {}", self.path.display())).with_source(error)
    }
}

/// A change under way. Dropped, it changes nothing.
#[derive(Debug)]
pub struct KeyChange {
    /// Every key that is to be there.
    pub keys: Vec<ApiKey>,
    file: KeyFile,
    lock: File,
}

impl KeyChange {
    /// Makes the change. A reader sees all of it or nothing, and it is on disk when this returns; only the owner may read
    /// the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn make(self) -> Result<()> {
        let Self { keys, file, lock } = self;
        let text = serde_json::to_string_pretty(&Content { keys }).map_err(|error| file.failed("write", error))?;
        files::write_secret_durably(&file.path, format!("{text}\n").as_bytes())
            .map_err(|error| file.failed("write", error))?;
        drop(lock);
        Ok(())
    }
}

/// The keys as a server has them: read anew whenever the file is another one.
#[derive(Debug)]
pub struct WatchedKeys {
    file: KeyFile,
    known: Arc<KnownKeys>,
    seen: Option<Stamp>,
}

/// What tells one state of the file from another: each is a file of its own, renamed into place.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: Option<SystemTime>,
    bytes: u64,
}

impl WatchedKeys {
    /// Reads the keys for the first time.
    ///
    /// # Errors
    /// As [`KeyFile::read`].
    pub fn new(file: KeyFile) -> Result<Self> {
        let mut watched = Self { file, known: Arc::default(), seen: None };
        watched.look()?;
        Ok(watched)
    }

    /// The keys, which change as the file does.
    pub fn known(&self) -> Arc<KnownKeys> {
        Arc::clone(&self.known)
    }

    /// Looks whether the file has changed, and takes over what it says; true if it had.
    ///
    /// # Errors
    /// As [`KeyFile::read`]; the keys before stay in force, and the next look tries again.
    pub fn look(&mut self) -> Result<bool> {
        // Taken before the file is read: a change in between is seen by the next look.
        let stamp = stamp(&self.file.path).map_err(|error| self.file.failed("look at", error))?;
        if stamp == self.seen {
            return Ok(false);
        }
        self.known.set(self.file.read()?);
        self.seen = stamp;
        Ok(true)
    }
}

fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(metadata) => {
            #[cfg(unix)]
            let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
            #[cfg(not(unix))]
            let inode = 0;
            Ok(Some(Stamp { inode, modified: metadata.modified().ok(), bytes: metadata.len() }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::Scope;

    fn key(id: &str) -> ApiKey {
        let (id, tenant) = (id.to_owned(), "t".to_owned());
        let (created_at, expires_at, revoked_at) = (None, None, None);
        ApiKey { id, tenant, scope: Scope::Read, sha256: [7; 32], created_at, expires_at, revoked_at }
    }

    fn add(file: &KeyFile, id: &str) -> Result<()> {
        file.change(|keys| {
            keys.push(key(id));
            Ok::<_, Error>(())
        })
    }

    #[test]
    fn changes_of_many_at_once_are_all_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let file = &file;
                scope.spawn(move || (0..8).for_each(|n| add(file, &format!("{thread}-{n}")).unwrap()));
            }
        });
        assert_eq!(file.read().unwrap().len(), 32);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        add(&file, "a").unwrap();
        let refused = file.change(|keys| {
            keys.clear();
            Err::<(), _>(Error::new(ErrorKind::Unusable, "no"))
        });
        assert!(refused.is_err());
        assert_eq!(file.read().unwrap(), [key("a")]);
    }

    #[test]
    fn a_watcher_sees_each_state_once_and_keeps_the_last_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        let mut watched = WatchedKeys::new(file.clone()).unwrap();
        assert!(!watched.look().unwrap() && !watched.known().are_there());
        add(&file, "a").unwrap();
        assert!(watched.look().unwrap() && !watched.look().unwrap() && watched.known().are_there());
        fs::write(folder.path().join(FILE), "{\"keys\":[{\"id\":\"a\",\"role\":\"root\"}]}").unwrap();
        assert!(watched.look().is_err() && watched.look().is_err() && watched.known().are_there());
        fs::remove_file(folder.path().join(FILE)).unwrap();
        assert!(watched.look().unwrap() && watched.known().are_there(), "a lost file lets nobody in");
        assert!(WatchedKeys::new(file).is_ok_and(|new| !new.known().are_there()));
    }
}
