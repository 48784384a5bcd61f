//! What the fold needs of an event, and where an entity stands: read from a batch's columns, set aside, read back.

use std::fmt;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use event::domain::fold::{self, Step};
use event::domain::{Operation, State};
use event::{Event, EventId, Timestamp};
use ingest::store::{EntityRef, Stored};

use super::record::{Reader, put, put_text};
use crate::failure::{Failure, Result};

/// Which entity, of whom; in the order of [`EntityRef`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a> {
    /// Owner.
    pub tenant: &'a str,
    /// Kind, such as `task`.
    pub kind: &'a str,
    /// Id within the kind.
    pub id: &'a str,
}

impl Name<'_> {
    /// The same, kept.
    pub fn to_owned(self) -> EntityRef {
        EntityRef { tenant: self.tenant.to_owned(), kind: self.kind.to_owned(), id: self.id.to_owned() }
    }
}

/// As an offender is named.
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of tenant {}", self.kind, self.id, self.tenant)
    }
}

impl<'a> From<&'a EntityRef> for Name<'a> {
    fn from(entity: &'a EntityRef) -> Self {
        Self { tenant: &entity.tenant, kind: &entity.kind, id: &entity.id }
    }
}

/// A change of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// Of which one.
    pub entity: Name<'a>,
    /// What it is after it.
    pub version: i64,
    /// The event's id.
    pub event_id: EventId,
    /// Its type.
    pub event_type: &'a str,
    /// When it was received.
    pub received_at: Timestamp,
    /// What it did.
    pub operation: Option<&'a str>,
    /// What the fold consumes.
    pub event_data: Option<&'a str>,
    /// The hash of the state after it.
    pub state_hash: Option<&'a str>,
    /// The hash of the entity's change before it.
    pub prev_event_hash: Option<&'a str>,
    /// Its own.
    pub event_hash: &'a str,
}

impl<'a> Change<'a> {
    /// The change that an event is, if it is one of an entity with a state.
    pub fn of(event: &'a Event) -> Option<Self> {
        let (kind, id) = (event.entity_type.as_deref()?, event.entity_id.as_deref()?);
        let change = Self {
            entity: Name { tenant: &event.tenant, kind, id },
            version: event.entity_version?,
            event_id: event.event_id,
            event_type: &event.event_type,
            received_at: event.received_at,
            operation: event.operation.as_deref(),
            event_data: event.event_data.as_deref(),
            state_hash: event.state_hash.as_deref(),
            prev_event_hash: event.prev_event_hash.as_deref(),
            event_hash: &event.event_hash,
        };
        is_change(change.event_type, kind).then_some(change)
    }

    /// Whether it removes its entity.
    pub fn deletes(&self) -> bool {
        self.operation == Some(Operation::Delete.as_str())
    }

    /// As the fold takes it.
    pub fn step(&self) -> Step<'a> {
        Step {
            event_id: self.event_id,
            event_type: self.event_type,
            received_at: self.received_at,
            entity_type: Some(self.entity.kind),
            entity_id: self.entity.id,
            event_data: self.event_data,
        }
    }

    /// Sets it aside.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_name(out, self.entity);
        put(out, self.version.to_le_bytes());
        put(out, *self.event_id.as_bytes());
        put_text(out, Some(self.event_type));
        put(out, self.received_at.micros().to_le_bytes());
        for text in [self.operation, self.event_data, self.state_hash, self.prev_event_hash] {
            put_text(out, text);
        }
        put_text(out, Some(self.event_hash));
    }

    /// Reads it back.
    ///
    /// # Errors
    /// It is not what was set aside.
    pub fn take(reader: &mut Reader<'a>) -> Result<Self> {
        Ok(Self {
            entity: take_name(reader)?,
            version: i64::from_le_bytes(reader.take()?),
            event_id: EventId::from_bytes(reader.take()?),
            event_type: reader.some_text()?,
            received_at: Timestamp::from_micros(i64::from_le_bytes(reader.take()?)),
            operation: reader.text()?,
            event_data: reader.text()?,
            state_hash: reader.text()?,
            prev_event_hash: reader.text()?,
            event_hash: reader.some_text()?,
        })
    }
}

fn is_change(event_type: &str, kind: &str) -> bool {
    fold::has_state(kind) && !event_type.starts_with("request.")
}

/// Where an entity stands in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Which entity.
    pub entity: Name<'a>,
    /// The version that the state is of.
    pub version: i64,
    /// The event that made it.
    pub event_id: EventId,
    /// Whether it has been deleted.
    pub deleted: bool,
    /// Canonical state.
    pub state: &'a str,
    /// `event_hash` of the event that made it.
    pub event_hash: &'a str,
}

impl<'a> Standing<'a> {
    /// Of an entity that a store has.
    pub fn of(entity: &'a EntityRef, stored: &'a Stored) -> Self {
        Self {
            entity: entity.into(),
            version: stored.version,
            event_id: stored.event_id,
            deleted: stored.deleted,
            state: stored.state.as_str(),
            event_hash: &stored.event_hash,
        }
    }

