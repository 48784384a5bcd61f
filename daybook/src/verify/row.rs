//! A row of the table as the line it was made from.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use event::{COLUMNS, Column, ColumnType, Event, Origin, Timestamp};

use crate::failure::{Failure, Result};

/// The event of a row.
///
/// The table has every field of the line but those that this version does not know.
///
/// # Errors
/// The batch lacks a column, or the row is no event.
pub fn event(batch: &RecordBatch, row: usize) -> Result<Event> {
    let mut line = serde_json::Map::new();
    for column in COLUMNS.iter().filter(|column| column.origin == Origin::Line) {
        let array = batch
            .column_by_name(column.name)
            .ok_or_else(|| Failure::new(format!("the table has no column {}", column.name)))?;
        if array.is_valid(row) {
            line.insert(column.name.to_owned(), value(column, array, row)?);
        }
    }
    let line = serde_json::Value::Object(line).to_string();
    Event::from_line(line.as_bytes()).map_err(Failure::while_("read a row as an event"))
}

fn value(column: &Column, array: &dyn Array, row: usize) -> Result<serde_json::Value> {
    let wrong = || Failure::new(format!("the table's column {} is not of type {}", column.name, column.kind.name()));
    let value = match column.kind {
        ColumnType::String => array.as_string_opt::<i32>().map(|array| array.value(row).into()),
        ColumnType::Int => array.as_primitive_opt::<Int32Type>().map(|array| array.value(row).into()),
        ColumnType::Bigint => array.as_primitive_opt::<Int64Type>().map(|array| array.value(row).into()),
        ColumnType::Double => array.as_primitive_opt::<Float64Type>().map(|array| array.value(row).into()),
        ColumnType::Boolean => array.as_boolean_opt().map(|array| array.value(row).into()),
        ColumnType::Timestamp => array
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map(|array| Timestamp::from_micros(array.value(row)).to_string().into()),
    };
    value.ok_or_else(wrong)
}
