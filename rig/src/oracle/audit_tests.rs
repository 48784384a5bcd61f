//! The audit finds what it is there for: each test breaks one thing in evidence that is otherwise sound.

use std::collections::BTreeMap;

use compactor::Counts;
use event::domain::{Operation, State, evolve, task};
use event::{Event, EventId, Timestamp, sha256_hex};
use ingest::store::Stored;
use serde_json::json;

use super::*;
use crate::oracle::Sent;
use crate::oracle::chain::entity;

/// A client that made a task, changed it twice, read it, submitted a large body, was refused, and heard nothing once.
fn sound() -> (Vec<Attempt>, Evidence) {
    let id = EventId::from_u128(1).to_string();
    let path = format!("/tasks/{id}");
    let mut attempts = Vec::new();
    let mut rows: Vec<Event> = Vec::new();
    let mut state: Option<State> = None;
    for (number, (method, path, operation, status)) in [
        ("POST", "/tasks", Some(Operation::Create), 201),
        ("PUT", path.as_str(), Some(Operation::Update), 200),
        ("PUT", path.as_str(), Some(Operation::Update), 200),
        ("GET", path.as_str(), Some(Operation::Read), 200),
        ("POST", "/data", None, 201),
        ("PATCH", "/tasks", None, 405),
        ("GET", "/tasks", None, 200),
    ]
    .into_iter()
    .enumerate()
    {
        let event = event(number, method, path, operation, status, state.as_ref(), rows.last());
        if event.event_type.starts_with("task.") {
            state = Some(evolve(state.as_ref(), &event).unwrap());
        }
        let sent = sent(number, method, path, event.request_body_sha256.clone());
        let heard = Heard::Recorded { status, event_id: event.event_id.to_string() };
        let (begun, ended) = (number as u64 * 2, number as u64 * 2 + 1);
        attempts.push(Attempt { sent, heard, begun, ended });
        rows.push(event);
    }
    attempts[6].heard = Heard::Nothing;
    let last = &rows[2];
    let stored = Stored {
        version: 3,
        state: state.unwrap(),
        event_id: last.event_id,
        event_hash: last.event_hash.clone(),
        deleted: false,
    };
    let counts = Counts { objects: 1, lines: 8, rows: 7, duplicates: 1, quarantined: 0, ..Counts::default() };
    let evidence = Evidence {
        counts,
        raw_lines: 8,
        raw_ids: rows.iter().map(|row| row.event_id.to_string()).collect(),
        stored: [(entity(last, task::ENTITY, &id), Some(stored))].into(),
        bodies: [("bodies/x".to_owned(), Some(sha256_hex(b"large")))].into(),
        rows,
    };
    (attempts, evidence)
}

fn sent(number: usize, method: &str, path: &str, body_sha256: Option<String>) -> Sent {
    let name = format!("c-{number}");
    let (method, path) = (method.to_owned(), path.to_owned());
    Sent { purpose: name.clone(), name, keyed: number < 3, method, path, body_sha256 }
}

