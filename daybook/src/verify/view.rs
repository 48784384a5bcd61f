//! The log as `verify` needs it: which events there are, and what changed each entity.

use std::collections::HashSet;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use event::domain::{fold, submission};
use event::{COLUMNS, Event, EventId, Origin};

use super::Depth;
use super::buckets::Buckets;
use super::change::{self, Change, Changes, texts};
use super::entities::{ChangeSet, Entities};
use super::ids::Ids;
use super::record::{Reader, put, put_text};
use super::report::Check;
use super::requests::{Requests, Shared};
use super::row::Lines;
use crate::failure::{Failure, Result};

/// The columns that the view is made from: all that the line has or what is needed of it, and the object it stood in.
pub fn columns(depth: Depth) -> Vec<&'static str> {
    let of_line = COLUMNS.iter().filter(|column| column.origin == Origin::Line).map(|column| column.name);
    let of_line: Vec<_> = match depth {
        Depth::Whole => of_line.collect(),
        Depth::Columns => change::COLUMNS.into_iter().chain(OF_REQUESTS).collect(),
    };
    of_line.into_iter().chain([RAW_OBJECT]).collect()
}

/// The columns that say which request an event is about, and where its body is.
const OF_REQUESTS: [&str; 3] = ["request_id", "ingest_path", "request_body_ref"];

/// The table's column that names the raw object of a row.
const RAW_OBJECT: &str = "raw_object";

/// The road of events whose requests have ids of our own.
const OWN: &str = "local";

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

/// What the view takes of a batch of rows: made on any thread, added on one.
#[derive(Default)]
pub struct Seen {
    ids: Vec<EventId>,
    broken: Option<EventId>,
    requests: Vec<(EventId, String)>,
    bodies: Vec<(EventId, String)>,
    changes: ChangeSet,
    sources: Vec<String>,
}

impl Seen {
    /// Looks at the rows of a batch; with [`Depth::Whole`] each is hashed.
    ///
    /// # Errors
    /// The batch lacks a column, or a row is no event.
    pub fn of(batch: &RecordBatch, depth: Depth) -> Result<Self> {
        let mut seen = Self { ids: Vec::with_capacity(batch.num_rows()), ..Self::default() };
        let mut lines = (depth == Depth::Whole).then(|| Lines::of(batch)).transpose()?;
        let changes = Changes::of(batch)?;
        let (ids, requests) = (texts(batch, "event_id")?, texts(batch, "request_id")?);
        let (roads, bodies) = (texts(batch, "ingest_path")?, texts(batch, "request_body_ref")?);
        for row in 0..batch.num_rows() {
            let id: EventId = ids.value(row).parse().map_err(Failure::while_("read a row as an event"))?;
            seen.ids.push(id);
            if lines.as_mut().is_some_and(|lines| !lines.is_sealed(row)) {
                seen.broken = seen.broken.into_iter().chain([id]).min();
            }
            if bodies.is_valid(row) {
                seen.bodies.push((id, bodies.value(row).to_owned()));
            }
            // Elsewhere others choose the ids of requests: a gateway's client, another server's log.
            if roads.value(row) == OWN && ids.value(row) != requests.value(row) {
                seen.requests.push((id, requests.value(row).to_owned()));
            }
            if let Some(change) = changes.at(row)? {
                seen.changes.add(&change);
            }
        }
        seen.note_sources(batch);
        Ok(seen)
    }

    /// Neighbours are mostly of the same object.
    fn note_sources(&mut self, batch: &RecordBatch) {
        let sources = batch.column_by_name(RAW_OBJECT).and_then(|array| array.as_string_opt::<i32>());
        for source in sources.into_iter().flatten().flatten() {
            if self.sources.last().is_none_or(|last| last != source) {
                self.sources.push(source.to_owned());
            }
        }
    }
}

/// What is to be known of every event, whether it stands in the table, in a raw object or in the outbox; and the states
/// of the store.
///
/// Memory: as four of [`Buckets`], the ids of events that are awaited, the names of raw objects.
pub struct View {
    /// What changed entities, and where they stand.
    pub entities: Entities,
    requests: Requests,
    bodies: Buckets,
    broken: Option<EventId>,
    sources: HashSet<String>,
    awaited: HashSet<EventId>,
}

