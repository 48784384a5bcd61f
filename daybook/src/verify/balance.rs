//! Every line of the log is accounted for: I7, of the raw log and of a gateway's own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use compactor::lake::ConsumedSet;
use compactor::{
    GatewayCounts, Limits, RawLog, RawObject, count_deferred, count_raw, counts, lines_up_to_damage, read_quarantine,
    table_rows,
};
use iceberg::table::Table;

use super::Depth;
use super::report::Check;
use crate::failure::Result;

/// What the log's lines came to.
pub struct Balance {
    raw: Check,
    gateway: Option<Check>,
    /// The objects that are there.
    there: HashSet<String>,
}

impl Balance {
    /// The checks, once it is known which objects (`sources`) the table's rows were made from: none may be gone.
    pub fn into_checks(mut self, sources: &HashSet<String>) -> impl Iterator<Item = Check> {
        if let Some(gone) = sources.iter().filter(|source| !self.there.contains(*source)).min() {
            let lines = self.raw.detail.replacen('=', "≠", 1);
            let lines = if lines.is_empty() { lines } else { format!("; {lines}") };
            self.raw.offender = Some(format!("{gone} is gone{lines}"));
        }
        [self.raw].into_iter().chain(self.gateway)
    }
}

/// Compares what the log holds with what the table says that it took in; a gateway's log only where there is one. But
/// for [`Depth::Whole`] no line is counted: the table must have the rows that it says, and the objects must be there.
///
/// # Errors
/// Table or log cannot be read.
pub async fn check(table: &Table, raw: &Arc<dyn RawLog>, depth: Depth) -> Result<Balance> {
    let (listing, gateway) = (raw.list(None).await?, raw.list_gateway(None).await?);
    let there = listing.iter().chain(&gateway).map(|object| object.key.clone()).collect();
    if depth == Depth::Columns {
        return Ok(Balance { raw: of_table(table).await?, gateway: None, there });
    }
    let consumed = ConsumedSet::of(table).await?;
    let mut balance = Balance { raw: of_raw(table, raw, &listing, &consumed).await?, gateway: None, there };
    let folded = counts(table)?.gateway;
    if !gateway.is_empty() || folded != GatewayCounts::default() {
        balance.gateway = Some(of_gateway(folded, raw, &gateway, &consumed).await?);
    }
    Ok(balance)
}

/// The table has what its commits added.
async fn of_table(table: &Table) -> Result<Check> {
    let mut check = Check::new("I7", "the table has the rows that its commits added, made from objects that are there");
    check.checked = table_rows(table).await?;
    check.offender = unlike_added(table, check.checked)?;
    Ok(check)
}

fn unlike_added(table: &Table, rows: u64) -> Result<Option<String>> {
    let counted = counts(table)?;
    let added = counted.rows + counted.gateway.rows;
    Ok((rows != added).then(|| format!("the table has {rows} rows, its commits added {added}")))
}

/// Every raw line is a row, a duplicate, a quarantined line, or not yet compacted.
async fn of_raw(table: &Table, raw: &Arc<dyn RawLog>, listing: &[RawObject], consumed: &ConsumedSet) -> Result<Check> {
    let counted = counts(table)?;
    let (mut lines, pending) = count_lines(raw, listing, consumed).await?;
    let mut check = Check::new("I7", "raw lines = rows + duplicates + quarantined + not yet compacted");
    let taken = counted.rows + counted.duplicates + counted.quarantined;
    if lines != taken + pending {
        lines = as_compacted(lines, raw, listing, consumed).await?;
    }
    check.checked = lines;
    check.detail = format!(
        "{lines} = {} rows + {} duplicates + {} quarantined + {pending} pending",
        counted.rows, counted.duplicates, counted.quarantined
    );
    check.offender = unlike_added(table, table_rows(table).await?)?;
    if check.offender.is_none() && lines != taken + pending {
        check.offender = Some(check.detail.replacen('=', "≠", 1));
    }
    Ok(check)
}

/// The count of raw lines, those of objects that were damaged taken as they were when they were compacted: a sound copy
/// in the place of such an object has more.
async fn as_compacted(
    mut lines: u64,
    raw: &Arc<dyn RawLog>,
    listing: &[RawObject],
    consumed: &ConsumedSet,
) -> Result<u64> {
    let there: HashMap<&str, &RawObject> = listing.iter().map(|object| (object.key.as_str(), object)).collect();
    for quarantine in raw.list_quarantine().await? {
        let bad = read_quarantine(raw, &quarantine.key).await?;
        for damage in bad.iter().filter(|line| line.is_damage() && consumed.contains(&line.raw_object)) {
            let Some(object) = there.get(damage.raw_object.as_str()).copied() else { continue };
            let now = count_raw(raw, std::slice::from_ref(object), Limits::default()).await?.lines;
            lines = lines - now + lines_up_to_damage(raw, object, damage.line, Limits::default()).await?;
        }
    }
    Ok(lines)
}

/// Every gateway line is a row, one whose request has its event, a duplicate, a quarantined line, one that waits to be
/// settled, or not yet compacted.
async fn of_gateway(
    folded: GatewayCounts,
    raw: &Arc<dyn RawLog>,
    listing: &[RawObject],
    consumed: &ConsumedSet,
) -> Result<Check> {
    let (lines, pending) = count_lines(raw, listing, consumed).await?;
    let is_unsettled = |object: &&RawObject| consumed.contains(&object.key) && !consumed.is_settled(&object.key);
    let unsettled: Vec<RawObject> = listing.iter().filter(is_unsettled).cloned().collect();
    let waiting = count_deferred(raw, &unsettled, Limits::default()).await?;
    let mut check =
        Check::new("I7", "gateway lines = rows + with an event + duplicates + quarantined + not yet settled");
    check.checked = lines;
    check.detail = format!(
        "{lines} = {} rows + {} with an event + {} duplicates + {} quarantined + {} not yet settled + {pending} pending",
        folded.rows,
        folded.answered,
        folded.duplicates,
        folded.quarantined,
        folded.waiting()
    );
    let taken = folded.rows + folded.answered + folded.duplicates + folded.quarantined + folded.waiting();
    if lines != taken + pending {
        check.offender = Some(check.detail.replacen('=', "≠", 1));
    } else if waiting != folded.waiting() {
        let counted = folded.waiting();
        check.offender = Some(format!("{waiting} gateway lines wait to be settled, commits put off {counted}"));
    }
    Ok(check)
}

/// How many lines there are, and how many of them are not compacted yet.
async fn count_lines(raw: &Arc<dyn RawLog>, listing: &[RawObject], consumed: &ConsumedSet) -> Result<(u64, u64)> {
    let (taken, pending): (Vec<_>, Vec<_>) = listing.iter().cloned().partition(|object| consumed.contains(&object.key));
    let taken = count_raw(raw, &taken, Limits::default()).await?.lines;
    let pending = count_raw(raw, &pending, Limits::default()).await?.lines;
    Ok((taken + pending, pending))
}
