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
    fields: Vec<Field<'a>>,
    hashes: &'a StringArray,
    line: Vec<u8>,
}

/// A field of the line and its column.
struct Field<'a> {
    /// `,"name":`
    name: Vec<u8>,
    is_hash: bool,
    cells: Cells<'a>,
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
        let field = |column: &Column| {
            let (name, is_hash) = (format!(",\"{}\":", column.name).into_bytes(), column.name == HASH);
            Ok(Field { name, is_hash, cells: Cells::of(column, batch)? })
        };
        let fields: Vec<_> = of_line.map(field).collect::<Result<_>>()?;
        let hashes = fields.iter().find(|field| field.is_hash).and_then(|field| match field.cells {
            Cells::Text(hashes) => Some(hashes),
            _ => None,
        });
        let hashes = hashes.ok_or_else(|| Failure::new(format!("the table has no column {HASH}")))?;
        Ok(Self { fields, hashes, line: Vec::new() })
    }

    /// A row's line, without a line feed.
    pub fn line(&mut self, row: usize) -> &[u8] {
        self.write(row, false);
        &self.line
    }

    /// Whether a row is what was sealed: its hash covers its line.
    pub fn is_sealed(&mut self, row: usize) -> bool {
        self.write(row, true);
        self.hashes.is_valid(row) && event::hex(&Sha256::digest(&self.line)) == self.hashes.value(row)
    }

    /// The event of a row.
    ///
    /// # Errors
    /// The row is no event.
    pub fn event(&mut self, row: usize) -> Result<Event> {
        Event::from_line(self.line(row)).map_err(Failure::while_("read a row as an event"))
    }

    fn write(&mut self, row: usize, without_hash: bool) {
        let out = &mut self.line;
        out.clear();
        out.push(b'{');
        for field in self.fields.iter().filter(|field| !(without_hash && field.is_hash)) {
            field.write(row, out);
        }
        out.push(b'}');
    }
}

impl Field<'_> {
    /// Writes `"name":value` as the line has it; nothing for null.
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if !self.cells.is_valid(row) {
            return;
        }
        let is_first = out.last() == Some(&b'{');
        out.extend_from_slice(&self.name[usize::from(is_first)..]);
        match &self.cells {
            Cells::Text(cells) => text(cells.value(row), out),
            Cells::Int(cells) => scalar(&cells.value(row), out),
            Cells::Bigint(cells) => scalar(&cells.value(row), out),
            Cells::Double(cells) => scalar(&cells.value(row), out),
            Cells::Boolean(cells) => scalar(&cells.value(row), out),
            Cells::Time(cells) => scalar(&Timestamp::from_micros(cells.value(row)), out),
        }
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

    fn is_valid(&self, row: usize) -> bool {
        match self {
            Self::Text(cells) => cells.is_valid(row),
            Self::Int(cells) => cells.is_valid(row),
            Self::Bigint(cells) => cells.is_valid(row),
            Self::Double(cells) => cells.is_valid(row),
            Self::Boolean(cells) => cells.is_valid(row),
            Self::Time(cells) => cells.is_valid(row),
        }
    }
}

/// A text in quotes. Most have no control characters: then all that is to be escaped is escaped by a backslash before it,
/// and what lies between is copied as it is. That takes a fraction of going character by character.
fn text(value: &str, out: &mut Vec<u8>) {
    let bytes = value.as_bytes();
    if bytes.iter().fold(false, |control, byte| control | (*byte < b' ')) {
        return scalar(value, out);
    }
    out.push(b'"');
    let mut begin = 0;
    for at in memchr::memchr2_iter(b'"', b'\\', bytes) {
        out.extend_from_slice(&bytes[begin..at]);
        out.push(b'\\');
        begin = at;
    }
    out.extend_from_slice(&bytes[begin..]);
    out.push(b'"');
}

fn scalar<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Scalars to memory: there is no way to fail.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_in_the_line() {
        let check = |value: &str| {
            let mut written = b"{".to_vec();
            text(value, &mut written);
            assert_eq!(String::from_utf8(written).unwrap(), format!("{{{}", serde_json::Value::from(value)));
        };
        for value in
            ["", "plain", "\"", "\\", r#"{"a":"b\"c\\","é":"\u0041"}"#, "\"\"\\\\", "é\"ü", "a/b", "\u{7f}\u{2028}"]
        {
            check(value);
        }
        for control in 0..0x21_u8 {
            check(&format!("a\"{}\\b", char::from(control)));
        }
    }
}
