//! Rows of the table, as the events that they were made from.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use compactor::Lake;
use event::{COLUMNS, ColumnType, Event, Origin, Timestamp};
use futures::TryStreamExt;
use serde_json::{Map, Value};

/// Every row of the lake's table as it is now.
///
/// # Errors
/// The table cannot be read, or a row is no event.
pub(super) async fn rows(lake: &Lake) -> Result<Vec<Event>, String> {
    let failed = |error: compactor::Error| error.to_string();
    let names: Vec<&str> = line_columns().map(|column| column.name).collect();
    let table = lake.load().await.map_err(failed)?;
    let batches: Vec<RecordBatch> =
        compactor::scan(&table, &names).await.map_err(failed)?.try_collect().await.map_err(failed)?;
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| event(batch, row))).collect()
}

fn line_columns() -> impl Iterator<Item = &'static event::Column> {
    COLUMNS.iter().filter(|column| column.origin == Origin::Line)
}

fn event(batch: &RecordBatch, row: usize) -> Result<Event, String> {
    let mut line = Map::new();
    for column in line_columns() {
        let array = batch.column_by_name(column.name).ok_or_else(|| format!("no column {}", column.name))?;
        if array.is_valid(row) {
            let value = value(column.kind, array, row).ok_or_else(|| format!("{} is of another type", column.name))?;
            line.insert(column.name.to_owned(), value);
        }
    }
    Event::from_line(Value::Object(line).to_string().as_bytes()).map_err(|error| error.to_string())
}

fn value(kind: ColumnType, array: &ArrayRef, row: usize) -> Option<Value> {
    Some(match kind {
        ColumnType::String => array.as_string_opt::<i32>()?.value(row).into(),
        ColumnType::Int => array.as_primitive_opt::<Int32Type>()?.value(row).into(),
        ColumnType::Bigint => array.as_primitive_opt::<Int64Type>()?.value(row).into(),
        ColumnType::Double => array.as_primitive_opt::<Float64Type>()?.value(row).into(),
        ColumnType::Boolean => array.as_boolean_opt()?.value(row).into(),
        ColumnType::Timestamp => {
            let micros = array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row);
            Timestamp::from_micros(micros).to_string().into()
        }
    })
}
