//! The log as `verify` needs it: which events there are, and what changed each entity.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use event::domain::{fold, submission};
use event::{COLUMNS, Event, EventId, Origin};
use ingest::store::EntityRef;
use sha2::{Digest, Sha256};

use super::report::Check;
use super::row::Lines;
use crate::failure::{Failure, Result};

/// The columns that the view is made from: all that the line has, and the object that it stood in.
pub fn columns() -> Vec<&'static str> {
    let of_line = COLUMNS.iter().filter(|column| column.origin == Origin::Line).map(|column| column.name);
    of_line.chain([RAW_OBJECT]).collect()
}

/// The table's column that names the raw object of a row.
const RAW_OBJECT: &str = "raw_object";

/// The road of events whose requests have ids of our own.
const OWN: &str = "local";

/// Event ids are random in 74 of their bits: they need no hash but their own.
#[derive(Debug, Default, Clone, Copy)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, id: u128) {
        let [high, low] = [(id >> 64) as u64, id as u64];
        self.0 = (low ^ high.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Ids = HashSet<u128, BuildHasherDefault<IdHasher>>;

/// Every event once, whether it stands in the table, in a raw object or in the outbox.
///
/// Memory: some 30 bytes an event, as much again where the request's id is another than the event's, the domain part of
/// each change, the names of raw objects and of bodies set aside.
#[derive(Default)]
pub struct View {
    ids: Ids,
    first_duplicate: Option<EventId>,
    broken_hash: Option<EventId>,
    requests: Ids,
    first_shared: Option<(EventId, String)>,
    changes: BTreeMap<EntityRef, BTreeMap<i64, Vec<Event>>>,
    bodies: Vec<(EventId, String)>,
    sources: HashSet<String>,
}

/// The rows of a batch that changed an entity, submissions included.
///
/// # Errors
/// The batch lacks a column.
pub fn changes(batch: &RecordBatch) -> Result<Vec<usize>> {
    let (types, kinds) = (texts(batch, "event_type")?, texts(batch, "entity_type")?);
    let is_change = |row: &usize| {
        let kind = kinds.is_valid(*row).then(|| kinds.value(*row));
        let known = kind.is_some_and(|kind| fold::has_state(kind) || kind == submission::ENTITY);
        known && !types.value(*row).starts_with("request.")
    };
    Ok((0..batch.num_rows()).filter(is_change).collect())
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| Failure::new(format!("the table has no column {name} of texts")))
}

impl View {
    /// Adds the events of a batch of rows.
    pub fn add_rows(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut lines = Lines::of(batch)?;
        let (ids, requests) = (texts(batch, "event_id")?, texts(batch, "request_id")?);
        let (paths, bodies) = (texts(batch, "ingest_path")?, texts(batch, "request_body_ref")?);
        for row in 0..batch.num_rows() {
            let id: EventId = ids.value(row).parse().map_err(Failure::while_("read a row as an event"))?;
            if !self.ids.insert(id.as_u128()) {
                self.first_duplicate.get_or_insert(id);
                continue;
            }
            if !lines.is_sealed(row) {
                self.broken_hash.get_or_insert(id);
            }
            if bodies.is_valid(row) {
                self.bodies.push((id, bodies.value(row).to_owned()));
            }
            // Elsewhere others choose the ids of requests: a gateway's client, another server's log.
            if paths.value(row) == OWN {
                self.add_request(id, ids.value(row), requests.value(row));
            }
        }
        for row in changes(batch)? {
            self.add_change(lines.event(row)?);
        }
        Ok(())
    }

    /// Notes that an event is about a request (I6). One that has its event's id is told apart by that.
    fn add_request(&mut self, id: EventId, text: &str, request: &str) {
        if text == request {
            return;
        }
        let digest = Sha256::digest(request);
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        if !self.requests.insert(u128::from_be_bytes(key)) {
            self.first_shared.get_or_insert_with(|| (id, request.to_owned()));
        }
    }

    /// Whether every request has one event: no two events of the log name the same one.
    pub fn requests(&self) -> Check {
        let mut check = Check::new("I6", "no two events of this server are about the same request");
        check.checked = self.ids.len() as u64;
        let shared = self.first_shared.as_ref();
        check.offender =
            shared.map(|(id, request)| format!("event {id} is about request {request}, which has another"));
        check
    }

    /// Notes which raw objects the table's rows were made from.
    pub fn add_sources(&mut self, batch: &RecordBatch) {
        let sources = batch.column_by_name(RAW_OBJECT).and_then(|array| array.as_string_opt::<i32>());
        for source in sources.into_iter().flatten().flatten() {
            if !self.sources.contains(source) {
                self.sources.insert(source.to_owned());
            }
        }
    }

    /// Adds an event, unless it is there already.
    pub fn add(&mut self, event: Event) {
        if !self.ids.insert(event.event_id.as_u128()) {
            return;
        }
        if !event.hash_holds() {
            self.broken_hash.get_or_insert(event.event_id);
        }
        if let Some(body) = &event.request_body_ref {
            self.bodies.push((event.event_id, body.clone()));
        }
        if event.ingest_path == OWN {
            self.add_request(event.event_id, &event.event_id.to_string(), &event.request_id);
        }
        self.add_change(event);
    }

    fn add_change(&mut self, event: Event) {
        let (Some(kind), Some(id), Some(version)) = (&event.entity_type, &event.entity_id, event.entity_version) else {
            return;
        };
        if event.event_type.starts_with("request.") || !fold::has_state(kind) {
            return;
        }
        let entity = EntityRef { tenant: event.tenant.clone(), kind: kind.clone(), id: id.clone() };
        self.changes.entry(entity).or_default().entry(version).or_default().push(domain_part(event));
    }

    /// Whether an event is in the log.
    pub fn has(&self, id: EventId) -> bool {
        self.ids.contains(&id.as_u128())
    }

    /// The first event id that stood in the table twice.
    pub fn first_duplicate(&self) -> Option<String> {
        self.first_duplicate.map(|id| format!("event {id} stands in the table more than once"))
    }

    /// Whether every event still has the hash it was sealed with.
    pub fn hashes(&self) -> Check {
        let mut check = Check::new("I4", "every event has the hash it was sealed with");
        check.checked = self.ids.len() as u64;
        check.offender = self.broken_hash.map(|id| format!("event {id} is not what was sealed"));
        check
    }

    /// Whether the bodies that were set aside are still there.
    pub fn bodies(&self, is_there: impl Fn(&str) -> bool) -> Check {
        let mut check = Check::new("I1", "every body that was set aside is there");
        for (id, body) in &self.bodies {
            check.checked += 1;
            if !is_there(body) {
                check.offend(|| format!("event {id} has its body in {body}, which is gone"));
            }
        }
        check
    }

    /// The raw objects that the table's rows were made from.
    pub fn sources(&self) -> &HashSet<String> {
        &self.sources
    }

    /// Each entity's changes by version. More than one event of a version is a fault.
    pub fn changes(&self) -> &BTreeMap<EntityRef, BTreeMap<i64, Vec<Event>>> {
        &self.changes
    }
}

/// What the fold needs of an event.
fn domain_part(event: Event) -> Event {
    Event {
        event_id: event.event_id,
        event_type: event.event_type,
        received_at: event.received_at,
        entity_type: event.entity_type,
        entity_id: event.entity_id,
        entity_version: event.entity_version,
        operation: event.operation,
        event_data: event.event_data,
        state_hash: event.state_hash,
        prev_event_hash: event.prev_event_hash,
        event_hash: event.event_hash,
        ..Event::default()
    }
}
