//! The schema of `requests`, made from the event's columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use event::{COLUMNS, ColumnType};

use crate::error::{Error, ErrorKind, Result};

/// The columns of `requests` as the local engine shows them and as the tail's batches should have them.
///
/// Every column may be null here, whatever the event says: a file that is older than a column lacks it.
pub fn schema() -> SchemaRef {
    let fields: Vec<Field> =
        COLUMNS.iter().map(|column| Field::new(column.name, data_type(column.kind), true)).collect();
    Arc::new(Schema::new(fields))
}

const fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::String => DataType::Utf8,
        ColumnType::Int => DataType::Int32,
        ColumnType::Bigint => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// Gives a batch of the tail exactly [`schema`]: columns by name, missing ones null, unknown ones left out.
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
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(refused)
}
