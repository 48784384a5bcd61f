//! Events as columns, with the keys by which they are sorted and told apart.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, RecordBatch,
    StringBuilder, TimestampMicrosecondBuilder,
};
use event::{COLUMNS, ColumnType, Event, EventId, LINE_COLUMNS, Timestamp, Value};

use crate::error::{Error, Result};
use crate::schema;

/// Rows of a batch.
pub(crate) const BATCH_ROWS: usize = 8_192;
/// Text of a batch, bytes: far below what 32-bit offsets can say, so that no column can overflow (I9).
pub(crate) const BATCH_BYTES: usize = 64 << 20;

/// Where a row is and what it is sorted by. Orders by `(received_at, event_id)`, then by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) received_at: i64,
    pub(crate) event_id: EventId,
    pub(crate) batch: u32,
    pub(crate) row: u32,
    /// Size of the row's line.
    pub(crate) bytes: u32,
}

impl Key {
    /// The sort key: a duplicate has the same.
    pub(crate) fn sort_key(&self) -> (i64, EventId) {
        (self.received_at, self.event_id)
    }

    /// The partition: days since 1970.
    pub(crate) fn day(&self) -> i32 {
        i32::try_from(self.received_at.div_euclid(86_400_000_000)).unwrap_or(i32::MAX)
    }
}

/// Where a part of [`Rows`] begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    batches: usize,
    /// How many rows come before it.
    pub(crate) keys: usize,
}

impl Part {
    /// Whether a row is of this part or a later one.
    pub(crate) fn holds(&self, key: &Key) -> bool {
        key.batch as usize >= self.batches
    }
}

/// Rows in the order in which they were read, in batches, and their keys.
#[derive(Debug)]
pub(crate) struct Rows {
    columns: Vec<Column>,
    in_batch: usize,
    batch_bytes: usize,
    batches: Vec<RecordBatch>,
    keys: Vec<Key>,
    object: String,
    ingested_at: i64,
    bytes: u64,
    failure: Option<arrow::error::ArrowError>,
}

impl Rows {
    /// No rows; those to come enter the table at `ingested_at`.
    pub(crate) fn new(ingested_at: Timestamp) -> Self {
        Self {
            columns: COLUMNS.iter().map(|column| Column::new(column.kind)).collect(),
            in_batch: 0,
            batch_bytes: 0,
            batches: Vec::new(),
            keys: Vec::new(),
            object: String::new(),
            ingested_at: ingested_at.micros(),
            bytes: 0,
            failure: None,
        }
    }

    /// The rows to come are from this raw object.
    pub(crate) fn begin_object(&mut self, key: &str) {
        key.clone_into(&mut self.object);
    }

    /// Adds an event whose line was `bytes` long.
    pub(crate) fn push(&mut self, event: &Event, bytes: usize) {
        if self.in_batch == BATCH_ROWS || self.batch_bytes + bytes > BATCH_BYTES {
            self.end_batch();
        }
        self.keys.push(Key {
            received_at: event.received_at.micros(),
            event_id: event.event_id,
            batch: u32::try_from(self.batches.len()).unwrap_or(u32::MAX),
            row: u32::try_from(self.in_batch).unwrap_or(u32::MAX),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        });
        for (column, value) in self.columns.iter_mut().zip(event.values()) {
            column.append(value);
        }
        for (column, listed) in self.columns.iter_mut().zip(COLUMNS).skip(LINE_COLUMNS) {
            column.append(match listed.name {
                "raw_object" => Some(Value::String(&self.object)),
                "ingested_at" => Some(Value::Timestamp(Timestamp::from_micros(self.ingested_at))),
                _ => None,
            });
        }
        self.in_batch += 1;
        self.batch_bytes += bytes;
        self.bytes += bytes as u64;
    }

    /// The present end, for [`roll_back`](Self::roll_back).
    pub(crate) fn mark(&self) -> usize {
        self.keys.len()
    }

    /// Forgets the rows after `mark`. Their memory stays taken until the end.
    pub(crate) fn roll_back(&mut self, mark: usize) {
        self.keys.truncate(mark);
    }

    /// Begins another part: the rows to come can be told from those so far.
    pub(crate) fn begin_part(&mut self) -> Part {
        self.end_batch();
        Part { batches: self.batches.len(), keys: self.keys.len() }
    }

    /// Shows `see` the time and the request id of every row before `part`.
    pub(crate) fn requests_before(&self, part: Part, mut see: impl FnMut(i64, &str)) {
        let ids: Vec<_> = self.batches[..part.batches]
            .iter()
            .map(|batch| batch.column_by_name("request_id").and_then(|column| column.as_string_opt::<i32>()))
            .collect();
        for key in &self.keys[..part.keys] {
            if let Some(Some(ids)) = ids.get(key.batch as usize) {
                see(key.received_at, ids.value(key.row as usize));
            }
        }
    }

    /// Bytes of the lines so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The batches, and the keys in the order of reading.
    ///
    /// # Errors
    /// A required column lacks a value, which the decoder should have refused.
    pub(crate) fn finish(mut self) -> Result<(Vec<RecordBatch>, Vec<Key>)> {
        self.end_batch();
        match self.failure {
            None => Ok((self.batches, self.keys)),
            Some(failure) => Err(Error::lake("build the rows")(failure)),
        }
    }

    fn end_batch(&mut self) {
        if self.in_batch == 0 {
            return;
        }
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect();
        // Builders double their memory as they grow; the batches stay until the commit.
        columns.iter_mut().for_each(Array::shrink_to_fit);
        match RecordBatch::try_new(schema::arrow_schema(), columns) {
            Ok(batch) => self.batches.push(batch),
            Err(failure) => self.failure = Some(failure),
        }
        self.in_batch = 0;
        self.batch_bytes = 0;
    }
}

/// A column that is being built.
#[derive(Debug)]
enum Column {
    String(StringBuilder),
    Int(Int32Builder),
    Bigint(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Column {
    fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::String => Self::String(StringBuilder::new()),
            ColumnType::Int => Self::Int(Int32Builder::new()),
            ColumnType::Bigint => Self::Bigint(Int64Builder::new()),
            ColumnType::Double => Self::Double(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
        }
    }

    /// Adds a value. One of another type, which the list of columns rules out, becomes a null.
    fn append(&mut self, value: Option<Value<'_>>) {
        match (self, value) {
            (Self::String(column), Some(Value::String(text))) => column.append_value(text),
            (Self::String(column), Some(Value::Id(id))) => {
                // Writing to memory cannot fail.
                let _ = write!(column, "{id}");
                column.append_value("");
            }
            (Self::Int(column), Some(Value::Int(number))) => column.append_value(number),
            (Self::Bigint(column), Some(Value::Bigint(number))) => column.append_value(number),
            (Self::Double(column), Some(Value::Double(number))) => column.append_value(number),
            (Self::Boolean(column), Some(Value::Boolean(truth))) => column.append_value(truth),
            (Self::Timestamp(column), Some(Value::Timestamp(time))) => column.append_value(time.micros()),
            (Self::String(column), _) => column.append_null(),
            (Self::Int(column), _) => column.append_null(),
            (Self::Bigint(column), _) => column.append_null(),
            (Self::Double(column), _) => column.append_null(),
            (Self::Boolean(column), _) => column.append_null(),
            (Self::Timestamp(column), _) => column.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match self {
            Self::String(column) => column,
            Self::Int(column) => column,
            Self::Bigint(column) => column,
            Self::Double(column) => column,
            Self::Boolean(column) => column,
            Self::Timestamp(column) => return Arc::new(column.finish()),
        };
        builder.finish()
    }
}
