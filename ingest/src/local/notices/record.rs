//! How far the notices have come: a small file, so that a restart goes on from there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use event::{EventId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::files;

/// What of the log was told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The store whose batches are counted.
    pub store: String,
    /// The last batch that was read.
    pub read_to: i64,
    /// The greatest id in what was read.
    pub last_id: Option<EventId>,
    /// What was read and not settled.
    #[serde(default)]
    pub waiting: Vec<Waiting>,
    /// Batches from which events went before they were read.
    #[serde(default)]
    pub missed: Option<Missed>,
    /// Dead letters that had to make room for later ones.
    #[serde(default)]
    pub dropped: u64,
}

/// A notice that was read and not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its event's batch.
    pub seq: i64,
    /// Its event.
    pub event_id: EventId,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent next.
    pub due: Timestamp,
}

/// Batches of the store that retention reached before the notices did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The first of them.
    pub first: i64,
    /// The last of them.
    pub last: i64,
}

impl Record {
    fn path(folder: &Path) -> PathBuf {
        folder.join(super::FOLDER).join("position.json")
    }

    /// The record of a data folder; `None` if nothing was ever told of.
    ///
    /// # Errors
    /// The file cannot be read, or was not written here.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = Self::path(folder);
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let what = format!("cannot read {}; removed, notices begin with what comes", path.display());
            Error::new(ErrorKind::Unusable, what).with_source(error)
        };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Writes it; a reader sees all of it or none, and it is on disk when this returns.
    ///
    /// # Errors
    /// The disk's; what was written before stays.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = Self::path(folder);
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Unavailable, format!("cannot write {}", path.display())).with_source(error)
        };
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        files::write_durably(&path, &text).map_err(|error| failed(error.into()))
    }

    /// Notes that batches went unread.
    pub fn miss(&mut self, first: i64, last: i64) {
        let known = self.missed.unwrap_or(Missed { first, last });
        self.missed = Some(Missed { first: known.first.min(first), last: known.last.max(last) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(folder.path()).unwrap(), None);
        let waiting = Waiting {
            seq: 5,
            event_id: EventId::from_u128(7),
            attempts: 3,
            due: Timestamp::parse("2026-11-20T09:30:26Z").unwrap(),
        };
        let mut record = Record {
            store: "ab".to_owned(),
            read_to: 6,
            last_id: Some(EventId::from_u128(9)),
            waiting: vec![waiting],
            missed: None,
            dropped: 1,
        };
        record.miss(7, 9);
        record.miss(10, 12);
        assert_eq!(record.missed, Some(Missed { first: 7, last: 12 }));
        record.write(folder.path()).unwrap();
        assert_eq!(Record::read(folder.path()).unwrap(), Some(record));
        fs::write(Record::path(folder.path()), "{").unwrap();
        let refused = Record::read(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("position.json"), "{refused}");
    }
}
