//! Everything known of entities: what changed them by the log, where they stand by the store.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use super::buckets::Buckets;
use super::change::{Change, Name, Standing};
use super::record::{Reader, damaged};
use crate::failure::Result;

/// What a record is.
const CHANGE: u8 = 0;
const BEFORE: u8 = 1;
const AFTER: u8 = 2;

/// When the store was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the log was.
    Before,
    /// After it.
    After,
}

/// Changes that are to be added to [`Entities`].
#[derive(Default)]
pub struct ChangeSet {
    records: Vec<u8>,
    /// Each record's hash and end.
    ends: Vec<(u64, usize)>,
}

impl ChangeSet {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds a change.
    pub fn add(&mut self, change: &Change<'_>) {
        self.records.push(CHANGE);
        change.put(&mut self.records);
        self.ends.push((hash(change.entity), self.records.len()));
    }
}

/// Changes and states, all of an entity in one part. Memory: as [`Buckets`].
pub struct Entities {
    buckets: Buckets,
    record: Vec<u8>,
}

impl Entities {
    /// None yet; what does not fit in memory goes to `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { buckets: Buckets::new(folder), record: Vec::new() }
    }

    /// Adds changes.
    ///
    /// # Errors
    /// Those of [`Buckets::push`].
    pub fn add_changes(&mut self, changes: &ChangeSet) -> Result<()> {
        let mut begin = 0;
        for (hash, end) in &changes.ends {
            self.buckets.push(*hash, &changes.records[begin..*end])?;
            begin = *end;
        }
        Ok(())
    }

    /// Adds a change.
    ///
    /// # Errors
    /// Those of [`Buckets::push`].
    pub fn add_change(&mut self, change: &Change<'_>) -> Result<()> {
        self.record.clear();
        self.record.push(CHANGE);
        change.put(&mut self.record);
        self.buckets.push(hash(change.entity), &self.record)
    }

    /// Adds where an entity stands.
    ///
    /// # Errors
    /// Those of [`Buckets::push`].
    pub fn add_standing(&mut self, when: When, standing: &Standing<'_>) -> Result<()> {
        self.record.clear();
        self.record.push(if when == When::Before { BEFORE } else { AFTER });
        standing.put(&mut self.record);
        self.buckets.push(hash(standing.entity), &self.record)
    }

    /// The records of a part, for [`each_of`].
    ///
    /// # Errors
    /// What was set aside cannot be read.
    pub fn part(&self, part: usize) -> Result<Vec<u8>> {
        self.buckets.part(part)
    }
}

fn hash(name: Name<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// All that is known of one entity.
#[derive(Debug)]
pub struct Known<'a> {
    /// Which one.
    pub entity: Name<'a>,
    /// Its changes by version, those of one version as they were read.
    pub changes: &'a [Change<'a>],
    /// Where it stood before the log was read.
    pub before: Option<Standing<'a>>,
    /// Where it stood after that.
    pub after: Option<Standing<'a>>,
}

/// Calls `take` with each entity of a part, in their order.
///
/// # Errors
/// The records are not what was set aside.
pub fn each_of(records: &[u8], mut take: impl FnMut(&Known<'_>)) -> Result<()> {
    let (mut changes, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
    let mut reader = Reader::of(records);
    while !reader.is_empty() {
        match reader.take()? {
            [CHANGE] => changes.push(Change::take(&mut reader)?),
            [BEFORE] => before.push(Standing::take(&mut reader)?),
            [AFTER] => after.push(Standing::take(&mut reader)?),
            _ => return Err(damaged()),
        }
    }
    // Stable: of changes that claim the same version, the first one read is folded.
    changes.sort_by_key(|change: &Change<'_>| (change.entity, change.version));
    before.sort_by_key(|standing: &Standing<'_>| standing.entity);
    after.sort_by_key(|standing: &Standing<'_>| standing.entity);
    let (mut changes, mut before, mut after) = (changes.as_slice(), before.as_slice(), after.as_slice());
    loop {
        let first = changes.first().map(|change| change.entity);
        let names = first.into_iter().chain(before.first().map(|s| s.entity)).chain(after.first().map(|s| s.entity));
        let Some(entity) = names.min() else { return Ok(()) };
        let (own, rest) = changes.split_at(changes.partition_point(|change| change.entity <= entity));
        changes = rest;
        take(&Known { entity, changes: own, before: last_of(&mut before, entity), after: last_of(&mut after, entity) });
    }
}

/// Takes an entity's standings off the front. A store that was read page by page while it was written to may have
/// shown one twice: the later one holds.
fn last_of<'a>(standings: &mut &[Standing<'a>], entity: Name<'a>) -> Option<Standing<'a>> {
    let (own, rest) = standings.split_at(standings.partition_point(|standing| standing.entity <= entity));
    *standings = rest;
    own.last().copied()
}
