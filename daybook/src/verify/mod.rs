//! Proves that log, table and state agree, from what is on disk alone.
//!
//! The state is read first and the log after it, so that the proof also holds while a server runs: whatever the state
//! shows must by then be in the log. Then the state is read once more: whatever the log showed must by then be in it.

pub(crate) mod balance;
pub(crate) mod chain;
mod report;
pub(crate) mod row;
pub(crate) mod view;

use std::collections::HashMap;

use arrow::array::RecordBatch;
use compactor::Limits;
use futures::TryStreamExt;
use iceberg::table::Table;
use ingest::store::sqlite::{Batch, SqliteReader};
use ingest::store::{EntityRef, Stored};

pub use report::{Check, Report};

use self::chain::Tombstones;
use self::view::View;
use crate::failure::Result;
use crate::installation::Installation;

/// Entities, and bytes of batches, that are read at a time.
const PAGE: usize = 4_096;
const BATCH_BYTES: usize = 16 << 20;

/// What the store showed before the log was read.
#[derive(Default)]
struct Before {
    entities: HashMap<EntityRef, Stored>,
    outbox: Vec<Batch>,
    relayed_to: i64,
}

/// Checks I1, I2, I4, I5 and I7 on an installation.
///
/// # Errors
/// Something could not be read at all; what is read and wrong stands in the report.
pub async fn verify(installation: &Installation) -> Result<Report> {
    let reader = installation.reader()?;
    let before = match &reader {
        Some(reader) => read_store(reader).await?,
        None => Before::default(),
    };
    let table = installation.lake().await?.load().await?;
    let raw = installation.raw();
    let tail = compactor::tail(&table, &raw, installation.now(), Limits::default()).await?;

    let mut report = Report::default();
    let (view, uniqueness) = read_log(&table, &tail.batches, before.outbox.iter()).await?;
    report.add(uniqueness);
    report.add_all(balance::check(&table, &raw, &view).await?);
    report.add(view.hashes());
    report.add(view.requests());
    let (mut versions, mut folds) = chain::check(&view, reader.is_some().then_some(&before.entities));
    if let Some(reader) = &reader {
        report.add(durability(reader, &before, &view).await?);
        report.add(soundness(reader, installation).await?);
        report.add(view.bodies(|body| installation.folder().join(body).is_file()));
        chain::check_kept(&view, &read_entities(reader).await?, Tombstones::Stay, &mut folds);
    }
    if let Some(reader) = &reader
        && let Some(entity) = reader.first_unplaced().await?
    {
        versions.offend(|| format!("{}: the store cannot find all of its versions in its log", chain::name(&entity)));
    }
    if reader.is_none() && installation.had_store() {
        let mut gone = Check::new("I1", "the store is there");
        gone.offend(|| "store.db is gone: what was acknowledged, and the state, cannot be checked".to_owned());
        report.add(gone);
    }
    report.add(versions);
    report.add(folds);
    Ok(report)
}

/// Reads every event of the log: the table, what is not compacted, what is not relayed. Checks I2 on the way.
pub(crate) async fn read_log(
    table: &Table,
    tail: &[RecordBatch],
    outbox: impl Iterator<Item = &Batch>,
) -> Result<(View, Check)> {
    let mut view = View::default();
    let mut uniqueness = Check::new("I2", "no event id stands twice in the table");
    let mut rows = compactor::scan(table, &view::columns()).await?;
    while let Some(batch) = rows.try_next().await? {
        uniqueness.checked += batch.num_rows() as u64;
        view.add_rows(&batch)?;
        view.add_sources(&batch);
    }
    uniqueness.offender = view.first_duplicate();
    for batch in tail {
        view.add_rows(batch)?;
    }
    for batch in outbox {
        batch.decode()?.into_iter().for_each(|event| view.add(event));
    }
    Ok((view, uniqueness))
}

async fn read_store(reader: &SqliteReader) -> Result<Before> {
    let relayed_to = reader.relayed_to().await?;
    let mut before = Before { relayed_to, entities: read_entities(reader).await?, outbox: Vec::new() };
    let mut seq = relayed_to;
    loop {
        let batches = reader.batches(seq, BATCH_BYTES).await?;
        let Some(last) = batches.last() else { break };
        seq = last.seq;
        before.outbox.extend(batches);
    }
    Ok(before)
}

async fn read_entities(reader: &SqliteReader) -> Result<HashMap<EntityRef, Stored>> {
    let mut entities = HashMap::new();
    let mut after: Option<EntityRef> = None;
    loop {
        let page = reader.entities(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(entities) };
        after = Some(last.clone());
        entities.extend(page);
    }
}

/// I1: the store holds what was written to it.
async fn soundness(reader: &SqliteReader, installation: &Installation) -> Result<Check> {
    let mut check = Check::new("I1", "the store holds what was written to it: each page, row and place");
    let folder = installation.folder().to_owned();
    let found = reader.soundness(move |key| folder.join(key).is_file()).await?;
    check.checked = found.events;
    check.offender = found.offender;
    Ok(check)
}

/// I1: every event that the store has relayed is in the table or in a raw object.
async fn durability(reader: &SqliteReader, before: &Before, view: &View) -> Result<Check> {
    let mut check = Check::new("I1", "every acknowledged event of the store is in the log");
    let mut seq = 0;
    loop {
        let batches = reader.batches(seq, BATCH_BYTES).await?;
        let Some(last) = batches.last() else { return Ok(check) };
        seq = last.seq;
        for batch in batches.iter().filter(|batch| batch.seq <= before.relayed_to) {
            for event in batch.decode()? {
                check.checked += 1;
                if check.offender.is_none() && !view.has(event.event_id) {
                    check.offender =
                        Some(format!("event {} of batch {} is in no raw object", event.event_id, batch.seq));
                }
            }
        }
        if seq >= before.relayed_to {
            return Ok(check);
        }
    }
}
