//! A content between the client and its name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use sha2::{Digest, Sha256};

use super::blocking;
use super::under_way::Entry;
use crate::files;
use crate::store::sqlite::SqliteStore;

/// A content on its way to the disk, under a name that is no asset's. Removed when it is dropped.
#[derive(Debug)]
pub struct Draft {
    store: Arc<SqliteStore>,
    file: File,
    aside: PathBuf,
    target: PathBuf,
    hash: Sha256,
    size: u64,
    /// Given up after the file is gone.
    _entry: Entry,
}

/// A content that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them, hex.
    pub sha256: String,
}

impl Draft {
    pub(super) fn create(store: Arc<SqliteStore>, target: PathBuf, random: &str, entry: Entry) -> io::Result<Self> {
        let folder = target.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
        files::create_folder_durably(folder).inspect_err(|error| end_if_lost(&store, folder, error))?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = target.with_file_name(format!(".{name}.{random}.tmp"));
        let file = File::options().write(true).create_new(true).open(&aside)?;
        Ok(Self { store, file, aside, target, hash: Sha256::new(), size: 0, _entry: entry })
    }

    /// Writes the next bytes; gives them back to be used again.
    ///
    /// # Errors
    /// The disk's; the draft is gone then.
    pub async fn write(mut self, bytes: BytesMut) -> io::Result<(Self, BytesMut)> {
        blocking(move || {
            self.file.write_all(&bytes)?;
            self.hash.update(&bytes);
            self.size += bytes.len() as u64;
            Ok((self, bytes))
        })
        .await
    }

    /// Makes it the content at its key: on disk, with its name, when this returns. What lies there already stays.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists), or the disk's; there is no content then. After a failed sync of
    /// its folder nobody can say whether there is one, and the store acknowledges nothing more.
    pub async fn keep(self) -> io::Result<Kept> {
        blocking(move || {
            self.file.sync_all()?;
            // A link replaces nothing, as a rename would.
            fs::hard_link(&self.aside, &self.target)?;
            let folder = self.target.parent().unwrap_or(Path::new("."));
            sync_folder(&self.store, folder)?;
            Ok(Kept { size: self.size, sha256: event::hex(&self.hash.clone().finalize()) })
        })
        .await
    }
}

/// Makes the names in a folder durable. After a failed sync the store acknowledges nothing more.
pub(super) fn sync_folder(store: &SqliteStore, folder: &Path) -> io::Result<()> {
    files::sync_folder(folder).inspect_err(|error| end_if_lost(store, folder, error))
}

fn end_if_lost(store: &SqliteStore, folder: &Path, error: &io::Error) {
    if files::is_lost_sync(error) {
        store.end(format!("{} could not be synced: {error}", folder.display()));
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Kept or not, nothing is left under this name; a sweep finds what cannot be removed.
        let _ = fs::remove_file(&self.aside);
    }
}
