//! Events leave the store after their time, once a raw object has them; the log keeps them for ever.
//!
//! A batch is looked at twice in its life: when its events have had their time, and when its submissions have.

use event::{EventId, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::commit::{Outcome, Work};
use super::removal::{Holding, Removal};
use super::{Batch, SqliteReader, SqliteStore, member, read};
use crate::error::Result;

/// A batch from which a holding is to be removed, and the raw object that has it.
#[derive(Debug)]
pub struct Due {
    batch: Batch,
    object: String,
}

impl Due {
    /// The key of the raw object that must be there before anything is removed.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What has to go from the batch, and what stays. Inflates it: not for the writer's thread.
    ///
    /// # Errors
    /// The batch is damaged.
    pub fn removal(&self, holding: Holding) -> Result<Removal> {
        Removal::of(self.batch.seq, &member::inflate(&self.batch.member)?, &self.batch.decode()?, holding)
    }
}

impl SqliteReader {
    /// Batches in order, at most `limit`, whose newest event was received before `before` and from which the holding
    /// has not been removed yet. Never the last batch: the next one's number follows from it.
    ///
    /// # Errors
    /// The database's.
    pub async fn due(&self, holding: Holding, before: Timestamp, limit: usize) -> Result<Vec<Due>> {
        // Ids begin with the time of receipt, milliseconds.
        let millis = u128::from(before.millis().max(0).unsigned_abs());
        let before = EventId::from_u128(millis << 80);
        self.read(move |connection| {
            let mut due = Vec::new();
            let after = holding.removed_to(connection)?;
            let batches = read::rows(
                connection,
                "select seq, events, member, last_id from batches
                 where seq > ?1 and seq < (select max(seq) from batches) order by seq limit ?2",
                params![after, i64::try_from(limit).unwrap_or(i64::MAX)],
                |row| {
                    let events: i64 = row.get(1)?;
                    let batch = Batch { seq: row.get(0)?, events: events.unsigned_abs(), member: row.get(2)? };
                    Ok((batch, EventId::from_bytes(row.get(3)?)))
                },
            )?;
            for (batch, last_id) in batches {
                let object: Option<String> = connection
                    .prepare_cached(
                        "select key from objects where last_seq >= ?1 and first_seq <= ?1 order by last_seq limit 1",
                    )
                    .and_then(|mut statement| statement.query_row(params![batch.seq], |row| row.get(0)).optional())
                    .map_err(read::failed)?;
                match object {
                    Some(object) if last_id < before => due.push(Due { batch, object }),
                    // In order: what comes behind it waits for it.
                    _ => break,
                }
            }
            Ok(due)
        })
        .await
    }
}

impl SqliteStore {
    /// Whether a file of the folder is there.
    pub(crate) fn has_file(&self, key: &str) -> bool {
        self.folder.join(key).is_file()
    }

    /// Removes it, durably.
    ///
    /// # Errors
    /// The writer's.
    pub async fn remove(&self, removal: Removal) -> Result<()> {
        match self.writer.run(Work::Remove(Box::new(removal))).await? {
            Outcome::Removed => Ok(()),
            _ => Err(self.standing.stopped()),
        }
    }
}
