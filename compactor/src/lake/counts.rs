//! The table's own account of what it took in: properties that change in the same commit as the rows.

use std::collections::HashMap;

use iceberg::spec::TableMetadata;
use iceberg::table::Table;

use crate::error::{Error, ErrorKind, Result};

/// Property: location of the consumed set.
pub(crate) const CONSUMED: &str = "daybook.consumed";
/// Property, and entry of the snapshot's summary: the commit's own id.
pub(crate) const BATCH: &str = "daybook.batch-id";

/// What was compacted since the table began. `lines = rows + duplicates + quarantined`, always (I7).
///
/// A line is what ends in a line feed or at the sound end of an object; lines of nothing but white space are not
/// counted. Of a damaged object the lines before the damage count as any others, and what cannot be read after them
/// counts as **one** line, which is quarantined: how many it held, nobody can know. A line that is too long is one too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Raw objects consumed.
    pub objects: u64,
    /// Raw lines consumed.
    pub lines: u64,
    /// Rows added to the table from raw objects; those from gateway objects are not among them.
    pub rows: u64,
    /// Lines left out since their event was in the table or came before in the same commit.
    pub duplicates: u64,
    /// Lines kept under `quarantine/`.
    pub quarantined: u64,
    /// The same of the gateway's own log.
    pub gateway: GatewayCounts,
}

/// What was folded in of the gateway's own log since the table began.
/// `lines = rows + answered + duplicates + quarantined + waiting`, always (I7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GatewayCounts {
    /// Gateway objects read for the first time.
    pub objects: u64,
    /// Their lines.
    pub lines: u64,
    /// Rows added to the table: requests that have no event of their own.
    pub rows: u64,
    /// Lines whose request has an event of its own.
    pub answered: u64,
    /// Lines that were delivered twice, and would have made the same row.
    pub duplicates: u64,
    /// Lines kept under `quarantine/`.
    pub quarantined: u64,
    /// Lines put off until no event of their request can be under way any more.
    pub deferred: u64,
    /// Those of them that were settled since.
    pub settled: u64,
}

impl GatewayCounts {
    /// Lines that are put off and not settled yet.
    pub fn waiting(&self) -> u64 {
        self.deferred.saturating_sub(self.settled)
    }
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            lines: self.lines + other.lines,
            rows: self.rows + other.rows,
            duplicates: self.duplicates + other.duplicates,
            quarantined: self.quarantined + other.quarantined,
            gateway: self.gateway.plus(other.gateway),
        }
    }

    /// The counts as properties; those of a gateway only where there is one.
    pub(crate) fn to_properties(self) -> HashMap<String, String> {
        let own = [
            ("daybook.objects", self.objects),
            ("daybook.lines", self.lines),
            ("daybook.rows", self.rows),
            ("daybook.duplicates", self.duplicates),
            ("daybook.quarantined", self.quarantined),
        ];
        let gateway = (self.gateway != GatewayCounts::default()).then(|| self.gateway.named());
        let all = own.into_iter().chain(gateway.into_iter().flatten());
        all.map(|(name, count)| (name.to_owned(), count.to_string())).collect()
    }
}

impl GatewayCounts {
    fn plus(self, other: Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            lines: self.lines + other.lines,
            rows: self.rows + other.rows,
            answered: self.answered + other.answered,
            duplicates: self.duplicates + other.duplicates,
            quarantined: self.quarantined + other.quarantined,
            deferred: self.deferred + other.deferred,
            settled: self.settled + other.settled,
        }
    }

    fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("daybook.gateway.objects", self.objects),
            ("daybook.gateway.lines", self.lines),
            ("daybook.gateway.rows", self.rows),
            ("daybook.gateway.answered", self.answered),
            ("daybook.gateway.duplicates", self.duplicates),
            ("daybook.gateway.quarantined", self.quarantined),
            ("daybook.gateway.deferred", self.deferred),
            ("daybook.gateway.settled", self.settled),
        ]
    }
}

/// The cumulative counts of the snapshot that `table` is.
///
/// # Errors
/// A count is not a number: something else wrote the table's properties.
pub fn counts(table: &Table) -> Result<Counts> {
    let properties = table.metadata().properties();
    let count = |name: &str| match properties.get(name).map(|text| text.parse()) {
        None => Ok(0),
        Some(Ok(count)) => Ok(count),
        Some(Err(_)) => Err(Error::new(ErrorKind::Table, format!("the table's property {name} is not a count"))),
    };
    Ok(Counts {
        objects: count("daybook.objects")?,
        lines: count("daybook.lines")?,
        rows: count("daybook.rows")?,
        duplicates: count("daybook.duplicates")?,
        quarantined: count("daybook.quarantined")?,
        gateway: GatewayCounts {
            objects: count("daybook.gateway.objects")?,
            lines: count("daybook.gateway.lines")?,
            rows: count("daybook.gateway.rows")?,
            answered: count("daybook.gateway.answered")?,
            duplicates: count("daybook.gateway.duplicates")?,
            quarantined: count("daybook.gateway.quarantined")?,
            deferred: count("daybook.gateway.deferred")?,
            settled: count("daybook.gateway.settled")?,
        },
    })
}

/// Whether a commit is part of the table's history, even if others came after it.
pub(crate) fn has_batch(metadata: &TableMetadata, batch: &str) -> bool {
    let in_summary = |properties: &HashMap<String, String>| properties.get(BATCH).is_some_and(|found| found == batch);
    in_summary(metadata.properties())
        || metadata.snapshots().any(|snapshot| in_summary(&snapshot.summary().additional_properties))
}
