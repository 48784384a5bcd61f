//! Proves that log, table and state agree, from what is on disk alone.
//!
//! The state is read first and the log after it, so that the proof also holds while a server runs: whatever the state
//! shows must by then be in the log. Then the state is read once more: whatever the log showed must by then be in it.

pub(crate) mod balance;
pub(crate) mod buckets;
pub(crate) mod chain;
pub(crate) mod change;
pub(crate) mod entities;
pub(crate) mod ids;
mod record;
mod report;
mod requests;
pub(crate) mod row;
pub(crate) mod view;

use arrow::array::RecordBatch;
use compactor::Limits;
use futures::TryStreamExt;
use iceberg::table::Table;
use ingest::ErrorKind;
use ingest::store::EntityRef;
use ingest::store::sqlite::{Batch, SqliteReader};

pub use report::{Check, Report};

use self::chain::Tombstones;
use self::change::Standing;
use self::entities::{Entities, When};
use self::ids::{Found, Ids};
use self::view::{Seen, View};
use crate::failure::{Failure, Result};
use crate::installation::Installation;

/// Entities, and bytes of batches, that are read at a time.
const PAGE: usize = 4_096;
const BATCH_BYTES: usize = 16 << 20;

/// How much of the log is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// All of it: each event is hashed, each line of the raw objects is counted.
    Whole,
    /// The table's columns that the other checks need, and what is not compacted yet.
    Columns,
}

/// What the store showed before the log was read, beside its states.
#[derive(Default)]
struct Before {
    outbox: Vec<Batch>,
    relayed_to: i64,
}

