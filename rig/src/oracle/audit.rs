//! Holds what is there against what a client sent and heard.

use std::collections::{BTreeMap, HashMap, HashSet};

use event::Event;

use super::chain::{self, Changes};
use super::{Attempt, Evidence, Heard};

/// What was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Rows of the table, by their type.
    pub types: BTreeMap<String, u64>,
    /// Requests whose answer named an event.
    pub recorded: u64,
    /// Requests whose answer said that nothing was recorded, or that had none.
    pub unknown: u64,
    /// … of which the log has an event.
    pub unknown_but_logged: u64,
    /// Purposes that carried an idempotency key, and how many of them were sent more than once.
    pub keyed: (u64, u64),
    /// Raw lines that were left out of the table since their event was in it.
    pub duplicates: u64,
}

/// Checks I1–I7 for everything that the ledger has.
///
/// # Errors
/// The first contradiction, with the number of the invariant that it breaks.
pub fn audit(attempts: &[Attempt], evidence: &Evidence) -> Result<Sums, String> {
    let rows = &evidence.rows;
    check_rows(rows)?;
    check_counts(evidence)?;
    let by_request = assign(attempts, rows)?;
    let mut sums = Sums { duplicates: evidence.counts.duplicates, ..Sums::default() };
    for row in rows {
        *sums.types.entry(row.event_type.clone()).or_default() += 1;
    }
    for attempt in attempts {
        check_attempt(attempt, by_request.get(attempt.sent.name.as_str()).copied(), &mut sums)?;
    }
    check_purposes(attempts, &by_request, &mut sums)?;
    let changes = chain::changes(rows)?;
    chain::check(&changes, &evidence.stored)?;
    check_order(attempts, &by_request, &changes)?;
    check_bodies(evidence)?;
    Ok(sums)
}

/// I2, and that no row was altered on its way.
fn check_rows(rows: &[Event]) -> Result<(), String> {
    let mut ids = HashSet::new();
    for row in rows {
        if !ids.insert(row.event_id) {
            return Err(format!("I2: event {} is in the table twice", row.event_id));
        }
        if !row.hash_holds() {
            return Err(format!("I4: event {} is not what was sealed", row.event_id));
        }
    }
    Ok(())
}

/// I7, and I1 from the raw log's side.
fn check_counts(Evidence { rows, counts, raw_lines, raw_ids, .. }: &Evidence) -> Result<(), String> {
    if counts.lines != *raw_lines || counts.lines != counts.rows + counts.duplicates + counts.quarantined {
        return Err(format!("I7: {raw_lines} raw lines, and the table counts {counts:?}"));
    }
    if counts.rows != rows.len() as u64 {
        return Err(format!("I7: the table has {} rows and counts {}", rows.len(), counts.rows));
    }
    let missing = raw_ids.iter().find(|id| !rows.iter().any(|row| row.event_id.to_string() == **id));
    match missing {
        Some(id) => Err(format!("I1: event {id} is in a raw object and not in the table")),
        None => Ok(()),
    }
}

/// I3: each row is the event of a request that was sent, and of no other's.
fn assign<'a>(attempts: &[Attempt], rows: &'a [Event]) -> Result<HashMap<&'a str, &'a Event>, String> {
    let sent: HashMap<&str, &Attempt> = attempts.iter().map(|attempt| (attempt.sent.name.as_str(), attempt)).collect();
    let mut by_request = HashMap::new();
    for row in rows {
        let name = row.user_agent.as_deref().unwrap_or_default();
        let Some(attempt) = sent.get(name) else {
            return Err(format!("I3: nobody sent the request of event {} ({name})", row.event_id));
        };
        let of_row = (&row.method, &row.path, &row.request_body_sha256);
        if of_row != (&attempt.sent.method, &attempt.sent.path, &attempt.sent.body_sha256) {
            return Err(format!("I3: event {} is not what {:?} was", row.event_id, attempt.sent));
        }
        if let Some(other) = by_request.insert(name, row) {
            return Err(format!("I6: {name} has two events, {} and {}", other.event_id, row.event_id));
        }
    }
    Ok(by_request)
}

