//! Dead letters: notices that were given up, kept until somebody sends them again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use event::{EventId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::files;

/// What the file may take, bytes. The oldest letters make room: their events are in the log all the same.
const LARGEST: usize = 8 << 20;

/// A notice that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its event, and the message's id.
    pub event_id: EventId,
    /// What it says.
    pub r#type: String,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// How often it was sent.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: String,
    /// The message, JSON.
    pub body: String,
}

/// The file of the dead letters, a line each. Server and commands may change it at once.
#[derive(Debug, Clone)]
pub struct Letters {
    path: PathBuf,
    lock: PathBuf,
    largest: usize,
}

impl Letters {
    /// The file of the installation in this folder, whether or not it is there.
    pub fn of(folder: &Path) -> Self {
        let folder = folder.join(super::FOLDER);
        Self { path: folder.join("dead.ndjson"), lock: folder.join("dead.lock"), largest: LARGEST }
    }

    /// The letters, the oldest first; none where there is no file.
    ///
    /// # Errors
    /// The file cannot be read, or has a line that was not written here.
    pub fn read(&self) -> Result<Vec<Letter>> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("read", error)),
        };
        text.lines().map(|line| serde_json::from_str(line).map_err(|error| self.failed("understand", error))).collect()
    }

    /// Adds letters, each event's once; gives how many of the oldest made room for them.
    ///
    /// # Errors
    /// As [`read`](Self::read), or the disk's; then nothing is added.
    pub fn add(&self, new: Vec<Letter>) -> Result<u64> {
        let ids: BTreeSet<EventId> = new.iter().map(|letter| letter.event_id).collect();
        self.change(|letters| {
            letters.retain(|letter| !ids.contains(&letter.event_id));
            letters.extend(new);
        })
    }

    /// Removes letters that were taken after all.
    ///
    /// # Errors
    /// As [`read`](Self::read), or the disk's; then none is removed.
    pub fn remove(&self, ids: &BTreeSet<EventId>) -> Result<()> {
        self.change(|letters| letters.retain(|letter| !ids.contains(&letter.event_id))).map(|_| ())
    }

    /// One change at a time, whoever makes it; it is on disk when this returns.
    fn change(&self, change: impl FnOnce(&mut Vec<Letter>)) -> Result<u64> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        files::create_folder_durably(folder).map_err(|error| self.failed("write", error))?;
        let lock = File::options().create(true).truncate(false).write(true).open(&self.lock);
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| self.failed("lock", error))?;
        let mut letters = self.read()?;
        change(&mut letters);
        let lines: std::result::Result<Vec<String>, _> = letters.iter().map(serde_json::to_string).collect();
        let lines = lines.map_err(|error| self.failed("write", error))?;
        let mut room = self.largest;
        let fit = lines.iter().rev().take_while(|line| {
            let left = room.checked_sub(line.len() + 1);
            room = left.unwrap_or(0);
            left.is_some()
        });
        let dropped = lines.len() - fit.count();
        let text: String = lines[dropped..].iter().flat_map(|line| [line, "\n"]).collect();
        files::write_secret_durably(&self.path, text.as_bytes()).map_err(|error| self.failed("write", error))?;
        drop(lock);
        Ok(dropped as u64)
    }

    fn failed(&self, doing: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorKind::Unusable, format!("cannot {doing} {}", self.path.display())).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(number: u128) -> Letter {
        Letter {
            event_id: EventId::from_u128(number),
            r#type: "task.completed".to_owned(),
            given_up_at: Timestamp::default(),
            attempts: 35,
            reason: "503 Service Unavailable".to_owned(),
            body: "{\"a\":\n1}".to_owned(),
        }
    }

    fn numbers(letters: &Letters) -> Vec<u128> {
        letters.read().unwrap().iter().map(|letter| letter.event_id.as_u128()).collect()
    }

    #[test]
    fn letters_are_kept_once_each_until_they_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let letters = Letters::of(folder.path());
        assert_eq!(numbers(&letters), []);
        assert_eq!(letters.add(vec![letter(1), letter(2)]).unwrap(), 0);
        assert_eq!(letters.add(vec![letter(1), letter(3)]).unwrap(), 0);
        assert_eq!(numbers(&letters), [2, 1, 3]);
        letters.remove(&BTreeSet::from([EventId::from_u128(1), EventId::from_u128(9)])).unwrap();
        assert_eq!(numbers(&letters), [2, 3]);
        assert_eq!(letters.read().unwrap()[0], letter(2));
    }

    #[test]
    fn the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let line = serde_json::to_string(&letter(1)).unwrap().len() + 1;
        let letters = Letters { largest: 3 * line, ..Letters::of(folder.path()) };
        assert_eq!(letters.add((1..=3).map(letter).collect()).unwrap(), 0);
        assert_eq!(letters.add(vec![letter(4), letter(5)]).unwrap(), 2);
        assert_eq!(numbers(&letters), [3, 4, 5]);
        assert_eq!(fs::metadata(&letters.path).unwrap().len(), 3 * line as u64);
    }
}
