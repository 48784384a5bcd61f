//! Holds the clients' book against the log.

use std::collections::HashMap;
use std::fmt;

use arrow::array::AsArray;
use compactor::Limits;
use futures::TryStreamExt;

use super::ledger::Ledger;
use crate::failure::{Failure, Result};
use crate::installation::Installation;

/// What the comparison found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof {
    sent: usize,
    acknowledged: usize,
    unknown: usize,
    missing: usize,
    twice: usize,
    unexplained: usize,
}

impl Proof {
    /// Whether every acknowledged request is in the log once, and nothing is there that nobody sent.
    pub fn holds(&self) -> bool {
        self.missing == 0 && self.twice == 0 && self.unexplained <= self.unknown
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, acknowledged, unknown, missing, twice, unexplained } = self;
        write!(
            f,
            "of {sent} requests all {acknowledged} that were answered are in the log, {missing} are missing, {twice} \
             stand twice; of {unknown} cut off by the kill {unexplained} are in it"
        )
    }
}

/// Compares every acknowledged event id with the log.
pub async fn check(installation: &Installation, ledger: &Ledger) -> Result<Proof> {
    let log = event_ids(installation).await?;
    let acknowledged = ledger.acknowledged();
    let (sent, unknown) = ledger.sent_and_unknown();
    Ok(Proof {
        sent,
        acknowledged: acknowledged.len(),
        unknown,
        missing: acknowledged.iter().filter(|id| !log.contains_key(*id)).count(),
        twice: log.values().filter(|count| **count > 1).count(),
        unexplained: log.len().saturating_sub(acknowledged.len()),
    })
}

/// How often each event id stands in the table and in what is not compacted yet.
async fn event_ids(installation: &Installation) -> Result<HashMap<String, usize>> {
    let table = installation.lake().await?.load().await?;
    let tail = compactor::tail(&table, &installation.raw(), installation.now(), Limits::default()).await?;
    let mut batches: Vec<_> = compactor::scan(&table, &["event_id"]).await?.try_collect().await?;
    batches.extend(tail.batches);
    let mut ids = HashMap::new();
    for batch in &batches {
        let column = batch.column_by_name("event_id").and_then(|column| column.as_string_opt::<i32>());
        let column = column.ok_or_else(|| Failure::new("the table has no event ids"))?;
        for id in column.iter().flatten() {
            *ids.entry(id.to_owned()).or_default() += 1;
        }
    }
    Ok(ids)
}
