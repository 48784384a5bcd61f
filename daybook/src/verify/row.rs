//! A row of the table as the line it was made from.

use arrow::array::TimestampMicrosecondArray;
use arrow::array::{Array, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use event::{COLUMNS, Column, ColumnType, Event, Origin, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Result};

/// The column that the hash does not cover.
const HASH: &str = "event_hash";

/// The lines of a batch, written straight from its columns: no event is made of what is only looked at.
///
/// The table has every field of the line but those that this version does not know.
pub struct Lines<'a> {
    columns: Vec<(&'static str, Cells<'a>)>,
    hashes: &'a StringArray,
    line: Vec<u8>,
}

enum Cells<'a> {
    Text(&'a StringArray),
    Int(&'a Int32Array),
    Bigint(&'a Int64Array),
    Double(&'a Float64Array),
    Boolean(&'a BooleanArray),
    Time(&'a TimestampMicrosecondArray),
}

impl<'a> Lines<'a> {
    /// # Errors
    /// The batch lacks a column, or has one of another type.
    pub fn of(batch: &'a RecordBatch) -> Result<Self> {
        let of_line = COLUMNS.iter().filter(|column| column.origin == Origin::Line);
        let columns: Vec<_> =
            of_line.map(|column| Ok((column.name, Cells::of(column, batch)?))).collect::<Result<_>>()?;
        let hashes = columns.iter().find_map(|(name, cells)| match cells {
            Cells::Text(hashes) if *name == HASH => Some(*hashes),
            _ => None,
        });
        let hashes = hashes.ok_or_else(|| Failure::new(format!("the table has no column {HASH}")))?;
        Ok(Self { columns, hashes, line: Vec::new() })
    }

    /// A row's line, without a line feed.
    pub fn line(&mut self, row: usize) -> &[u8] {
        self.write(row, None);
        &self.line
    }

    /// Whether a row is what was sealed: its hash covers its line.
    pub fn is_sealed(&mut self, row: usize) -> bool {
        self.write(row, Some(HASH));
        self.hashes.is_valid(row) && event::hex(&Sha256::digest(&self.line)) == self.hashes.value(row)
    }

    /// The event of a row.
    ///
    /// # Errors
    /// The row is no event.
    pub fn event(&mut self, row: usize) -> Result<Event> {
        Event::from_line(self.line(row)).map_err(Failure::while_("read a row as an event"))
    }

    fn write(&mut self, row: usize, without: Option<&str>) {
        let out = &mut self.line;
        out.clear();
        out.push(b'{');
        for (name, cells) in &self.columns {
            if Some(*name) != without {
                cells.write(name, row, out);
            }
        }
        out.push(b'}');
    }
}

impl<'a> Cells<'a> {
    fn of(column: &Column, batch: &'a RecordBatch) -> Result<Self> {
        let array = batch
            .column_by_name(column.name)
            .ok_or_else(|| Failure::new(format!("the table has no column {}", column.name)))?;
        let cells = match column.kind {
            ColumnType::String => array.as_string_opt::<i32>().map(Self::Text),
            ColumnType::Int => array.as_primitive_opt::<Int32Type>().map(Self::Int),
            ColumnType::Bigint => array.as_primitive_opt::<Int64Type>().map(Self::Bigint),
            ColumnType::Double => array.as_primitive_opt::<Float64Type>().map(Self::Double),
            ColumnType::Boolean => array.as_boolean_opt().map(Self::Boolean),
            ColumnType::Timestamp => array.as_primitive_opt::<TimestampMicrosecondType>().map(Self::Time),
        };
        let wrong =
            || Failure::new(format!("the table's column {} is not of type {}", column.name, column.kind.name()));
        cells.ok_or_else(wrong)
    }

    /// Writes `"name":value` as the line has it; nothing for null.
    fn write(&self, name: &str, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Text(cells) if cells.is_valid(row) => field(name, cells.value(row), out),
            Self::Int(cells) if cells.is_valid(row) => field(name, &cells.value(row), out),
            Self::Bigint(cells) if cells.is_valid(row) => field(name, &cells.value(row), out),
            Self::Double(cells) if cells.is_valid(row) => field(name, &cells.value(row), out),
            Self::Boolean(cells) if cells.is_valid(row) => field(name, &cells.value(row), out),
            Self::Time(cells) if cells.is_valid(row) => field(name, &Timestamp::from_micros(cells.value(row)), out),
            _ => {}
        }
    }
}

fn field<T: Serialize + ?Sized>(name: &str, value: &T, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    // Scalars to memory: there is no way to fail.
    let _ = serde_json::to_writer(&mut *out, value);
}