/// I1 and I6: what was answered with an event has that event, with that answer.
fn check_attempt(attempt: &Attempt, row: Option<&Event>, sums: &mut Sums) -> Result<(), String> {
    match (&attempt.heard, row) {
        (Heard::Recorded { .. }, None) => Err(format!("I1: the event of {attempt:?} is missing")),
        (Heard::Recorded { status, event_id }, Some(row)) => {
            if row.event_id.to_string() != *event_id || row.status != i32::from(*status) {
                let found = (row.event_id, &row.event_type, row.status);
                return Err(format!("I1: the log has {found:?} for {attempt:?}"));
            }
            sums.recorded += 1;
            Ok(())
        }
        (Heard::Unrecorded { .. } | Heard::Nothing, row) => {
            sums.unknown += 1;
            sums.unknown_but_logged += u64::from(row.is_some());
            Ok(())
        }
    }
}

/// I3: what is repeated under an idempotency key happens at most once, and once if it was ever answered with success.
fn check_purposes(attempts: &[Attempt], rows: &HashMap<&str, &Event>, sums: &mut Sums) -> Result<(), String> {
    let mut purposes: BTreeMap<&str, Vec<&Attempt>> = BTreeMap::new();
    for attempt in attempts.iter().filter(|attempt| attempt.sent.keyed) {
        purposes.entry(&attempt.sent.purpose).or_default().push(attempt);
    }
    for (purpose, attempts) in purposes {
        let changes: Vec<_> = attempts
            .iter()
            .filter_map(|attempt| rows.get(attempt.sent.name.as_str()))
            .filter(|row| !row.event_type.starts_with("request."))
            .map(|row| row.event_id)
            .collect();
        let succeeded = attempts.iter().any(|attempt| attempt.heard.is_success());
        let all_known = attempts.iter().all(|attempt| attempt.heard.is_known());
        let allowed = match (succeeded, all_known) {
            (true, _) => 1..=1,
            (false, true) => 0..=0,
            (false, false) => 0..=1,
        };
        if !allowed.contains(&changes.len()) {
            return Err(format!("I3: {purpose} happened {} times ({changes:?}): {attempts:?}", changes.len()));
        }
        sums.keyed.0 += 1;
        sums.keyed.1 += u64::from(attempts.len() > 1);
    }
    Ok(())
}

/// Who was answered before another one asked is seen by it: a later change has a higher version, a later read shows at
/// least that version, and none shows a version whose change had not begun.
fn check_order(attempts: &[Attempt], rows: &HashMap<&str, &Event>, changes: &Changes<'_>) -> Result<(), String> {
    let asked: HashMap<&str, &Attempt> = attempts.iter().map(|attempt| (attempt.sent.name.as_str(), attempt)).collect();
    let attempt_of = |event: &Event| asked.get(event.user_agent.as_deref().unwrap_or_default()).copied();
    for (attempt, row) in attempts.iter().filter_map(|attempt| Some((attempt, *rows.get(attempt.sent.name.as_str())?)))
    {
        let is_change = !row.event_type.starts_with("request.");
        // A query asks for an earlier version.
        let is_read = row.event_type == "request.read" && row.operation.as_deref() == Some("read");
        let is_read = is_read && row.query_string.is_none();
        let (Some(kind), Some(id), Some(version)) = (&row.entity_type, &row.entity_id, row.entity_version) else {
            continue;
        };
        let Some(versions) = changes.get(&chain::entity(row, kind, id)).filter(|_| is_change || is_read) else {
            continue;
        };
        for (other, change) in versions {
            let Some(changed) = attempt_of(change) else { continue };
            let before = changed.heard.is_success() && changed.ended < attempt.begun;
            if before && (*other > version || (is_change && *other == version)) {
                return Err(format!("order: {attempt:?} has version {version}, {other} was answered before it began"));
            }
            if *other == version && changed.begun > attempt.ended {
                return Err(format!("order: {attempt:?} shows version {version}, which came later"));
            }
        }
    }
    Ok(())
}

/// I1 for bodies: what was set aside is what was sent.
fn check_bodies(evidence: &Evidence) -> Result<(), String> {
    for row in &evidence.rows {
        let Some(key) = &row.request_body_ref else { continue };
        let found = evidence.bodies.get(key).cloned().flatten();
        if found != row.request_body_sha256 {
            return Err(format!("I1: event {} has its body in {key}, where there is {found:?}", row.event_id));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
