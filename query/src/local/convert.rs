//! From Arrow's batches to the rows of an answer.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use event::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::rows::{Cell, CellKind, RowColumn};

/// The columns of an answer with this schema.
///
/// # Errors
/// `Engine` if a column is of a type that answers do not have, such as a list.
pub(crate) fn columns(schema: &Schema) -> Result<Vec<RowColumn>> {
    let column = |field: &Arc<arrow::datatypes::Field>| {
        let kind = kind(field.data_type()).ok_or_else(|| {
            let context =
                format!("the column {} is of type {}, which answers do not have", field.name(), field.data_type());
            Error::new(ErrorKind::Engine, context)
        })?;
        Ok(RowColumn { name: field.name().clone(), kind })
    };
    schema.fields().iter().map(column).collect()
}

fn kind(data_type: &DataType) -> Option<CellKind> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Date32 | DataType::Null => {
            Some(CellKind::Text)
        }
        data_type if data_type.is_integer() => Some(CellKind::Int),
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => Some(CellKind::Float),
        DataType::Boolean => Some(CellKind::Bool),
        DataType::Timestamp(..) => Some(CellKind::Timestamp),
        _ => None,
    }
}

/// Appends the rows of `batch`, whose columns are `columns`.
///
/// # Errors
/// `Engine` if a value does not fit its column's kind, such as an unsigned number over 63 bits.
pub(crate) fn append_rows(batch: &RecordBatch, columns: &[RowColumn], rows: &mut Vec<Vec<Cell>>) -> Result<()> {
    let start = rows.len();
    rows.resize_with(start + batch.num_rows(), || Vec::with_capacity(columns.len()));
    for (array, column) in batch.columns().iter().zip(columns) {
        let array = canonical(array, column)?;
        for (index, row) in rows[start..].iter_mut().enumerate() {
            row.push(cell(&array, index, column.kind));
        }
    }
    Ok(())
}

/// The one array type of each kind.
fn canonical(array: &ArrayRef, column: &RowColumn) -> Result<ArrayRef> {
    let target = match column.kind {
        CellKind::Text => DataType::Utf8,
        CellKind::Int => DataType::Int64,
        CellKind::Float => DataType::Float64,
        CellKind::Bool => DataType::Boolean,
        CellKind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    };
    let unfit =
        || Error::new(ErrorKind::Engine, format!("a value of {} does not fit {}", column.name, column.kind.name()));
    let converted = cast(array, &target).map_err(|error| unfit().with_source(error))?;
    // The cast makes null of what does not fit.
    if converted.null_count() == array.logical_null_count() { Ok(converted) } else { Err(unfit()) }
}

fn cell(array: &ArrayRef, index: usize, kind: CellKind) -> Cell {
    if array.is_null(index) {
        return Cell::Null;
    }
    match kind {
        CellKind::Text => Cell::Text(array.as_string::<i32>().value(index).to_owned()),
        CellKind::Int => Cell::Int(array.as_primitive::<Int64Type>().value(index)),
        CellKind::Float => Cell::Float(array.as_primitive::<Float64Type>().value(index)),
        CellKind::Bool => Cell::Bool(array.as_boolean().value(index)),
        CellKind::Timestamp => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(index);
            Cell::Timestamp(Timestamp::from_micros(micros))
        }
    }
}
