//! Whether the database is still the files that were opened.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The database, its write-ahead log and the lock, as they were when the store was opened.
///
/// What is written to a file that was deleted or replaced is gone with the process: nobody else can find it. Without the
/// lock another process may write to the same database.
#[derive(Debug)]
pub struct Place {
    files: Vec<(PathBuf, (u64, u64))>,
}

impl Place {
    /// Remembers the files of an open database, and its lock.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn of(database: &Path, lock: &Path) -> io::Result<Self> {
        let files = [database.to_owned(), wal(database), lock.to_owned()];
        let files = files.into_iter().map(|path| identity(&path).map(|identity| (path, identity)));
        Ok(Self { files: files.collect::<io::Result<_>>()? })
    }

    /// The first file that is not the one that was opened any more. Costs three calls of `statx`.
    pub fn missing(&self) -> Option<&Path> {
        let gone = self.files.iter().find(|(path, opened)| identity(path).ok() != Some(*opened));
        gone.map(|(path, _)| path.as_path())
    }
}

/// The write-ahead log of a database.
fn wal(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Device and inode, and nothing else: who asks for the time of a file's last change makes Linux (from 6.13 on) write down
/// the exact time of the next one; each sync of the log then writes the log's inode, too, where no journal puts that off
/// (ADR 0016).
#[cfg(target_os = "linux")]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
    match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        Ok(file) => Ok((makedev(file.stx_dev_major, file.stx_dev_minor), file.stx_ino)),
        // Some sandboxes know no `statx`.
        Err(rustix::io::Errno::NOSYS) => stat(path),
        Err(error) => Err(error.into()),
    }
}

/// Device and inode.
#[cfg(not(target_os = "linux"))]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    stat(path)
}

fn stat(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_deleted_or_replaced_is_missed() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("store.db");
        let lock = dir.path().join("store.lock");
        assert!(Place::of(&database, &lock).is_err());
        for change in [
            |path: &Path| fs::remove_file(path).unwrap(),
            |path: &Path| {
                fs::write(path.with_extension("new"), "").unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            },
        ] {
            for file in [database.clone(), wal(&database), lock.clone()] {
                for file in [&database, &wal(&database), &lock] {
                    fs::write(file, "").unwrap();
                }
                let place = Place::of(&database, &lock).unwrap();
                assert_eq!(place.missing(), None);
                change(&file);
                assert_eq!(place.missing(), Some(file.as_path()));
            }
        }
    }
}
