//! Few snapshots: those that nobody can be reading any more leave the table's history.

use std::collections::{HashMap, HashSet};

use event::Timestamp;
use iceberg::spec::TableMetadata;
use serde::Deserialize;

use super::{Upkeep, UpkeepOptions, UpkeepSummary};
use crate::error::{Error, Result};

const MAIN: &str = "main";

impl Upkeep<'_> {
    /// Takes the snapshots whose time has come out of the metadata. Their files stay: see `sweep`.
    ///
    /// # Errors
    /// The table cannot be read or changed.
    pub(super) async fn expire(&self, now: Timestamp, summary: &mut UpkeepSummary) -> Result<()> {
        let table = self.lake.load().await?;
        let expired = expired(table.metadata(), now, &self.options)?;
        if expired.is_empty() {
            return Ok(());
        }
        let from = table.metadata_location().map(str::to_owned);
        let mut builder = table.metadata().clone().into_builder(from).remove_snapshots(&expired);
        for id in &expired {
            builder = builder.remove_statistics(*id).remove_partition_statistics(*id);
        }
        let metadata = builder.build().map_err(Error::lake("take snapshots out of the table"))?.metadata;
        if self.publish(&table, &metadata).await? {
            summary.snapshots_expired += expired.len() as u64;
        } else {
            summary.overtaken += 1;
        }
        Ok(())
    }
}

/// A branch or a tag. `TableMetadata` does not list them, its JSON does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Reference {
    snapshot_id: i64,
    r#type: String,
}

/// The snapshots whose place another took `keep` ago or longer; but none of the newest, none that a branch or tag points
/// at, and no ancestor of a branch other than `main`.
///
/// Not a snapshot's own age counts: after a quiet week, one that is replaced now was read until now.
fn expired(metadata: &TableMetadata, now: Timestamp, options: &UpkeepOptions) -> Result<Vec<i64>> {
    let kept = referenced(metadata)?;
    let history = metadata.history();
    let followed: HashMap<i64, Option<i64>> = history
        .iter()
        .enumerate()
        .map(|(index, entry)| (entry.snapshot_id, history.get(index + 1).map(|next| next.timestamp_ms)))
        .collect();
    let keep = i64::try_from(options.keep.as_millis()).unwrap_or(i64::MAX);
    let before = now.micros().div_euclid(1_000).saturating_sub(keep);
    let mut snapshots: Vec<_> = metadata.snapshots().collect();
    snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.sequence_number()));
    let is_over = |id: i64, made: i64| followed.get(&id).copied().unwrap_or(Some(made)).is_some_and(|at| at <= before);
    let old = snapshots.into_iter().skip(options.keep_least.max(1));
    let old = old.filter(|snapshot| is_over(snapshot.snapshot_id(), snapshot.timestamp_ms()));
    Ok(old.map(|snapshot| snapshot.snapshot_id()).filter(|id| !kept.contains(id)).collect())
}

/// What branches and tags need.
fn referenced(metadata: &TableMetadata) -> Result<HashSet<i64>> {
    let context = "read the table's branches and tags";
    let mut json = serde_json::to_value(metadata).map_err(Error::lake(context))?;
    let references = json.get_mut("refs").map(serde_json::Value::take).unwrap_or_default();
    let references: Option<HashMap<String, Reference>> =
        serde_json::from_value(references).map_err(Error::lake(context))?;
    let mut kept: HashSet<i64> = metadata.current_snapshot_id().into_iter().collect();
    for (name, reference) in references.unwrap_or_default() {
        let mut next = Some(reference.snapshot_id);
        while let Some(id) = next.take().filter(|id| kept.insert(*id)) {
            if reference.r#type == "branch" && name != MAIN {
                next = metadata.snapshot_by_id(id).and_then(|snapshot| snapshot.parent_snapshot_id());
            }
        }
    }
    Ok(kept)
}