/// Checks I1, I2, I4, I5, I6 and I7 on an installation; what only the whole log shows, only with [`Depth::Whole`].
///
/// Memory: the same for a log of any length, but for what is not compacted or not relayed and the names of raw objects.
///
/// # Errors
/// Something could not be read at all; what is read and wrong stands in the report.
pub async fn verify(installation: &Installation, depth: Depth) -> Result<Report> {
    let reader = installation.reader()?;
    let (mut ids, mut view) = (Ids::new(installation.folder()), View::new(installation.folder()));
    let before = match &reader {
        Some(reader) => read_store(reader, &mut view).await?,
        None => Before::default(),
    };
    let table = installation.lake().await?.load().await?;
    let raw = installation.raw();
    let tail = compactor::tail(&table, &raw, installation.now(), Limits::default()).await?;

    let mut report = Report::default();
    let (rows, balance, soundness) = tokio::try_join!(
        read_log(&table, &tail.batches, depth, &mut ids, &mut view),
        balance::check(&table, &raw, depth),
        soundness(reader.as_ref(), installation),
    )?;
    for batch in &before.outbox {
        batch.decode()?.iter().try_for_each(|event| view.add_awaited(&mut ids, event))?;
    }
    if let Some(reader) = &reader {
        ask_for_relayed(reader, before.relayed_to, &mut ids).await?;
    }
    let found = ids.find().await?;
    report.add(view::uniqueness(rows, found.twice));
    report.add_all(balance.into_checks(view.sources()));
    if depth == Depth::Whole {
        report.add(view.hashes(found.events));
    }
    if reader.is_some() {
        report.add(durability(&found));
        report.add_all(soundness);
        report.add(view.bodies(|body| installation.folder().join(body).is_file())?);
    }
    let (requests, mut entities) = view.requests(found.events).await?;
    report.add(requests);
    if let Some(reader) = &reader {
        read_entities(reader, When::After, &mut entities).await?;
    }
    let (mut versions, folds) = chain::check(entities, reader.is_some().then_some(Tombstones::Stay)).await?;
    if let Some(reader) = &reader {
        match reader.first_unplaced().await {
            Ok(None) => {}
            Ok(Some(entity)) => versions
                .offend(|| format!("{}: the store cannot find all of its versions in its log", chain::name(&entity))),
            Err(error) if error.kind() == ErrorKind::Corrupt => versions.offend(|| error.to_string()),
            Err(error) => return Err(error.into()),
        }
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

/// Reads every event of the log but the outbox: the table, what is not compacted. Gives the number of the table's rows.
///
/// Rows are decoded here, and looked at by other threads.
pub(crate) async fn read_log(
    table: &Table,
    tail: &[RecordBatch],
    depth: Depth,
    ids: &mut Ids,
    view: &mut View,
) -> Result<u64> {
    let rows = compactor::scan(table, &view::columns(depth)).await?.map_err(Failure::from);
    let look_at = move |batch: RecordBatch| {
        let seen = tokio::task::spawn_blocking(move || Ok((batch.num_rows() as u64, Seen::of(&batch, depth)?)));
        async move { seen.await.map_err(Failure::while_("look at rows"))? }
    };
    let mut rows = rows.map_ok(look_at).try_buffered(2 * buckets::threads());
    let mut count = 0;
    while let Some((rows, seen)) = rows.try_next().await? {
        count += rows;
        view.add_rows(ids, &seen)?;
    }
    for batch in tail {
        view.add_tail(ids, &Seen::of(batch, depth)?)?;
    }
    Ok(count)
}

async fn read_store(reader: &SqliteReader, view: &mut View) -> Result<Before> {
    let relayed_to = reader.relayed_to().await?;
    read_entities(reader, When::Before, &mut view.entities).await?;
    let mut before = Before { relayed_to, outbox: Vec::new() };
    let mut seq = relayed_to;
    loop {
        let batches = reader.batches(seq, BATCH_BYTES).await?;
        let Some(last) = batches.last() else { break };
        seq = last.seq;
        for batch in &batches {
            batch.ids()?.into_iter().for_each(|id| view.await_event(id));
        }
        before.outbox.extend(batches);
    }
    Ok(before)
}

/// Notes where all entities of the store stand.
pub(crate) async fn read_entities(reader: &SqliteReader, when: When, entities: &mut Entities) -> Result<()> {
    let mut after: Option<EntityRef> = None;
    loop {
        let page = reader.entities(after, PAGE).await?;
        for (entity, stored) in &page {
            entities.add_standing(when, &Standing::of(entity, stored))?;
        }
        match page.into_iter().next_back() {
            Some((last, _)) => after = Some(last),
            None => return Ok(()),
        }
    }
}

/// I1: the store, if there is one, holds what was written to it.
async fn soundness(reader: Option<&SqliteReader>, installation: &Installation) -> Result<Option<Check>> {
    let Some(reader) = reader else { return Ok(None) };
    let mut check = Check::new("I1", "the store holds what was written to it: each page, row and place");
    let folder = installation.folder().to_owned();
    let found = reader.soundness(move |key| folder.join(key).is_file()).await?;
    check.checked = found.events;
    check.offender = found.offender;
    Ok(Some(check))
}

/// Asks for every event that the store has relayed.
async fn ask_for_relayed(reader: &SqliteReader, relayed_to: i64, ids: &mut Ids) -> Result<()> {
    let mut seq = 0;
    while seq < relayed_to {
        let batches = reader.batches(seq, BATCH_BYTES).await?;
        let Some(last) = batches.last() else { return Ok(()) };
        seq = last.seq;
        for batch in batches.iter().filter(|batch| batch.seq <= relayed_to) {
            batch.ids()?.into_iter().try_for_each(|id| ids.ask(batch.seq, id))?;
        }
    }
    Ok(())
}

/// I1: every event that the store has relayed is in the table or in a raw object.
fn durability(found: &Found) -> Check {
    let mut check = Check::new("I1", "every acknowledged event of the store is in the log");
    check.checked = found.asked;
    let first = found.missing.first();
    check.offender = first.map(|(seq, id)| format!("event {id} of batch {seq} is in no raw object"));
    check
}
