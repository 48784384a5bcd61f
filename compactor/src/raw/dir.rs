//! The raw log in a folder of one machine.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::Bytes;
use event::Timestamp;
use event::key::{GATEWAY, QUARANTINE, RAW};

use super::{RawLog, RawObject, checked, is_listed, is_object_name};
use crate::durable;
use crate::error::{Error, ErrorKind, Result};

/// A raw log whose keys are paths under a folder.
///
/// Only regular files are objects: symbolic links, names that begin with `.` or end in `.tmp`, and names that are not
/// UTF-8 are passed over.
#[derive(Debug, Clone)]
pub struct DirRawLog {
    root: PathBuf,
}

impl DirRawLog {
    /// The log under `root`, which holds `raw/`; neither needs to exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    async fn under(&self, prefix: &'static str, from_day: Option<String>) -> Result<Vec<RawObject>> {
        let root = self.root.clone();
        blocking(format!("list {prefix} in {}", self.root.display()), move || {
            let mut objects = Vec::new();
            let top = prefix.trim_end_matches('/');
            match fs::symlink_metadata(root.join(top)) {
                Ok(metadata) if metadata.is_dir() => {}
                // Nothing could be told from an empty log, and nothing would ever be compacted.
                Ok(_) => return Err(io::Error::other("not a folder")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(objects),
                Err(error) => return Err(error),
            }
            walk(&root.join(top), top, from_day.as_deref(), &mut objects)?;
            objects.sort();
            Ok(objects)
        })
        .await
    }

    async fn write_once(&self, key: &str, bytes: Bytes) -> Result<()> {
        let path = self.root.join(key);
        blocking(format!("write {key}"), move || match fs::symlink_metadata(&path) {
            // Whoever put it there may have been killed before its name was on the disk; its bytes were.
            Ok(_) => durable::sync_folder(path.parent().unwrap_or(Path::new("/"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => durable::write(&path, &bytes),
            Err(error) => Err(error),
        })
        .await
    }
}

#[async_trait]
impl RawLog for DirRawLog {
    async fn list(&self, from_day: Option<&str>) -> Result<Vec<RawObject>> {
        self.under(RAW, from_day.map(str::to_owned)).await
    }

    async fn list_gateway(&self, from_day: Option<&str>) -> Result<Vec<RawObject>> {
        self.under(GATEWAY, from_day.map(str::to_owned)).await
    }

    async fn open(&self, key: &str) -> Result<Box<dyn Read + Send>> {
        let path = self.root.join(checked(key, &[RAW, GATEWAY, QUARANTINE])?);
        let file = blocking(format!("open {key}"), move || {
            if !fs::symlink_metadata(&path)?.is_file() {
                return Err(io::Error::other("not a regular file"));
            }
            File::open(&path)
        });
        Ok(Box::new(file.await?))
    }

    async fn add(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.write_once(checked(key, &[RAW])?, bytes).await
    }

    async fn quarantine(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.write_once(checked(key, &[QUARANTINE])?, bytes).await
    }

    async fn list_quarantine(&self) -> Result<Vec<RawObject>> {
        self.under(QUARANTINE, None).await
    }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    context: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Error::raw(context)),
        Err(stopped) => Err(Error::caused(ErrorKind::Stopped, context, stopped)),
    }
}

/// Adds the objects of one folder and those below it.
fn walk(folder: &Path, key: &str, from_day: Option<&str>, objects: &mut Vec<RawObject>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().filter(|name| is_object_name(name)).map(str::to_owned) else {
            continue;
        };
        let key = format!("{key}/{name}");
        if !is_listed(&key, from_day) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &key, from_day, objects)?;
        } else if kind.is_file() {
            objects.extend(object(key, &entry)?);
        }
    }
    Ok(())
}

/// The object of a directory entry; `None` if it was removed in between.
fn object(key: String, entry: &DirEntry) -> io::Result<Option<RawObject>> {
    let metadata = match entry.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let age = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let arrived = Timestamp::from_micros(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
    Ok(Some(RawObject { key, bytes: metadata.len(), arrived }))
}
