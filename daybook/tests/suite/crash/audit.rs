//! Holds the log against the ledgers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::ledger::{Attempt, Line};
use crate::support::{Logged, raw_events, table_rows};

/// The `User-Agent` of requests that stand in no ledger: they ask whether a server is there.
pub const PROBE: &str = "probe";

/// What was compared.
#[derive(Debug, Default)]
#[expect(dead_code, reason = "printed")]
pub struct Sums {
    pub events: u64,
    pub acknowledged: u64,
    pub unknown: u64,
    pub unknown_but_logged: u64,
    pub not_sent: u64,
    pub refused_by_the_store: u64,
    pub purposes_with_key: u64,
    pub repeated: u64,
    pub types: BTreeMap<String, u64>,
}

/// What a client heard.
enum Heard<'a> {
    Answer { status: u16, event_id: &'a str },
    Nothing { sent: bool },
}

/// Checks ledgers and log; panics at the first contradiction.
pub fn check(lines: &[Line], data: &Path) -> Sums {
    let rows = table_rows(data);
    check_table(&rows, data);
    let rows: Vec<Logged> = rows.into_iter().filter(|row| row.user_agent.as_deref() != Some(PROBE)).collect();
    let (attempts, heard) = sort(lines);
    let mut events: HashMap<&str, Vec<&Logged>> = HashMap::new();
    for row in &rows {
        let name = row.user_agent.as_deref().unwrap_or_default();
        // I3: no event without a request.
        let attempt = attempts.get(name).unwrap_or_else(|| panic!("nobody sent {row:?}"));
        let sent = (&attempt.method, &attempt.path, &attempt.body_sha256);
        assert_eq!(sent, (&row.method, &row.path, &row.body_sha256), "{attempt:?} became {row:?}");
        events.entry(name).or_default().push(row);
    }
    let mut sums = Sums { events: rows.len() as u64, ..Sums::default() };
    rows.iter().for_each(|row| *sums.types.entry(row.event_type.clone()).or_default() += 1);
    sums.refused_by_the_store = lines.iter().filter(|line| matches!(line, Line::Unrecorded { .. })).count() as u64;
    for (name, attempt) in &attempts {
        let found = events.get(name).map(Vec::as_slice).unwrap_or_default();
        match (heard.get(name), found) {
            // I1, I6: what was answered is in the log once, with that answer.
            (Some(Heard::Answer { status, event_id }), [event]) => {
                assert_eq!((event.status, event.event_id.as_str()), (*status, *event_id), "{attempt:?}: {event:?}");
                sums.acknowledged += 1;
            }
            (Some(Heard::Nothing { sent: true }), []) => sums.unknown += 1,
            (Some(Heard::Nothing { sent: true }), [_]) => {
                sums.unknown += 1;
                sums.unknown_but_logged += 1;
            }
            (Some(Heard::Nothing { sent: false }), []) => sums.not_sent += 1,
            (Some(Heard::Answer { .. }), found) => panic!("{attempt:?} was answered, the log has {found:?}"),
            (_, found) => panic!("{attempt:?} was not answered, the log has {found:?}"),
        }
    }
    check_purposes(&attempts, &heard, &events, &mut sums);
    sums
}

/// I3: a request that is repeated under its key until it is answered happened once.
fn check_purposes(
    attempts: &BTreeMap<&str, &Attempt>,
    heard: &HashMap<&str, Heard<'_>>,
    events: &HashMap<&str, Vec<&Logged>>,
    sums: &mut Sums,
) {
    let mut purposes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, attempt) in attempts.iter().filter(|(_, attempt)| attempt.key) {
        purposes.entry(&attempt.purpose).or_default().push(name);
    }
    for (purpose, names) in purposes {
        let of_purpose = || names.iter().filter_map(|name| events.get(name)).flatten();
        let changes = of_purpose().filter(|event| event.is_change()).count();
        let answer = names.iter().find_map(|name| match heard.get(name) {
            Some(Heard::Answer { status, .. }) if *status < 500 => Some(*status),
            _ => None,
        });
        let done = answer.is_some_and(|status| status < 300);
        assert_eq!(changes, usize::from(done), "{purpose}: {:?}", of_purpose().collect::<Vec<_>>());
        sums.purposes_with_key += 1;
        sums.repeated += u64::from(names.len() > 1);
    }
}

/// I2 and I4 of the table, and that it has what the raw objects have.
fn check_table(rows: &[Logged], data: &Path) {
    let mut ids = HashSet::new();
    let mut versions: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for row in rows {
        assert!(ids.insert(row.event_id.clone()), "twice in the table: {row:?}");
        if let (true, Some(entity), Some(version)) = (row.is_change(), &row.entity_id, row.version) {
            assert!(versions.entry(entity).or_default().insert(version), "a version twice: {row:?}");
        }
    }
    for (entity, versions) in versions {
        assert!(versions.iter().copied().eq(1..=versions.len() as i64), "{entity} has versions {versions:?}");
    }
    let raw: HashSet<String> = raw_events(data).into_iter().map(|event| event.event_id).collect();
    assert!(raw == ids, "raw objects have {} events, the table {}", raw.len(), ids.len());
}

fn sort(lines: &[Line]) -> (BTreeMap<&str, &Attempt>, HashMap<&str, Heard<'_>>) {
    let (mut attempts, mut heard) = (BTreeMap::new(), HashMap::new());
    for line in lines {
        let earlier = match line {
            Line::Sent(attempt) => attempts.insert(attempt.name.as_str(), attempt).is_some(),
            Line::Answered { name, status, event_id } => {
                heard.insert(name.as_str(), Heard::Answer { status: *status, event_id }).is_some()
            }
            Line::Unrecorded { name } => heard.insert(name.as_str(), Heard::Nothing { sent: true }).is_some(),
            Line::Lost { name, sent } => heard.insert(name.as_str(), Heard::Nothing { sent: *sent }).is_some(),
        };
        assert!(!earlier, "a ledger says twice {line:?}");
    }
    (attempts, heard)
}
