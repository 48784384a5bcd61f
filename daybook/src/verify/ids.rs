//! Which events there are: none twice in the table, and all that the store has.

use std::path::Path;
use std::sync::Arc;

use event::EventId;

use super::buckets::{Buckets, each_part};
use super::record::{Reader, put};
use crate::failure::Result;

/// The ids of the log's events, and those that are asked for.
///
/// Memory: as [`Buckets`], three times.
pub struct Ids {
    table: Buckets,
    rest: Buckets,
    asked: Buckets,
}

/// What there is of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many ids the log has.
    pub events: u64,
    /// The first one, in the order of ids, that the table has more than once.
    pub twice: Option<EventId>,
    /// How many were asked for.
    pub asked: u64,
    /// Those asked for that the log has not, by the batch they were asked for with.
    pub missing: Vec<(i64, EventId)>,
}

impl Ids {
    /// None yet; what does not fit in memory goes to `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { table: Buckets::new(folder), rest: Buckets::new(folder), asked: Buckets::new(folder) }
    }

    /// Adds a row of the table.
    ///
    /// # Errors
    /// Those of [`Buckets::push`].
    pub fn add_row(&mut self, id: EventId) -> Result<()> {
        self.table.push(hash(id), id.as_bytes())
    }

    /// Adds an event that the log has elsewhere.
    ///
    /// # Errors
    /// Those of [`Buckets::push`].
    pub fn add(&mut self, id: EventId) -> Result<()> {
        self.rest.push(hash(id), id.as_bytes())
    }

    /// Asks for an event of the store's batch `seq`.
    ///
    /// # Errors
    /// Those of [`Buckets::push`].
    pub fn ask(&mut self, seq: i64, id: EventId) -> Result<()> {
        let mut record = Vec::with_capacity(24);
        put(&mut record, *id.as_bytes());
        put(&mut record, seq.to_le_bytes());
        self.asked.push(hash(id), &record)
    }

    /// What there is of them. Memory: 24 bytes for each one that is missing, too.
    ///
    /// # Errors
    /// What was set aside cannot be read.
    pub async fn find(self) -> Result<Found> {
        let ids = Arc::new(self);
        let parts = each_part(move |part| ids.find_in(part)).await?;
        let mut found = Found::default();
        for part in parts {
            found.events += part.events;
            found.twice = found.twice.into_iter().chain(part.twice).min();
            found.asked += part.asked;
            found.missing.extend(part.missing);
        }
        found.missing.sort_unstable();
        Ok(found)
    }

    fn find_in(&self, part: usize) -> Result<Found> {
        let mut ids = read(&self.table.part(part)?)?;
        ids.sort_unstable();
        let twice = ids.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        ids.extend(read(&self.rest.part(part)?)?);
        ids.sort_unstable();
        ids.dedup();
        let (records, mut asked, mut missing) = (self.asked.part(part)?, 0, Vec::new());
        let mut reader = Reader::of(&records);
        while !reader.is_empty() {
            let (id, seq) = (EventId::from_bytes(reader.take()?), i64::from_le_bytes(reader.take()?));
            asked += 1;
            if ids.binary_search(&id).is_err() {
                missing.push((seq, id));
            }
        }
        Ok(Found { events: ids.len() as u64, twice, asked, missing })
    }
}

fn read(records: &[u8]) -> Result<Vec<EventId>> {
    let (mut ids, mut reader) = (Vec::with_capacity(records.len() / 16), Reader::of(records));
    while !reader.is_empty() {
        ids.push(EventId::from_bytes(reader.take()?));
    }
    Ok(ids)
}

/// Ids are random in most of these bits.
fn hash(id: EventId) -> u64 {
    id.as_u128() as u64 ^ (id.as_u128() >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_stands_twice_and_what_is_missing_is_found() {
        let id = |number: u128| EventId::from_u128((number << 64) | (number * 2_654_435_761));
        let folder = tempfile::tempdir().unwrap();
        let mut ids = Ids::new(folder.path());
        for number in (0..5_000).chain([4_000, 77, 78]) {
            ids.add_row(id(number)).unwrap();
        }
        for number in 4_990..6_000 {
            ids.add(id(number)).unwrap();
        }
        for (seq, number) in [(3, 9_000), (1, 0), (1, 5_999), (2, 7_000), (2, 6_000), (9, 4_999)] {
            ids.ask(seq, id(number)).unwrap();
        }
        let found = ids.find().await.unwrap();
        let missing = vec![(2, id(6_000)), (2, id(7_000)), (3, id(9_000))];
        assert_eq!(found, Found { events: 6_000, twice: Some(id(77)), asked: 6, missing });
        assert_eq!(Ids::new(folder.path()).find().await.unwrap(), Found::default());
    }
}
