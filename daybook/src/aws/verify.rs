//! Proves that log, table and state of a deployment agree, and relays what the log lacks.
//!
//! As on one machine, the store's states are read before the log and the store once more after it, so that the proof
//! also holds while requests come.

use std::collections::HashSet;

use compactor::Limits;
use event::{Event, EventId};
use ingest::aws::{Found, StoreAudit};

use super::deployment::Deployment;
use crate::failure::Result;
use crate::verify::chain::Tombstones;
use crate::verify::change::Standing;
use crate::verify::entities::{Entities, When};
use crate::verify::ids::{self, Ids};
use crate::verify::view::View;
use crate::verify::{Check, Depth, Report, balance, chain, read_log, view};

/// How long an event may be under way from the store to the log, microseconds: the longest buffering of Firehose,
/// and what stream and relay take.
const UNDER_WAY: i64 = 20 * 60 * 1_000_000;
/// Bytes of the lines of one object that a repair writes, about.
const OBJECT: usize = 1 << 20;

/// Checks I1, I2, I4, I5 and I7 on a deployment, what only the whole log shows only with [`Depth::Whole`]; with `repair`, events of the store that the log lacks are written to
/// the raw log first, whatever held them up.
///
/// Memory: the same for a log of any length, but for what is not compacted, the events that the log lacks, and the names
/// of objects.
///
/// # Errors
/// Something could not be read, or repaired, at all; what is read and wrong stands in the report.
pub async fn verify(deployment: &Deployment, depth: Depth, repair: bool) -> Result<Report> {
    let (audit, aside) = (deployment.audit(), std::env::temp_dir());
    let (mut ids, mut view) = (Ids::new(&aside), View::new(&aside));
    read_states(&audit, When::Before, &mut view.entities, None).await?;
    let table = deployment.lake().await?.load().await?;
    let raw = deployment.raw();
    let now = (deployment.system().now)();
    let tail = compactor::tail(&table, &raw, now, Limits::default()).await?;

    let mut report = Report::default();
    let read = read_log(&table, &tail.batches, depth, &mut ids, &mut view);
    let (rows, balance) = tokio::try_join!(read, balance::check(&table, &raw, depth))?;
    report.add_all(balance.into_checks(view.sources()));

    // An event is written with the state that it makes: whatever state was seen before, its event is there by now.
    read_states(&audit, When::After, &mut view.entities, Some(&mut ids)).await?;
    let found = ids.find().await?;
    report.add(view::uniqueness(rows, found.twice));
    let mut missing = read_missing(&audit, &found).await?;
    missing.sort_by_key(|event| (event.received_at, event.event_id));
    report.add(durability(found.asked, &missing, now.micros() - UNDER_WAY, repair));
    if repair {
        relay(deployment, &missing).await?;
    }
    missing.iter().try_for_each(|event| view.add(event))?;
    let bodies = audit.bodies().await?;
    if depth == Depth::Whole {
        report.add(view.hashes(found.events + missing.len() as u64));
    }
    report.add(view.bodies(|body| bodies.contains(body))?);
    let (versions, folds) = chain::check(view.entities, Some(Tombstones::Expire)).await?;
    report.add(versions);
    report.add(folds);
    Ok(report)
}

/// Notes where all entities of the store stand, and asks for its events if `ids` are given.
async fn read_states(audit: &StoreAudit, when: When, entities: &mut Entities, mut ids: Option<&mut Ids>) -> Result<()> {
    let mut noted = Ok(());
    let take = |found| {
        let done = match (found, &mut ids) {
            (Found::State(entity, stored), _) => entities.add_standing(when, &Standing::of(&entity, &stored)),
            (Found::Event(event), Some(ids)) => ids.ask(0, event.event_id),
            (Found::Event(_), None) => Ok(()),
        };
        if noted.is_ok() {
            noted = done;
        }
    };
    audit.read(take).await?;
    noted
}

/// The store's events that the log lacks. Most often there are none; else the store is read once more.
async fn read_missing(audit: &StoreAudit, found: &ids::Found) -> Result<Vec<Event>> {
    let (wanted, mut missing): (HashSet<EventId>, _) = (found.missing.iter().map(|(_, id)| *id).collect(), Vec::new());
    if !wanted.is_empty() {
        let take = |found| match found {
            Found::Event(event) if wanted.contains(&event.event_id) => missing.push(*event),
            _ => {}
        };
        audit.read(take).await?;
    }
    Ok(missing)
}

/// I1: every event of the store is in the log, unless it is so new that it may be under way.
fn durability(asked: u64, missing: &[Event], under_way_since: i64, repair: bool) -> Check {
    let mut check = Check::new("I1", "every acknowledged event of the store is in the log");
    check.checked = asked;
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
