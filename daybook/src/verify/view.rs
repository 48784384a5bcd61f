//! The log as `verify` needs it: which events there are, and what changed each entity.

use std::collections::{BTreeMap, HashSet};

use arrow::array::RecordBatch;
use event::domain::fold;
use event::{COLUMNS, Event, EventId, Origin};
use ingest::store::EntityRef;

use super::report::Check;
use super::row;
use crate::failure::Result;

/// The columns that the view is made from: all that the line has.
pub fn columns() -> Vec<&'static str> {
    COLUMNS.iter().filter(|column| column.origin == Origin::Line).map(|column| column.name).collect()
}

/// Every event once, whether it stands in the table, in a raw object or in the outbox.
///
/// Memory: 16 bytes an event, and the domain part of each change.
#[derive(Default)]
pub struct View {
    ids: HashSet<u128>,
    first_duplicate: Option<EventId>,
    broken_hash: Option<EventId>,
    changes: BTreeMap<EntityRef, BTreeMap<i64, Vec<Event>>>,
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

    /// Adds an event, unless it is there already.
    pub fn add(&mut self, event: Event) {
        if !self.ids.insert(event.event_id.as_u128()) {
            return;
        }
        if event.compute_hash() != event.event_hash {
            self.broken_hash.get_or_insert(event.event_id);
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
        event_data: event.event_data,
        state_hash: event.state_hash,
        prev_event_hash: event.prev_event_hash,
        event_hash: event.event_hash,
        ..Event::default()
    }
}
