//! Answers as JSON: one document, or one row a line.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::error::{Error, ErrorKind, Result};
use crate::rows::{Cell, RowColumn, Rows};

/// One document: `query`, `columns` with their types, `rows` as objects, `count`, `truncated`, `bytes_read`;
/// `cost_usd` where the engine charges.
///
/// Columns keep the query's order; numbers keep every digit; a float that JSON cannot hold is null.
///
/// # Errors
/// `Engine`; writing to memory has no way to fail that is known.
pub fn json(query: &str, rows: &Rows) -> Result<Vec<u8>> {
    document(&Document { query, rows, elapsed: None })
}

/// The same document with `elapsed_ms`, how long the asker waited.
///
/// # Errors
/// As [`json`].
pub fn timed_json(query: &str, rows: &Rows, elapsed: Duration) -> Result<Vec<u8>> {
    document(&Document { query, rows, elapsed: Some(elapsed) })
}

fn document(document: &Document<'_>) -> Result<Vec<u8>> {
    let mut out = serde_json::to_vec(document).map_err(unwritable)?;
    out.push(b'\n');
    Ok(out)
}

/// One object a line, each ended by a line feed; nothing for an answer without rows.
///
/// # Errors
/// `Engine`; writing to memory has no way to fail that is known.
pub fn ndjson(rows: &Rows) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for cells in &rows.rows {
        serde_json::to_writer(&mut out, &Row { columns: &rows.columns, cells }).map_err(unwritable)?;
        out.push(b'\n');
    }
    Ok(out)
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Engine, "the answer cannot be written as JSON").with_source(error)
}

struct Document<'a> {
    query: &'a str,
    rows: &'a Rows,
    elapsed: Option<Duration>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("query", self.query)?;
        map.serialize_entry("columns", &Columns(&self.rows.columns))?;
        map.serialize_entry("rows", &Table(self.rows))?;
        map.serialize_entry("count", &self.rows.rows.len())?;
        map.serialize_entry("truncated", &self.rows.truncated)?;
        map.serialize_entry("bytes_read", &self.rows.bytes_read)?;
        if let Some(elapsed) = self.elapsed {
            map.serialize_entry("elapsed_ms", &(elapsed.as_micros() as f64 / 1_000.0))?;
        }
        if let Some(cost) = self.rows.cost_usd {
            map.serialize_entry("cost_usd", &cost)?;
        }
        map.end()
    }
}

struct Columns<'a>(&'a [RowColumn]);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Column))
    }
}

struct Column<'a>(&'a RowColumn);

impl Serialize for Column<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", &self.0.name)?;
        map.serialize_entry("type", self.0.kind.name())?;
        map.end()
    }
}

struct Table<'a>(&'a Rows);

impl Serialize for Table<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.rows.len()))?;
        for cells in &self.0.rows {
            rows.serialize_element(&Row { columns: &self.0.columns, cells })?;
        }
        rows.end()
    }
}

struct Row<'a> {
    columns: &'a [RowColumn],
    cells: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            map.serialize_entry(&column.name, cell)?;
        }
        map.end()
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Timestamp(time) => time.serialize(serializer),
        }
    }
}
