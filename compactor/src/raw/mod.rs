//! The raw log: a port with a listing, a reader, a way to add an object, and a place for lines that could not be
//! decoded.

mod dir;
mod memory;

use std::io::Read;

use async_trait::async_trait;
use bytes::Bytes;
use event::Timestamp;

pub use dir::DirRawLog;
pub use memory::MemoryRawLog;

use crate::error::{Error, ErrorKind, Result};

/// One raw object, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawObject {
    /// `raw/dt=YYYY-MM-DD/hour=HH/…` or `gateway/dt=YYYY-MM-DD/hour=HH/…`.
    pub key: String,
    /// Size as stored, compressed.
    pub bytes: u64,
    /// When it was put there.
    pub arrived: Timestamp,
}

/// Where raw objects lie. An object never changes once it is listed.
#[async_trait]
pub trait RawLog: std::fmt::Debug + Send + Sync {
    /// All objects under `raw/` in the order of their keys; with `from_day` (`YYYY-MM-DD`) without those of earlier
    /// days. An object whose key names no day is always listed. Temporary files and links are not objects.
    ///
    /// # Errors
    /// The log could not be read to its end: part of a listing is never returned.
    async fn list(&self, from_day: Option<&str>) -> Result<Vec<RawObject>>;

    /// All objects under `gateway/`, the API gateway's own log, as [`list`](Self::list) shows those under `raw/`.
    ///
    /// # Errors
    /// The log could not be read to its end.
    async fn list_gateway(&self, from_day: Option<&str>) -> Result<Vec<RawObject>>;

    /// A reader of the stored bytes of an object under `raw/`, `gateway/` or `quarantine/`; it may block.
    ///
    /// # Errors
    /// The key is no such object's, or the object cannot be opened.
    async fn open(&self, key: &str) -> Result<Box<dyn Read + Send>>;

    /// Adds `bytes` as an object under a key of `raw/`, durable when it returns; the next compaction finds it.
    ///
    /// A key that is there already is left as it is: a key stands for one content, so what is repeated adds nothing.
    ///
    /// # Errors
    /// The key is no raw object's, or the bytes are not known to be durable.
    async fn add(&self, key: &str, bytes: Bytes) -> Result<()>;

    /// Keeps `bytes` under a key of `quarantine/`, durable when it returns.
    ///
    /// A key that is there already is left as it is: a key stands for one content, so a run that is repeated adds
    /// nothing.
    ///
    /// # Errors
    /// The bytes are not known to be durable.
    async fn quarantine(&self, key: &str, bytes: Bytes) -> Result<()>;

    /// All objects under `quarantine/` in the order of their keys.
    ///
    /// # Errors
    /// The log could not be read to its end.
    async fn list_quarantine(&self) -> Result<Vec<RawObject>>;
}

/// Whether a path's last part is the name of an object, not of something temporary or hidden.
pub(crate) fn is_object_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.ends_with(".tmp")
}

/// Whether a listing from `from_day` shows `key`.
pub(crate) fn is_listed(key: &str, from_day: Option<&str>) -> bool {
    match (event::key::arrival_day(key), from_day) {
        (Some(day), Some(from)) => day >= from,
        _ => true,
    }
}

/// Refuses a key that is not under one of `prefixes` or could lead out of the log.
pub(crate) fn checked<'a>(key: &'a str, prefixes: &[&str]) -> Result<&'a str> {
    let under = prefixes.iter().any(|prefix| key.starts_with(prefix));
    let plain = key.split('/').all(is_object_name) && !key.contains(['\\', '\0']);
    if under && plain {
        Ok(key)
    } else {
        Err(Error::new(ErrorKind::RawLog, format!("{key:?} is no key of the raw log")))
    }
}
