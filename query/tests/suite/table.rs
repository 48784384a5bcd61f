//! Iceberg tables of the event's columns, in memory or in a folder.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use event::{COLUMNS, ColumnType, Event, Timestamp, Value};
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::io::{LocalFsStorageFactory, MemoryStorageFactory, StorageFactory};
use iceberg::memory::{MEMORY_CATALOG_WAREHOUSE, MemoryCatalogBuilder};
use iceberg::spec::{
    DataFile, DataFileFormat, Literal, NestedField, PartitionKey, PrimitiveType, Schema, Struct, Transform, Type,
    UnboundPartitionSpec,
};
use iceberg::table::Table;
use iceberg::transaction::{ApplyTransactionAction, Transaction};
use iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use iceberg::writer::file_writer::ParquetWriterBuilder;
use iceberg::writer::file_writer::location_generator::{DefaultFileNameGenerator, DefaultLocationGenerator};
use iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use iceberg::writer::{IcebergWriter, IcebergWriterBuilder};
use iceberg::{Catalog, CatalogBuilder, NamespaceIdent, TableCreation};
use parquet::file::properties::WriterProperties;
use query::local::Snapshot;

const DAY: i64 = 86_400_000_000;

/// A table and the catalog that can extend it.
pub struct Lake {
    catalog: Box<dyn Catalog>,
    pub table: Table,
    properties: WriterProperties,
    files: usize,
}

/// Events in files, one list a commit, and events in the tail.
pub async fn snapshot(files: &[&[Event]], tail: &[Event]) -> Snapshot {
    let mut lake = Lake::in_memory(WriterProperties::builder().build()).await;
    for events in files {
        lake.append(events).await;
    }
    Snapshot { table: lake.table, tail: if tail.is_empty() { vec![] } else { vec![batch(tail)] } }
}

impl Lake {
    pub async fn in_memory(properties: WriterProperties) -> Self {
        Self::create("memory://lake", Arc::new(MemoryStorageFactory), COLUMNS.len(), properties).await
    }

    pub async fn in_folder(folder: &std::path::Path, properties: WriterProperties) -> Self {
        Self::create(folder.to_str().unwrap(), Arc::new(LocalFsStorageFactory), COLUMNS.len(), properties).await
    }

    /// A table that has only the first columns, as an older version would have made it.
    pub async fn of_an_older_version(columns: usize) -> Self {
        let properties = WriterProperties::builder().build();
        Self::create("memory://lake", Arc::new(MemoryStorageFactory), columns, properties).await
    }

    async fn create(
        warehouse: &str,
        storage: Arc<dyn StorageFactory>,
        columns: usize,
        properties: WriterProperties,
    ) -> Self {
        let warehouse = HashMap::from([(MEMORY_CATALOG_WAREHOUSE.to_owned(), warehouse.to_owned())]);
        let catalog =
            MemoryCatalogBuilder::default().with_storage_factory(storage).load("lake", warehouse).await.unwrap();
        let namespace = NamespaceIdent::new("daybook".to_owned());
        catalog.create_namespace(&namespace, HashMap::new()).await.unwrap();
        let schema = schema(columns);
        let received_at = schema.field_id_by_name("received_at").unwrap();
        let spec = UnboundPartitionSpec::builder()
            .add_partition_field(received_at, "received_at_day", Transform::Day)
            .unwrap()
            .build();
        let creation = TableCreation::builder().name("requests".to_owned()).schema(schema).partition_spec(spec).build();
        let table = catalog.create_table(&namespace, creation).await.unwrap();
        Self { catalog: Box::new(catalog), table, properties, files: 0 }
    }

    /// One commit: a file for each day that the events touch.
    pub async fn append(&mut self, events: &[Event]) {
        let mut days: std::collections::BTreeMap<i64, Vec<Event>> = std::collections::BTreeMap::new();
        for event in events {
            days.entry(event.received_at.micros().div_euclid(DAY)).or_default().push(event.clone());
        }
        let mut files = Vec::new();
        for (day, events) in days {
            files.extend(self.write(day, &batch(&events)).await);
        }
        let transaction = Transaction::new(&self.table);
        let transaction = transaction.fast_append().add_data_files(files).apply(transaction).unwrap();
        self.table = transaction.commit(&*self.catalog).await.unwrap();
    }

