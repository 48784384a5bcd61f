//! Every line of the log is accounted for: I7, of the raw log and of a gateway's own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use compactor::lake::ConsumedSet;
use compactor::plan::pending_objects;
use compactor::{
    GatewayCounts, Limits, RawLog, RawObject, count_deferred, count_raw, counts, lines_up_to_damage, read_quarantine,
    table_rows,
};
use iceberg::table::Table;

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
            self.raw.offender = Some(format!("{gone} is gone; {}", self.raw.detail.replacen('=', "≠", 1)));
        }
        [self.raw].into_iter().chain(self.gateway)
    }
}

/// Compares what the log holds with what the table says that it took in; a gateway's log only where there is one.
///
/// # Errors
/// Table or log cannot be read.
pub async fn check(table: &Table, raw: &Arc<dyn RawLog>) -> Result<Balance> {
    let (listing, gateway) = (raw.list(None).await?, raw.list_gateway(None).await?);
    let there = listing.iter().chain(&gateway).map(|object| object.key.clone()).collect();
    let consumed = ConsumedSet::of(table).await?;
    let mut balance = Balance { raw: of_raw(table, raw, &listing, &consumed).await?, gateway: None, there };
    let folded = counts(table)?.gateway;
    if !gateway.is_empty() || folded != GatewayCounts::default() {
        balance.gateway = Some(of_gateway(folded, raw, &gateway, &consumed).await?);
    }
    Ok(balance)
}

/// Every raw line is a row, a duplicate, a quarantined line, or not yet compacted.
async fn of_raw(table: &Table, raw: &Arc<dyn RawLog>, listing: &[RawObject], consumed: &ConsumedSet) -> Result<Check> {
    let counted = counts(table)?;
    let mut lines = count_raw(raw, listing, Limits::default()).await?.lines;
    let pending = pending_lines(raw, listing, consumed).await?;
    let mut check = Check::new("I7", "raw lines = rows + duplicates + quarantined + not yet compacted");
    let (rows, added) = (table_rows(table).await?, counted.rows + counted.gateway.rows);
    let taken = counted.rows + counted.duplicates + counted.quarantined;
    if lines != taken + pending {
        lines = as_compacted(lines, raw, listing, consumed).await?;
    }
    check.checked = lines;
    check.detail = format!(
        "{lines} = {} rows + {} duplicates + {} quarantined + {pending} pending",
        counted.rows, counted.duplicates, counted.quarantined
    );
    if rows != added {
        check.offender = Some(format!("the table has {rows} rows, its commits added {added}"));
    } else if lines != taken + pending {
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
    let lines = count_raw(raw, listing, Limits::default()).await?.lines;
    let pending = pending_lines(raw, listing, consumed).await?;
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

async fn pending_lines(raw: &Arc<dyn RawLog>, listing: &[RawObject], consumed: &ConsumedSet) -> Result<u64> {
    let pending = pending_objects(listing.to_vec(), consumed);
    Ok(count_raw(raw, &pending, Limits::default()).await?.lines)
}
