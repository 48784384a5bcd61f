//! Iceberg's files on a local disk, each of them durable before anything names it.
//!
//! `iceberg::io::LocalFsStorage` writes in place and syncs neither metadata files nor folders: after a power cut the
//! catalog could name a file that is empty or missing (I8).

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig, StorageFactory};
use iceberg::{Error, ErrorKind, Result};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::durable::{self, Aside};

/// Storage on a local disk. A file appears whole and durable, or not at all; every name is used once.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DurableFs;

/// Makes [`DurableFs`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DurableFsFactory;

#[typetag::serde(name = "DaybookDurableFsFactory")]
impl StorageFactory for DurableFsFactory {
    fn build(&self, _config: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(DurableFs))
    }
}

#[typetag::serde(name = "DaybookDurableFs")]
#[async_trait]
impl Storage for DurableFs {
    async fn exists(&self, path: &str) -> Result<bool> {
        Ok(local(path).exists())
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let metadata = fs::metadata(local(path)).map_err(failed("look at", path))?;
        Ok(FileMetadata { size: metadata.len() })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        fs::read(local(path)).map(Bytes::from).map_err(failed("read", path))
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        let file = File::open(local(path)).map_err(failed("open", path))?;
        Ok(Box::new(DurableRead { file, path: path.to_owned() }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let place = local(path);
        blocking("write", path, move || durable::write(&place, &bytes)).await
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        let aside = Aside::create(&local(path)).map_err(failed("create", path))?;
        Ok(Box::new(DurableWrite { aside: Some(aside), path: path.to_owned() }))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        gone(fs::remove_file(local(path))).map_err(failed("delete", path))
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        gone(fs::remove_dir_all(local(path))).map_err(failed("delete", path))
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}

#[derive(Debug)]
struct DurableRead {
    file: File,
    path: String,
}

#[async_trait]
impl FileRead for DurableRead {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let size = self.file.metadata().map_err(failed("look at", &self.path))?.len();
        read_range(&self.file, size, range).map_err(failed("read", &self.path))
    }
}

/// The bytes of a range of a file that has `size` bytes.
///
/// A range beyond them is an error before memory is asked for: it may come from a damaged footer, and memory cannot be
/// asked for and refused, the process ends.
pub(crate) fn read_range(file: &File, size: u64, range: Range<u64>) -> io::Result<Bytes> {
    let length = range.end.checked_sub(range.start).filter(|_| range.end <= size);
    let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
        let beyond = format!("bytes {}..{} of {size}", range.start, range.end);
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, beyond));
    };
    // Read into memory as it is: zeros would have to be written first, and fetched page by page.
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let place = range.start + bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut bytes), place) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(length);
    Ok(Bytes::from(bytes))
}

#[derive(Debug)]
struct DurableWrite {
    aside: Option<Aside>,
    path: String,
}

#[async_trait]
impl FileWrite for DurableWrite {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let aside = self.aside.as_mut().ok_or_else(|| closed(&self.path))?;
        aside.write(&bytes).map_err(failed("write", &self.path))
    }

    async fn close(&mut self) -> Result<()> {
        let aside = self.aside.take().ok_or_else(|| closed(&self.path))?;
        blocking("publish", &self.path, move || aside.publish()).await
    }
}

/// A location as the path it means: locations are plain absolute paths here, others write `file:` before them.
fn local(path: &str) -> PathBuf {
    let plain = path.strip_prefix("file://").or_else(|| path.strip_prefix("file:")).unwrap_or(path);
    Path::new("/").join(plain)
}

fn failed(what: &'static str, path: &str) -> impl FnOnce(io::Error) -> Error {
    let message = format!("{what} {path}: ");
    move |error| Error::new(ErrorKind::Unexpected, format!("{message}{error}")).with_source(error)
}

fn closed(path: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{path} is closed already"))
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

async fn blocking(
    what: &'static str,
    path: &str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<()> {
    let result = tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
    result.map_err(failed(what, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_range_beyond_the_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let path = path.to_str().unwrap();
        DurableFs.write(path, Bytes::from_static(b"bytes")).await.unwrap();
        let reader = DurableFs.reader(path).await.unwrap();
        assert_eq!(reader.read(1..5).await.unwrap(), "ytes");
        assert!(reader.read(5..5).await.unwrap().is_empty());
        #[expect(clippy::reversed_empty_ranges, reason = "a damaged footer may say so")]
        let beyond = [0..6, 6..6, 4..1 << 60, 0..u64::MAX, 4..2];
        for range in beyond {
            assert!(reader.read(range.clone()).await.is_err(), "{range:?}");
        }
    }
}
