//! Files that are either whole and durable, or not there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::direct::DirectFile;

/// Distinguishes the files that one process writes aside; the process id tells processes apart.
static ASIDE: AtomicU64 = AtomicU64::new(0);

/// A file that is being written beside its place. Dropped without [`publish`](Self::publish), it leaves nothing.
#[derive(Debug)]
pub(crate) struct Aside {
    file: DirectFile,
    aside: PathBuf,
    place: PathBuf,
    published: bool,
}

impl Aside {
    /// Begins a file that will stand at `place`; makes the folders on the way durable.
    pub(crate) fn create(place: &Path) -> io::Result<Self> {
        let folder = place.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
        create_folders(folder)?;
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let number = ASIDE.fetch_add(1, Ordering::Relaxed);
        let aside = folder.join(format!(".{name}.{}-{number}.tmp", std::process::id()));
        let file = DirectFile::new(File::create(&aside)?);
        Ok(Self { file, aside, place: place.to_owned(), published: false })
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write(bytes)
    }

    /// Puts the file in its place: data, then name, then folder are on the disk when this returns.
    ///
    /// A failed fsync is never tried again: the kernel may have dropped the pages that it could not write.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        self.file.finish()?.sync_all()?;
        fs::rename(&self.aside, &self.place)?;
        self.published = true;
        sync_folder(self.place.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.aside);
        }
    }
}

/// Writes `bytes` to `place` in one durable step; readers see the old file or the new one.
pub(crate) fn write(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = Aside::create(place)?;
    aside.write(bytes)?;
    aside.publish()
}

/// `create_dir_all` whose folders survive a power cut.
pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    create_folders(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(parent),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b/file");
        let mut aside = Aside::create(&place).unwrap();
        aside.write(b"half").unwrap();
        assert!(!place.exists());
        drop(aside);
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 0);
        write(&place, b"whole").unwrap();
        write(&place, b"again").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"again");
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1);
    }
}
