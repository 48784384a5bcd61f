//! Proves that log, table and state of a deployment agree, and relays what the log lacks.
//!
//! As on one machine, the store is read before the log and its states once more after it, so that the proof also holds
//! while requests come.

use std::collections::HashMap;

use compactor::Limits;
use event::Event;
use ingest::aws::{Found, StoreAudit};
use ingest::store::{EntityRef, Stored};

use super::deployment::Deployment;
use crate::failure::Result;
use crate::verify::chain::Tombstones;
use crate::verify::{Check, Report, balance, chain, read_log};

/// How long an event may be under way from the store to the log, microseconds: the longest buffering of Firehose,
/// and what stream and relay take.
const UNDER_WAY: i64 = 20 * 60 * 1_000_000;
/// Lines of one object that a repair writes, at most.
const LINES: usize = 10_000;

/// What the store showed before the log was read.
#[derive(Default)]
struct Before {
    states: HashMap<EntityRef, Stored>,
    events: Vec<Event>,
}

/// Checks I1, I2, I4, I5 and I7 on a deployment; with `repair`, events of the store that the log lacks are written to
/// the raw log first, whatever held them up.
///
/// # Errors
/// Something could not be read, or repaired, at all; what is read and wrong stands in the report.
pub async fn verify(deployment: &Deployment, repair: bool) -> Result<Report> {
    let audit = deployment.audit();
    let before = read_store(&audit).await?;
    let table = deployment.lake().await?.load().await?;
    let raw = deployment.raw();
    let now = (deployment.system().now)();
    let tail = compactor::tail(&table, &raw, now, Limits::default()).await?;

    let mut report = Report::default();
    let (mut view, uniqueness) = read_log(&table, &tail.batches, std::iter::empty()).await?;
    report.add(uniqueness);
    report.add_all(balance::check(&table, &raw, &view).await?);

    let mut missing: Vec<&Event> = before.events.iter().filter(|event| !view.has(event.event_id)).collect();
    missing.sort_by_key(|event| (event.received_at, event.event_id));
    report.add(durability(&before, &missing, now.micros() - UNDER_WAY, repair));
    if repair {
        relay(deployment, &missing).await?;
    }
    before.events.into_iter().for_each(|event| view.add(event));
    let bodies = audit.bodies().await?;
    report.add(view.hashes());
    report.add(view.bodies(|body| bodies.contains(body)));
    let (versions, mut folds) = chain::check(&view, Some(&before.states));
    chain::check_kept(&view, &read_store(&audit).await?.states, Tombstones::Expire, &mut folds);
    report.add(versions);
    report.add(folds);
    Ok(report)
}

async fn read_store(audit: &StoreAudit) -> Result<Before> {
    let mut before = Before::default();
    audit
        .read(|found| match found {
            Found::State(entity, stored) => drop(before.states.insert(entity, *stored)),
            Found::Event(event) => before.events.push(*event),
        })
        .await?;
    Ok(before)
}

/// I1: every event of the store is in the log, unless it is so new that it may be under way.
fn durability(before: &Before, missing: &[&Event], under_way_since: i64, repair: bool) -> Check {
    let mut check = Check::new("I1", "every acknowledged event of the store is in the log");
    check.checked = before.events.len() as u64;
    let (late, under_way): (Vec<&Event>, Vec<&Event>) =
        missing.iter().partition(|event| event.received_at.micros() < under_way_since);
    match (late.first(), repair) {
        (_, true) => check.detail = format!("{} were missing and have been relayed", missing.len()),
        (None, false) => check.detail = format!("{} are under way", under_way.len()),
        (Some(first), false) => {
            let (late, id, at) = (late.len(), first.event_id, first.received_at);
            check.offend(|| format!("{late} are missing, the first is event {id} of {at}; --repair relays them"));
        }
    }
    check
}

/// Writes events to the raw log as the relay would. An event that gets there on its way, too, is a duplicate.
async fn relay(deployment: &Deployment, missing: &[&Event]) -> Result<()> {
    let sink = deployment.raw_sink();
    for events in missing.chunks(LINES) {
        let Some(first) = events.first() else { continue };
        let lines: Vec<Vec<u8>> = events.iter().map(|event| event.to_line()).collect();
        sink.put_lines(&first.event_id.to_string(), &lines).await?;
    }
    Ok(())
}