fn event(
    number: usize,
    method: &str,
    path: &str,
    operation: Option<Operation>,
    status: u16,
    state: Option<&State>,
    previous: Option<&Event>,
) -> Event {
    let received_at = Timestamp::from_micros(1_795_132_800_000_000 + number as i64);
    let mut event = Event {
        event_id: EventId::from_u128(number as u128 + 1),
        event_type: if status < 400 { "request.read" } else { "request.rejected" }.to_owned(),
        schema_version: 1,
        received_at,
        tenant: "default".to_owned(),
        user_agent: Some(format!("c-{number}")),
        method: method.to_owned(),
        path: path.to_owned(),
        status: i32::from(status),
        operation: operation.map(|operation| operation.as_str().to_owned()),
        ..Event::default()
    };
    if let Some(operation) = operation {
        event.entity_type = Some(task::ENTITY.to_owned());
        event.entity_id = Some(EventId::from_u128(1).to_string());
        event.entity_version = Some(3);
        if operation != Operation::Read {
            let command = match operation {
                Operation::Create => task::Command::parse_create(r#"{"task":"a"}"#),
                _ => task::Command::parse_update(&json!({ "task": format!("b{number}") }).to_string()),
            };
            let current: Option<task::Task> = state.map(|state| serde_json::from_str(state.as_str()).unwrap());
            let id = event.entity_id.clone().unwrap();
            let change = task::decide(current.as_ref(), command.unwrap(), None, &id, received_at).unwrap();
            event.event_type = change.event_type.to_owned();
            event.entity_version = Some(change.version);
            event.event_data = Some(change.data.to_string());
            event.state_hash = Some(change.state.hash());
            event.prev_event_hash = previous.map(|previous| previous.event_hash.clone());
        }
    } else if path == "/data" {
        event.event_type = "data.submitted".to_owned();
        (event.entity_type, event.entity_id) = (Some("submission".to_owned()), Some(event.event_id.to_string()));
        event.entity_version = Some(1);
        event.request_body_ref = Some("bodies/x".to_owned());
        event.request_body_sha256 = Some(sha256_hex(b"large"));
    }
    event.sealed()
}

/// Breaks something, and expects a finding that begins so.
#[track_caller]
fn check(expect: &str, break_it: impl FnOnce(&mut Vec<Attempt>, &mut Evidence)) {
    let (mut attempts, mut evidence) = sound();
    break_it(&mut attempts, &mut evidence);
    let found = audit(&attempts, &evidence).expect_err(expect);
    assert!(found.starts_with(expect), "expected {expect}, found {found}");
}

/// Takes a row out of the table, and out of every count.
fn remove(evidence: &mut Evidence, index: usize) -> Event {
    let row = evidence.rows.remove(index);
    evidence.raw_ids.remove(&row.event_id.to_string());
    evidence.counts.rows -= 1;
    evidence.counts.lines -= 1;
    evidence.raw_lines -= 1;
    row
}

/// Puts another row into the table.
fn add(evidence: &mut Evidence, row: Event) {
    evidence.rows.push(row);
    evidence.counts.rows += 1;
    evidence.counts.lines += 1;
    evidence.raw_lines += 1;
}

/// Changes a row, with the hash that it is sealed by.
fn reseal(evidence: &mut Evidence, index: usize, change: impl FnOnce(&mut Event)) {
    let mut row = evidence.rows[index].clone();
    change(&mut row);
    evidence.rows[index] = row.sealed();
}

#[test]
fn what_is_sound_is_sound() {
    let (attempts, evidence) = sound();
    let sums = audit(&attempts, &evidence).unwrap();
    assert_eq!((sums.recorded, sums.unknown, sums.unknown_but_logged), (6, 1, 1));
    assert_eq!((sums.keyed, sums.duplicates), ((3, 0), 1));
    let types =
        [("data.submitted", 1), ("request.read", 2), ("request.rejected", 1), ("task.created", 1), ("task.updated", 2)];
    assert_eq!(sums.types, types.map(|(name, count)| (name.to_owned(), count)).into());
}

#[test]
fn an_unknown_outcome_is_once_or_never() {
    let (attempts, mut evidence) = sound();
    remove(&mut evidence, 6);
    let sums = audit(&attempts, &evidence).unwrap();
    assert_eq!((sums.unknown, sums.unknown_but_logged), (1, 0));
}

#[test]
fn what_was_answered_is_there_with_its_answer() {
    check("I1: the event of", |_, evidence| drop(remove(evidence, 5)));
    check("I1: the log has", |attempts, _| {
        attempts[5].heard = Heard::Recorded { status: 404, event_id: EventId::from_u128(6).to_string() };
    });
    check("I1: the log has", |attempts, _| {
        attempts[5].heard = Heard::Recorded { status: 405, event_id: EventId::from_u128(99).to_string() };
    });
    check("I1: event", |_, evidence| assert!(evidence.raw_ids.insert("another".to_owned())));
    check("I1: event", |_, evidence| drop(evidence.bodies.insert("bodies/x".to_owned(), None)));
    check("I1: event", |_, evidence| evidence.bodies = BTreeMap::new());
}

#[test]
fn nothing_is_there_twice() {
    check("I2", |_, evidence| {
        let row = evidence.rows[3].clone();
        add(evidence, row);
    });
    check("I6", |_, evidence| {
        let row = Event { event_id: EventId::from_u128(50), ..evidence.rows[3].clone() }.sealed();
        add(evidence, row);
    });
}

#[test]
fn nothing_is_there_that_nobody_sent() {
    check("I3: nobody", |_, evidence| reseal(evidence, 3, |row| row.user_agent = Some("somebody".to_owned())));
    check("I3: nobody", |_, evidence| reseal(evidence, 3, |row| row.user_agent = None));
    check("I3: event", |_, evidence| reseal(evidence, 4, |row| row.request_body_sha256 = Some("00".to_owned())));
}

#[test]
fn what_is_repeated_under_a_key_happens_once() {
    // The two changes as two attempts of one purpose.
    check("I3: c-1 happened 2 times", |attempts, _| attempts[2].sent.purpose = "c-1".to_owned());
    // A refusal, though the change was made.
    check("I1: the log has", |attempts, _| {
        attempts[2].heard = Heard::Recorded { status: 503, event_id: EventId::from_u128(3).to_string() };
    });
    let (mut attempts, evidence) = sound();
    attempts[2].heard = Heard::Unrecorded { status: 503 };
    audit(&attempts, &evidence).expect("an unknown outcome may be a change");
}

#[test]
fn versions_have_no_gap_and_are_chained() {
    check("I4: task", |attempts, evidence| {
        remove(evidence, 1);
        attempts[1].heard = Heard::Nothing;
    });
    check("I4: task", |_, evidence| reseal(evidence, 1, |row| row.prev_event_hash = Some("00".to_owned())));
    check("I4: ", |_, evidence| reseal(evidence, 2, |row| row.entity_version = Some(2)));
    check("I4: event", |_, evidence| evidence.rows[1].status = 201);
    check("I4: the change", |_, evidence| reseal(evidence, 1, |row| row.entity_version = None));
}

#[test]
fn the_state_is_the_fold() {
    check("I5", |_, evidence| evidence.stored.values_mut().for_each(|stored| *stored = None));
    check("I5", |_, evidence| evidence.stored.values_mut().flatten().for_each(|stored| stored.version = 2));
    check("I5", |_, evidence| evidence.stored.values_mut().flatten().for_each(|stored| stored.deleted = true));
    check("I5", |_, evidence| reseal(evidence, 2, |row| row.state_hash = Some("00".to_owned())));
    check("I5", |_, evidence| reseal(evidence, 2, |row| row.event_data = Some("{}".to_owned())));
}

#[test]
fn the_sums_are_right() {
    check("I7", |_, evidence| evidence.raw_lines += 1);
    check("I7", |_, evidence| evidence.counts.duplicates += 1);
    check("I7", |_, evidence| {
        evidence.counts.rows += 1;
        evidence.counts.duplicates -= 1;
    });
}

#[test]
fn who_comes_later_sees_what_came_before() {
    // The read shows version 1, though 3 was answered before it began.
    check("order", |_, evidence| reseal(evidence, 3, |row| row.entity_version = Some(1)));
    // The read was answered before the change began that it shows.
    check("order", |attempts, _| (attempts[3].begun, attempts[3].ended) = (2, 3));
    // Version 3 was answered before the request of version 2 began.
    check("order", |attempts, _| {
        (attempts[2].begun, attempts[2].ended) = (0, 1);
        (attempts[0].begun, attempts[0].ended) = (0, 1);
    });
}
