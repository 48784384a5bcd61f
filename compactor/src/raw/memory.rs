//! The raw log in memory: the reference for the others.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use event::Timestamp;
use event::key::{GATEWAY, QUARANTINE, RAW};

use super::{RawLog, RawObject, checked, is_listed, is_object_name};
use crate::error::{Error, ErrorKind, Result};

/// A raw log that lives as long as its process.
#[derive(Debug, Default)]
pub struct MemoryRawLog {
    objects: Mutex<BTreeMap<String, (Bytes, Timestamp)>>,
}

impl MemoryRawLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an object, whatever its key.
    pub fn put(&self, key: impl Into<String>, bytes: impl Into<Bytes>, arrived: Timestamp) {
        self.objects().insert(key.into(), (bytes.into(), arrived));
    }

    /// It has no clock: what is put there by key alone arrived long ago.
    fn put_if_absent(&self, key: &str, bytes: Bytes) {
        self.objects().entry(key.to_owned()).or_insert((bytes, Timestamp::default()));
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, (Bytes, Timestamp)>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn under(&self, prefix: &str, from_day: Option<&str>) -> Vec<RawObject> {
        self.objects()
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && is_listed(key, from_day))
            .filter(|(key, _)| key.split('/').all(is_object_name))
            .map(|(key, (bytes, arrived))| RawObject { key: key.clone(), bytes: bytes.len() as u64, arrived: *arrived })
            .collect()
    }
}

#[async_trait]
impl RawLog for MemoryRawLog {
    async fn list(&self, from_day: Option<&str>) -> Result<Vec<RawObject>> {
        Ok(self.under(RAW, from_day))
    }

    async fn list_gateway(&self, from_day: Option<&str>) -> Result<Vec<RawObject>> {
        Ok(self.under(GATEWAY, from_day))
    }

    async fn open(&self, key: &str) -> Result<Box<dyn Read + Send>> {
        let key = checked(key, &[RAW, GATEWAY, QUARANTINE])?;
        match self.objects().get(key) {
            Some((bytes, _)) => Ok(Box::new(Cursor::new(bytes.clone()))),
            None => Err(Error::new(ErrorKind::RawLog, format!("{key} is not in the raw log"))),
        }
    }

    async fn add(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.put_if_absent(checked(key, &[RAW])?, bytes);
        Ok(())
    }

    async fn quarantine(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.put_if_absent(checked(key, &[QUARANTINE])?, bytes);
        Ok(())
    }

    async fn list_quarantine(&self) -> Result<Vec<RawObject>> {
        Ok(self.under(QUARANTINE, None))
    }
}