    /// Whether it is what a change made of its entity.
    pub fn is_after(&self, change: &Change<'_>, state: &State) -> bool {
        self.state == state.as_str() && self.event_hash == change.event_hash && self.deleted == change.deletes()
    }

    /// Sets it aside.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_name(out, self.entity);
        put(out, self.version.to_le_bytes());
        put(out, *self.event_id.as_bytes());
        put(out, [u8::from(self.deleted)]);
        put_text(out, Some(self.state));
        put_text(out, Some(self.event_hash));
    }

    /// Reads it back.
    ///
    /// # Errors
    /// It is not what was set aside.
    pub fn take(reader: &mut Reader<'a>) -> Result<Self> {
        Ok(Self {
            entity: take_name(reader)?,
            version: i64::from_le_bytes(reader.take()?),
            event_id: EventId::from_bytes(reader.take()?),
            deleted: reader.take()? == [1],
            state: reader.some_text()?,
            event_hash: reader.some_text()?,
        })
    }
}

fn put_name(out: &mut Vec<u8>, name: Name<'_>) {
    for text in [name.tenant, name.kind, name.id] {
        put_text(out, Some(text));
    }
}

fn take_name<'a>(reader: &mut Reader<'a>) -> Result<Name<'a>> {
    Ok(Name { tenant: reader.some_text()?, kind: reader.some_text()?, id: reader.some_text()? })
}

/// The columns that changes are read from.
pub const COLUMNS: [&str; 12] = [
    "event_id",
    "event_type",
    "received_at",
    "tenant",
    "entity_type",
    "entity_id",
    "entity_version",
    "operation",
    "event_data",
    "state_hash",
    "prev_event_hash",
    "event_hash",
];

/// Those columns of a batch.
pub struct Changes<'a> {
    ids: &'a StringArray,
    types: &'a StringArray,
    times: &'a TimestampMicrosecondArray,
    tenants: &'a StringArray,
    kinds: &'a StringArray,
    entities: &'a StringArray,
    versions: &'a Int64Array,
    operations: &'a StringArray,
    data: &'a StringArray,
    state_hashes: &'a StringArray,
    prev_hashes: &'a StringArray,
    hashes: &'a StringArray,
}

impl<'a> Changes<'a> {
    /// # Errors
    /// The batch lacks a column, or has one of another type.
    pub fn of(batch: &'a RecordBatch) -> Result<Self> {
        let wrong = |name: &str| Failure::new(format!("the table has no column {name} as it should be"));
        let column = |name: &'static str| batch.column_by_name(name).ok_or_else(|| wrong(name));
        let times = column("received_at")?.as_primitive_opt::<TimestampMicrosecondType>();
        let versions = column("entity_version")?.as_primitive_opt::<Int64Type>();
        Ok(Self {
            ids: texts(batch, "event_id")?,
            types: texts(batch, "event_type")?,
            times: times.ok_or_else(|| wrong("received_at"))?,
            tenants: texts(batch, "tenant")?,
            kinds: texts(batch, "entity_type")?,
            entities: texts(batch, "entity_id")?,
            versions: versions.ok_or_else(|| wrong("entity_version"))?,
            operations: texts(batch, "operation")?,
            data: texts(batch, "event_data")?,
            state_hashes: texts(batch, "state_hash")?,
            prev_hashes: texts(batch, "prev_event_hash")?,
            hashes: texts(batch, "event_hash")?,
        })
    }

    /// The change that a row is, if it is one of an entity with a state.
    ///
    /// # Errors
    /// The row has no event's id.
    pub fn at(&self, row: usize) -> Result<Option<Change<'a>>> {
        let (Some(kind), Some(id)) = (text(self.kinds, row), text(self.entities, row)) else { return Ok(None) };
        let event_type = self.types.value(row);
        if !self.versions.is_valid(row) || !is_change(event_type, kind) {
            return Ok(None);
        }
        Ok(Some(Change {
            entity: Name { tenant: self.tenants.value(row), kind, id },
            version: self.versions.value(row),
            event_id: self.ids.value(row).parse().map_err(Failure::while_("read a row as an event"))?,
            event_type,
            received_at: Timestamp::from_micros(self.times.value(row)),
            operation: text(self.operations, row),
            event_data: text(self.data, row),
            state_hash: text(self.state_hashes, row),
            prev_event_hash: text(self.prev_hashes, row),
            event_hash: self.hashes.value(row),
        }))
    }
}

/// A column of texts.
///
/// # Errors
/// There is none of that name.
pub fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| Failure::new(format!("the table has no column {name} of texts")))
}

fn text(cells: &StringArray, row: usize) -> Option<&str> {
    cells.is_valid(row).then(|| cells.value(row))
}