impl View {
    /// Empty; what does not fit in memory goes to `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            entities: Entities::new(folder),
            requests: Requests::new(folder),
            bodies: Buckets::new(folder),
            broken: None,
            sources: HashSet::new(),
            awaited: HashSet::new(),
        }
    }

    /// Notes an event that is to be added unless the log turns out to have it.
    pub fn await_event(&mut self, id: EventId) {
        self.awaited.insert(id);
    }

    /// Adds rows of the table.
    ///
    /// # Errors
    /// What does not fit in memory cannot be set aside.
    pub fn add_rows(&mut self, ids: &mut Ids, seen: &Seen) -> Result<()> {
        seen.ids.iter().try_for_each(|id| ids.add_row(*id))?;
        for source in &seen.sources {
            if !self.sources.contains(source) {
                self.sources.insert(source.clone());
            }
        }
        self.add_seen(seen)
    }

    /// Adds rows that the table does not have.
    ///
    /// # Errors
    /// As [`add_rows`](Self::add_rows).
    pub fn add_tail(&mut self, ids: &mut Ids, seen: &Seen) -> Result<()> {
        seen.ids.iter().try_for_each(|id| ids.add(*id))?;
        self.add_seen(seen)
    }

    fn add_seen(&mut self, seen: &Seen) -> Result<()> {
        if !self.awaited.is_empty() {
            for id in &seen.ids {
                self.awaited.remove(id);
            }
        }
        self.broken = self.broken.into_iter().chain(seen.broken).min();
        for (id, request) in &seen.requests {
            self.requests.add(*id, request)?;
        }
        for (id, body) in &seen.bodies {
            self.add_body(*id, body)?;
        }
        self.entities.add_changes(&seen.changes)
    }

    /// Adds an event that was awaited and that no row was made of.
    ///
    /// # Errors
    /// As [`add_rows`](Self::add_rows).
    pub fn add_awaited(&mut self, ids: &mut Ids, event: &Event) -> Result<()> {
        if !self.awaited.remove(&event.event_id) {
            return Ok(());
        }
        ids.add(event.event_id)?;
        self.add(event)
    }

    /// Adds an event that was not added before.
    ///
    /// # Errors
    /// As [`add_rows`](Self::add_rows).
    pub fn add(&mut self, event: &Event) -> Result<()> {
        let id = event.event_id;
        if !event.hash_holds() {
            self.broken = self.broken.into_iter().chain([id]).min();
        }
        if let Some(body) = &event.request_body_ref {
            self.add_body(id, body)?;
        }
        if event.ingest_path == OWN && event.request_id != id.to_string() {
            self.requests.add(id, &event.request_id)?;
        }
        Change::of(event).map_or(Ok(()), |change| self.entities.add_change(&change))
    }

    fn add_body(&mut self, id: EventId, body: &str) -> Result<()> {
        let mut record = Vec::with_capacity(128);
        put(&mut record, *id.as_bytes());
        put_text(&mut record, Some(body));
        self.bodies.push(id.as_u128() as u64, &record)
    }

    /// The raw objects that the table's rows were made from.
    pub fn sources(&self) -> &HashSet<String> {
        &self.sources
    }

    /// Whether every event still has the hash it was sealed with; `events` is how many there are.
    pub fn hashes(&self, events: u64) -> Check {
        let mut check = Check::new("I4", "every event has the hash it was sealed with");
        check.checked = events;
        check.offender = self.broken.map(|id| format!("event {id} is not what was sealed"));
        check
    }

    /// Whether the bodies that were set aside are still there.
    ///
    /// # Errors
    /// What was set aside cannot be read.
    pub fn bodies(&self, is_there: impl Fn(&str) -> bool) -> Result<Check> {
        let mut check = Check::new("I1", "every body that was set aside is there");
        let mut gone: Option<(EventId, String)> = None;
        for records in self.bodies.parts() {
            let records = records?;
            let mut reader = Reader::of(&records);
            while !reader.is_empty() {
                let (id, body) = (EventId::from_bytes(reader.take()?), reader.some_text()?);
                check.checked += 1;
                if gone.as_ref().is_none_or(|(first, _)| id < *first) && !is_there(body) {
                    gone = Some((id, body.to_owned()));
                }
            }
        }
        check.offender = gone.map(|(id, body)| format!("event {id} has its body in {body}, which is gone"));
        Ok(check)
    }

    /// Whether every request has one event: no two events of the log name the same one. `events` is how many there are.
    /// What changed entities, and where they stand, is given back.
    ///
    /// # Errors
    /// What was set aside cannot be read.
    pub async fn requests(self, events: u64) -> Result<(Check, Entities)> {
        let mut check = Check::new("I6", "no two events of this server are about the same request");
        check.checked = events;
        let shared: Option<Shared> = self.requests.find_shared().await?;
        check.offender =
            shared.map(|(id, request)| format!("event {id} is about request {request}, which has another"));
        Ok((check, self.entities))
    }
}

/// I2: no event id stands twice in the table, which has `rows`.
pub fn uniqueness(rows: u64, twice: Option<EventId>) -> Check {
    let mut check = Check::new("I2", "no event id stands twice in the table");
    check.checked = rows;
    check.offender = twice.map(|id| format!("event {id} stands in the table more than once"));
    check
}
