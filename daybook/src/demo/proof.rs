//! Holds the clients' book against the log.

use std::collections::{HashMap, HashSet};
use std::fmt;

use arrow::array::AsArray;
use compactor::Limits;
use event::COLUMNS;
use futures::TryStreamExt;

use super::ledger::Ledger;
use super::traffic::SECRETS;
use crate::failure::{Failure, Result};
use crate::installation::Installation;

/// What the comparison found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof {
    sent: usize,
    answered: usize,
    unknown: usize,
    missing: usize,
    twice: usize,
    unexplained: usize,
    secrets: usize,
    leaked: usize,
}

impl Proof {
    /// Whether every acknowledged request is in the log once, nothing is there that nobody sent, and no secret.
    pub fn holds(&self) -> bool {
        self.missing == 0 && self.twice == 0 && self.unexplained <= self.unknown && self.leaked == 0
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, answered, unknown, missing, twice, unexplained, secrets, leaked } = self;
        write!(
            f,
            "of {sent} requests {answered} were answered: {} of these are in the log, {missing} are missing, {twice} stand \
             twice; of {unknown} that the kill left without an answer {unexplained} are in it; of {secrets} \
             secrets {leaked} are in it",
            answered - missing
        )
    }
}

/// Compares every acknowledged event id with the log. An answer that names no event of its own counts as missing.
pub async fn check(installation: &Installation, ledger: &Ledger) -> Result<Proof> {
    let (log, leaked) = read_log(installation).await?;
    let answered = ledger.answers();
    let acknowledged: HashSet<String> = ledger.acknowledged().into_iter().collect();
    let found = acknowledged.iter().filter(|id| log.contains_key(*id)).count();
    let (sent, unknown) = ledger.sent_and_unknown();
    Ok(Proof {
        sent,
        answered,
        unknown,
        missing: answered.saturating_sub(found),
        twice: log.values().filter(|count| **count > 1).count(),
        unexplained: log.len().saturating_sub(found),
        secrets: ledger.secrets(),
        leaked,
    })
}

/// How often each event id stands in the table and in what is not compacted yet, and how many cells hold a secret.
async fn read_log(installation: &Installation) -> Result<(HashMap<String, usize>, usize)> {
    let table = installation.lake().await?.load().await?;
    let tail = compactor::tail(&table, &installation.raw(), installation.now(), Limits::default()).await?;
    let columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    let mut batches: Vec<_> = compactor::scan(&table, &columns).await?.try_collect().await?;
    batches.extend(tail.batches);
    let (mut ids, mut leaked) = (HashMap::new(), 0);
    for batch in &batches {
        let column = batch.column_by_name("event_id").and_then(|column| column.as_string_opt::<i32>());
        let column = column.ok_or_else(|| Failure::new("the table has no event ids"))?;
        for id in column.iter().flatten() {
            *ids.entry(id.to_owned()).or_default() += 1;
        }
        let texts = batch.columns().iter().filter_map(|column| column.as_string_opt::<i32>());
        leaked += texts.flatten().flatten().filter(|text| SECRETS.iter().any(|secret| text.contains(secret))).count();
    }
    Ok((ids, leaked))
}
