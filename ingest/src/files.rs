//! Files that are whole or absent, even after a power cut.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that a reader sees all of it or none, and it is on disk when this returns.
///
/// The bytes go to a temporary neighbour (its name begins with a dot), are synced and renamed into place, and the
/// folders that changed are synced.
///
/// # Errors
/// The disk's; the target is then untouched, or [lost](is_lost_sync) in a power cut.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, bytes, File::options().write(true).create(true).truncate(true))
}

/// As [`write_durably`], but nobody except the owner may read the file, not for a moment.
///
/// # Errors
/// The disk's; the target is then untouched.
pub fn write_secret_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    // Made anew: a neighbour that an earlier run left may be open to others.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match fs::remove_file(aside(path)?) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_with(path, bytes, &options)
}

fn write_with(path: &Path, bytes: &[u8], options: &OpenOptions) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
    let aside = aside(path)?;
    create_folder_durably(folder)?;
    let written = options.open(&aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all().map_err(lost_sync)
    });
    if let Err(error) = written.and_then(|()| fs::rename(&aside, path)) {
        // The neighbour is of no use to anyone; the error that matters is the first one.
        let _ = fs::remove_file(&aside);
        return Err(error);
    }
    sync_folder(folder)
}

/// Creates a folder and its parents and syncs each folder that got a new entry.
///
/// # Errors
/// The disk's, or something else has the folder's name.
pub fn create_folder_durably(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder_durably(parent)?;
    }
    match fs::create_dir(folder) {
        // Another process was faster, or it is no folder at all.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(io::ErrorKind::NotADirectory.into()),
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// The temporary neighbour of a file.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("a file needs a name"))?;
    Ok(path.with_file_name(format!(".{}.tmp", name.to_string_lossy())))
}

/// Makes the names in a folder durable.
///
/// # Errors
/// The disk's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all().map_err(lost_sync)
}

/// Whether an error is a failed sync: what was written may or may not be on disk, and a second sync would say that it
/// is in either case. Nothing that depends on it may be acknowledged any more.
pub fn is_lost_sync(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<LostSync>())
}

fn lost_sync(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), LostSync(error))
}

/// A failed sync's own error.
#[derive(Debug)]
struct LostSync(io::Error);

impl fmt::Display for LostSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a sync failed: {}", self.0)
    }
}

impl std::error::Error for LostSync {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_the_file_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c.gz");
        write_durably(&path, b"one").unwrap();
        write_durably(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"").unwrap();
        for folder in [path.clone(), path.join("below")] {
            assert_eq!(create_folder_durably(&folder).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_its_owner_s_alone_whatever_lay_there() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(dir.path().join(".key.tmp"), b"left behind, open to all").unwrap();
        write_secret_durably(&path, b"secret").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("x"), b"").unwrap();
        assert!(write_durably(&path, b"one").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
