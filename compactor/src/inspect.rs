//! What the lake says about itself, from its metadata alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::Timestamp;
use iceberg::spec::DataFile;
use iceberg::table::Table;

use crate::error::Result;
use crate::lake::{ConsumedSet, Counts, Files, counts, day};

/// A snapshot at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LakeFacts {
    /// Where the table lies.
    pub location: String,
    /// How many snapshots can be read.
    pub snapshots: u64,
    /// When the newest of them was made.
    pub newest: Option<Timestamp>,
    /// Manifests of the newest snapshot.
    pub manifests: u64,
    /// Data files of the newest snapshot.
    pub files: u64,
    /// Size of the smallest of them, bytes.
    pub smallest: Option<u64>,
    /// The days that have rows, the earliest first.
    pub days: Vec<DayFacts>,
    /// What was compacted since the table began.
    pub counts: Counts,
    /// How many consumed objects are remembered by their keys.
    pub consumed: u64,
    /// Before this arrival day, `YYYY-MM-DD`, all objects are consumed.
    pub closed_before: Option<String>,
}

/// The rows of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayFacts {
    /// `YYYY-MM-DD`, by `received_at`.
    pub day: String,
    /// Data files.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their size, bytes.
    pub bytes: u64,
}

impl LakeFacts {
    /// Rows of the newest snapshot.
    pub fn rows(&self) -> u64 {
        self.days.iter().map(|day| day.rows).sum()
    }

    /// Size of the data files, bytes.
    pub fn bytes(&self) -> u64 {
        self.days.iter().map(|day| day.bytes).sum()
    }
}

/// Reads the facts of the snapshot that `table` is. No data file is opened: cost follows the number of manifests.
///
/// # Errors
/// Metadata cannot be read, or is not what this version writes.
pub async fn inspect(table: &Table) -> Result<LakeFacts> {
    let metadata = table.metadata();
    let (consumed, listed) = (ConsumedSet::of(table).await?, Files::of(table).await?);
    let files = listed.all().await?;
    let newest = metadata.current_snapshot().map(|snapshot| snapshot.timestamp_ms().saturating_mul(1_000));
    Ok(LakeFacts {
        location: metadata.location().to_owned(),
        snapshots: metadata.snapshots().len() as u64,
        newest: newest.map(Timestamp::from_micros),
        manifests: listed.manifests() as u64,
        files: files.len() as u64,
        smallest: files.iter().map(|file| file.file_size_in_bytes()).min(),
        days: days(&files),
        counts: counts(table)?,
        consumed: consumed.len() as u64,
        closed_before: consumed.from_day().map(str::to_owned),
    })
}

fn days(files: &[Arc<DataFile>]) -> Vec<DayFacts> {
    let mut days: BTreeMap<i32, DayFacts> = BTreeMap::new();
    for file in files {
        let number = day(file).unwrap_or_default();
        let facts = days
            .entry(number)
            .or_insert_with(|| DayFacts { day: Timestamp::of_day(number).day(), ..DayFacts::default() });
        facts.files += 1;
        facts.rows += file.record_count();
        facts.bytes += file.file_size_in_bytes();
    }
    days.into_values().collect()
}
