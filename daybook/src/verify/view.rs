//! The log as `verify` needs it: which events there are, and what changed each entity.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{AsArray, RecordBatch};
use event::domain::fold;
use event::{COLUMNS, Event, EventId, Origin};
use ingest::store::EntityRef;

use super::report::Check;
use super::row;
use crate::failure::Result;

/// The columns that the view is made from: all that the line has, and the object that it stood in.
pub fn columns() -> Vec<&'static str> {
    let of_line = COLUMNS.iter().filter(|column| column.origin == Origin::Line).map(|column| column.name);
    of_line.chain([RAW_OBJECT]).collect()
}

/// The table's column that names the raw object of a row.
const RAW_OBJECT: &str = "raw_object";

/// Every event once, whether it stands in the table, in a raw object or in the outbox.
///
/// Memory: 16 bytes an event, the domain part of each change, the names of raw objects and of bodies set aside.
#[derive(Default)]
pub struct View {
    ids: HashSet<u128>,
    first_duplicate: Option<EventId>,
    broken_hash: Option<EventId>,
    changes: BTreeMap<EntityRef, BTreeMap<i64, Vec<Event>>>,
    bodies: Vec<(EventId, String)>,
    sources: HashSet<String>,
}

impl View {
    /// Adds the events of a batch of rows.
    pub fn add_rows(&mut self, batch: &RecordBatch) -> Result<()> {
        for index in 0..batch.num_rows() {
            let event = row::event(batch, index)?;
            if self.ids.contains(&event.event_id.as_u128()) {
                self.first_duplicate.get_or_insert(event.event_id);
            }
            self.add(event);
        }
        Ok(())
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
