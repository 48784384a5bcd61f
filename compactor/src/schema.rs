//! The table's shape, made from the one list of columns: `event::COLUMNS`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef as ArrowSchemaRef, TimeUnit};
use event::{COLUMNS, ColumnType};
use iceberg::spec::{
    NestedField, NullOrder, PrimitiveType, Schema, SortDirection, SortField, SortOrder, Transform, Type,
    UnboundPartitionSpec,
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::error::{Error, ErrorKind, Result};

/// Name of the table's namespace in the catalog.
pub const NAMESPACE: &str = "daybook";
/// Name of the table in the catalog.
pub const TABLE: &str = "requests";
/// The partition field: the UTC day of `received_at`.
pub const PARTITION: &str = "received_at_day";

/// The table's columns for Arrow, with Iceberg's field ids, so that files written with it need no mapping of names.
///
/// Text is `Utf8`, times are microseconds without a zone, required columns are not nullable.
pub fn arrow_schema() -> ArrowSchemaRef {
    static SCHEMA: LazyLock<ArrowSchemaRef> = LazyLock::new(make_arrow_schema);
    SCHEMA.clone()
}

fn make_arrow_schema() -> ArrowSchemaRef {
    let fields = COLUMNS.iter().zip(1..).map(|(column, id): (_, i32)| {
        let kind = match column.kind {
            ColumnType::String => DataType::Utf8,
            ColumnType::Int => DataType::Int32,
            ColumnType::Bigint => DataType::Int64,
            ColumnType::Double => DataType::Float64,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        };
        Field::new(column.name, kind, !column.required)
            .with_metadata(HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]))
    });
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

/// The field id of a column: its place in the list, from 1. Columns are only ever added at the end of the id's range.
pub fn field_id(column: &str) -> Option<i32> {
    COLUMNS.iter().zip(1..).find(|(listed, _)| listed.name == column).map(|(_, id)| id)
}

/// The table's columns for Iceberg.
///
/// # Errors
/// The list of columns names one twice.
pub fn iceberg_schema() -> Result<Schema> {
    let fields = COLUMNS.iter().zip(1..).map(|(column, id)| {
        let kind = match column.kind {
            ColumnType::String => PrimitiveType::String,
            ColumnType::Int => PrimitiveType::Int,
            ColumnType::Bigint => PrimitiveType::Long,
            ColumnType::Double => PrimitiveType::Double,
            ColumnType::Boolean => PrimitiveType::Boolean,
            ColumnType::Timestamp => PrimitiveType::Timestamp,
        };
        NestedField::new(id, column.name, Type::Primitive(kind), column.required).with_doc(column.meaning).into()
    });
    Schema::builder()
        .with_schema_id(0)
        .with_fields(fields)
        .build()
        .map_err(|error| Error::caused(ErrorKind::Table, "build the schema", error))
}

/// Partitioned by the UTC day of `received_at`.
///
/// # Errors
/// The list of columns lacks `received_at`.
pub fn partition_spec() -> Result<UnboundPartitionSpec> {
    UnboundPartitionSpec::builder()
        .with_spec_id(0)
        .add_partition_field(source("received_at")?, PARTITION, Transform::Day)
        .map(|builder| builder.build())
        .map_err(|error| Error::caused(ErrorKind::Table, "build the partition spec", error))
}

/// Files are sorted by `(received_at, event_id)`: a lookup by both reads a page or two.
///
/// # Errors
/// The list of columns lacks one of the two.
pub fn sort_order() -> Result<SortOrder> {
    let field = |name| {
        Ok(SortField::builder()
            .source_id(source(name)?)
            .transform(Transform::Identity)
            .direction(SortDirection::Ascending)
            .null_order(NullOrder::First)
            .build())
    };
    SortOrder::builder()
        .with_order_id(1)
        .with_sort_field(field("received_at")?)
        .with_sort_field(field("event_id")?)
        .build_unbound()
        .map_err(|error| Error::caused(ErrorKind::Table, "build the sort order", error))
}

/// The properties a new table gets.
pub fn properties() -> HashMap<String, String> {
    let properties = [
        // A commit that met another's is planned anew: an append that is merely rebased would add the same objects twice.
        ("commit.retry.num-retries", "0"),
        ("write.format.default", "parquet"),
        ("write.parquet.compression-codec", "zstd"),
        ("write.target-file-size-bytes", "134217728"),
    ];
    properties.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Refuses a table whose columns are not those of this version.
///
/// # Errors
/// Names the first column that differs.
pub(crate) fn check(found: &Schema) -> Result<()> {
    let wanted = iceberg_schema()?;
    let found = found.as_struct().fields();
    for (index, field) in wanted.as_struct().fields().iter().enumerate() {
        let same = found.get(index).is_some_and(|other| {
            (other.id, &other.name, other.required, &other.field_type)
                == (field.id, &field.name, field.required, &field.field_type)
        });
        if !same {
            let message = format!("the table {NAMESPACE}.{TABLE} was made by another version: column {}", field.name);
            return Err(Error::new(ErrorKind::Table, message));
        }
    }
    Ok(())
}

fn source(column: &str) -> Result<i32> {
    field_id(column).ok_or_else(|| Error::new(ErrorKind::Table, format!("no column {column}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrow_and_iceberg_say_the_same() {
        let from_iceberg = iceberg::arrow::schema_to_arrow_schema(&iceberg_schema().unwrap()).unwrap();
        let ours = arrow_schema();
        assert_eq!(from_iceberg.fields().len(), ours.fields().len());
        for (theirs, ours) in from_iceberg.fields().iter().zip(ours.fields()) {
            assert_eq!(
                (theirs.name(), theirs.data_type(), theirs.is_nullable()),
                (ours.name(), ours.data_type(), ours.is_nullable())
            );
            assert_eq!(
                theirs.metadata().get(PARQUET_FIELD_ID_META_KEY),
                ours.metadata().get(PARQUET_FIELD_ID_META_KEY)
            );
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "whoever runs the test says whether to write the golden file anew")]
    fn golden() {
        let shape = serde_json::json!({
            "schema": iceberg_schema().unwrap(),
            "partition-spec": partition_spec().unwrap(),
            "sort-order": sort_order().unwrap(),
            "properties": std::collections::BTreeMap::from_iter(properties()),
        });
        let shape = serde_json::to_string_pretty(&shape).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/table.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &shape).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), shape, "{path}: UPDATE_GOLDEN=1 writes it anew");
    }

    #[test]
    fn a_table_of_another_shape_is_refused() {
        check(&iceberg_schema().unwrap()).unwrap();
        let field = NestedField::required(1, "event_id", Type::Primitive(PrimitiveType::Long));
        let other = Schema::builder().with_fields([field.into()]).build().unwrap();
        assert!(check(&other).unwrap_err().to_string().contains("event_id"));
    }
}
