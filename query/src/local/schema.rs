//! The schema of `requests`, made from the event's columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use event::{COLUMNS, Column, ColumnType};

use crate::error::{Error, ErrorKind, Result};

/// The columns of `requests` as the table's files and the tail's batches have them.
///
/// Every column may be null here, whatever the event says: a file that is older than a column lacks it.
pub fn schema() -> SchemaRef {
    with_texts(|_| DataType::Utf8)
}

/// Columns of few values. Files have each of them once, and views of it need not be copied for each row; of other texts
/// views would keep whole pages in memory for the sake of a few rows.
const OF_FEW_VALUES: [&str; 15] = [
    "event_type",
    "tenant",
    "protocol",
    "method",
    "route",
    "request_content_type",
    "request_body_encoding",
    "error_type",
    "idempotency_outcome",
    "entity_type",
    "operation",
    "service",
    "service_version",
    "environment",
    "ingest_path",
];

/// The same columns as queries go through them.
pub(crate) fn views() -> SchemaRef {
    with_texts(|name| if OF_FEW_VALUES.contains(&name) { DataType::Utf8View } else { DataType::Utf8 })
}

fn with_texts(text: impl Fn(&str) -> DataType) -> SchemaRef {
    let field = |column: &Column| Field::new(column.name, data_type(column.kind, text(column.name)), true);
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
}

fn data_type(kind: ColumnType, text: DataType) -> DataType {
    match kind {
        ColumnType::String => text,
        ColumnType::Int => DataType::Int32,
        ColumnType::Bigint => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// Gives a batch of the tail exactly `schema`: columns by name, missing ones null, unknown ones left out.
///
/// # Errors
/// `Engine` if a column has a type that cannot be cast to its own.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let refused =
        |error| Error::new(ErrorKind::Engine, "rows not yet in the table have another shape").with_source(error);
    let column = |field: &Arc<Field>| -> std::result::Result<ArrayRef, arrow::error::ArrowError> {
        match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(array) if array.data_type() == field.data_type() => Ok(Arc::clone(array)),
            Some(array) => cast(array, field.data_type()),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<std::result::Result<_, _>>().map_err(refused)?;
    // Of a schema without columns the rows are counted all the same.
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_few_values_are_columns() {
        let views = views();
        let count = views.fields().iter().filter(|field| *field.data_type() == DataType::Utf8View).count();
        assert_eq!(count, OF_FEW_VALUES.len());
    }
}