    async fn write(&mut self, day: i64, rows: &RecordBatch) -> Vec<DataFile> {
        let metadata = self.table.metadata();
        let schema = metadata.current_schema().clone();
        self.files += 1;
        let writer = RollingFileWriterBuilder::new_with_default_file_size(
            ParquetWriterBuilder::new(self.properties.clone(), schema.clone()),
            self.table.file_io().clone(),
            DefaultLocationGenerator::new(metadata).unwrap(),
            DefaultFileNameGenerator::new(format!("{:05}", self.files), None, DataFileFormat::Parquet),
        );
        let spec = metadata.default_partition_spec().as_ref().clone();
        let day = Struct::from_iter([Some(Literal::date(i32::try_from(day).unwrap()))]);
        let key = PartitionKey::new(spec, schema.clone(), day);
        let mut writer = DataFileWriterBuilder::new(writer).build(Some(key)).await.unwrap();
        let arrow_schema = Arc::new(schema_to_arrow_schema(&schema).unwrap());
        let columns = rows.columns()[..arrow_schema.fields().len()].to_vec();
        writer.write(RecordBatch::try_new(arrow_schema, columns).unwrap()).await.unwrap();
        writer.close().await.unwrap()
    }
}

fn schema(columns: usize) -> Schema {
    let field = |(id, column): (i32, &event::Column)| {
        let kind = Type::Primitive(match column.kind {
            ColumnType::String => PrimitiveType::String,
            ColumnType::Int => PrimitiveType::Int,
            ColumnType::Bigint => PrimitiveType::Long,
            ColumnType::Double => PrimitiveType::Double,
            ColumnType::Boolean => PrimitiveType::Boolean,
            ColumnType::Timestamp => PrimitiveType::Timestamp,
        });
        Arc::new(NestedField::new(id, column.name, kind, column.required))
    };
    Schema::builder().with_fields((1..).zip(&COLUMNS[..columns]).map(field)).build().unwrap()
}

/// The events as rows, with the compactor's columns filled in.
pub fn batch(events: &[Event]) -> RecordBatch {
    let columns = (0..COLUMNS.len()).map(|index| column(events, index)).collect();
    RecordBatch::try_new(query::local::schema(), columns).unwrap()
}

fn column(events: &[Event], index: usize) -> ArrayRef {
    macro_rules! build {
        ($builder:expr, $pattern:pat => $value:expr) => {{
            let mut builder = $builder;
            for event in events {
                match value(event, index) {
                    Some($pattern) => builder.append_value($value),
                    None => builder.append_null(),
                    Some(other) => panic!("{other:?} in {}", COLUMNS[index].name),
                }
            }
            Arc::new(builder.finish())
        }};
    }
    match COLUMNS[index].kind {
        ColumnType::String => {
            let texts = events.iter().map(|event| value(event, index).map(text));
            let mut builder = StringBuilder::new();
            texts.for_each(|text| builder.append_option(text));
            Arc::new(builder.finish())
        }
        ColumnType::Int => build!(Int32Builder::new(), Value::Int(v) => v),
        ColumnType::Bigint => build!(Int64Builder::new(), Value::Bigint(v) => v),
        ColumnType::Double => build!(Float64Builder::new(), Value::Double(v) => v),
        ColumnType::Boolean => build!(BooleanBuilder::new(), Value::Boolean(v) => v),
        ColumnType::Timestamp => build!(TimestampMicrosecondBuilder::new(), Value::Timestamp(v) => v.micros()),
    }
}

fn value(event: &Event, index: usize) -> Option<Value<'_>> {
    match COLUMNS[index].name {
        "raw_object" => Some(Value::String("raw/a.ndjson.gz")),
        "ingested_at" => Some(Value::Timestamp(ingested_at(event.received_at))),
        _ => event.values()[index],
    }
}

/// When a row came into the table: within an hour and a half, as `tests/golden/make.py` has it, too.
fn ingested_at(received_at: Timestamp) -> Timestamp {
    let micros = received_at.micros();
    let delay = i128::from(micros) * 7_919 % 5_400_000_000;
    Timestamp::from_micros(micros + delay as i64)
}

fn text(value: Value<'_>) -> String {
    match value {
        Value::String(text) => text.to_owned(),
        Value::Id(id) => id.to_string(),
        other => panic!("{other:?}"),
    }
}
