//! Proves that log, table and state of a deployment agree, and relays what the log lacks.
//!
//! As on one machine, the store's states are read before the log and the store once more after it, so that the proof
//! also holds while requests come.

use std::collections::HashMap;

use compactor::Limits;
use event::Event;
use ingest::aws::{Found, StoreAudit};
use ingest::store::{EntityRef, Stored};

use super::deployment::Deployment;
use crate::failure::Result;
use crate::verify::chain::Tombstones;
use crate::verify::view::View;
use crate::verify::{Check, Report, balance, chain, read_log};

/// How long an event may be under way from the store to the log, microseconds: the longest buffering of Firehose,
/// and what stream and relay take.
const UNDER_WAY: i64 = 20 * 60 * 1_000_000;
/// Bytes of the lines of one object that a repair writes, about.
const OBJECT: usize = 1 << 20;

/// What the store showed after the log was read.
#[derive(Default)]
struct After {
    states: HashMap<EntityRef, Stored>,
    /// How many events it has.
    events: u64,
    /// Those that the log did not show.
    missing: Vec<Event>,
}

/// Checks I1, I2, I4, I5 and I7 on a deployment; with `repair`, events of the store that the log lacks are written to
/// the raw log first, whatever held them up.
///
/// Memory: every state, and of the events those that the log lacks.
///
/// # Errors
/// Something could not be read, or repaired, at all; what is read and wrong stands in the report.
pub async fn verify(deployment: &Deployment, repair: bool) -> Result<Report> {
    let audit = deployment.audit();
    let before = read_states(&audit).await?;
    let table = deployment.lake().await?.load().await?;
    let raw = deployment.raw();
    let now = (deployment.system().now)();
    let tail = compactor::tail(&table, &raw, now, Limits::default()).await?;

    let mut report = Report::default();
    let (mut view, uniqueness) = read_log(&table, &tail.batches, std::iter::empty()).await?;
    report.add(uniqueness);
    report.add_all(balance::check(&table, &raw, &view).await?);

    // An event is written with the state that it makes: whatever state was seen before, its event is there by now.
    let mut after = read_store(&audit, &view).await?;
    after.missing.sort_by_key(|event| (event.received_at, event.event_id));
    report.add(durability(&after, now.micros() - UNDER_WAY, repair));
    if repair {
        relay(deployment, &after.missing).await?;
    }
    after.missing.into_iter().for_each(|event| view.add(event));
    let bodies = audit.bodies().await?;
    report.add(view.hashes());
    report.add(view.bodies(|body| bodies.contains(body)));
    let (versions, mut folds) = chain::check(&view, Some(&before));
    chain::check_kept(&view, &after.states, Tombstones::Expire, &mut folds);
    report.add(versions);
    report.add(folds);
    Ok(report)
}

async fn read_states(audit: &StoreAudit) -> Result<HashMap<EntityRef, Stored>> {
    let mut states = HashMap::new();
    let take = |found| {
        if let Found::State(entity, stored) = found {
            states.insert(entity, *stored);
        }
    };
    audit.read(take).await?;
    Ok(states)
}

async fn read_store(audit: &StoreAudit, view: &View) -> Result<After> {
    let mut after = After::default();
    let take = |found| match found {
        Found::State(entity, stored) => drop(after.states.insert(entity, *stored)),
        Found::Event(event) => {
            after.events += 1;
            if !view.has(event.event_id) {
                after.missing.push(*event);
            }
        }
    };
    audit.read(take).await?;
    Ok(after)
}

/// I1: every event of the store is in the log, unless it is so new that it may be under way.
fn durability(after: &After, under_way_since: i64, repair: bool) -> Check {
    let mut check = Check::new("I1", "every acknowledged event of the store is in the log");
    check.checked = after.events;
    let (late, under_way): (Vec<&Event>, Vec<&Event>) =
        after.missing.iter().partition(|event| event.received_at.micros() < under_way_since);
    match (late.first(), repair) {
        (_, true) => check.detail = format!("{} were missing and have been relayed", after.missing.len()),
        (None, false) => check.detail = format!("{} are under way", under_way.len()),
        (Some(first), false) => {
            let (late, id, at) = (late.len(), first.event_id, first.received_at);
            check.offend(|| format!("{late} are missing, the first is event {id} of {at}; --repair relays them"));
        }
    }
    check
}

/// Writes events to the raw log as the relay would. An event that gets there on its way, too, is a duplicate.
async fn relay(deployment: &Deployment, missing: &[Event]) -> Result<()> {
    let sink = deployment.raw_sink();
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let (mut first, mut bytes) = (None, 0);
    for (index, event) in missing.iter().enumerate() {
        let line = event.to_line();
        bytes += line.len();
        lines.push(line);
        let first_id = *first.get_or_insert(event.event_id);
        if bytes >= OBJECT || index + 1 == missing.len() {
            sink.put_lines(&first_id.to_string(), &lines).await?;
            lines.clear();
            (first, bytes) = (None, 0);
        }
    }
    Ok(())
}
