//! New rows to Parquet files, one for each day touched.

mod properties;
mod statistics;

use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Literal, Struct};
use iceberg::table::Table;
use parquet::arrow::AsyncArrowWriter;
use parquet::file::metadata::ParquetMetaData;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::ParquetOutput;
use crate::merge::Merged;
use crate::rows::Key;
use crate::schema;
use event::Timestamp;

/// Writes the rows, sorted, one file a day; the files are durable when this returns, and nothing names them yet.
///
/// `written` is told of every batch: how many rows.
///
/// # Errors
/// A file could not be written. What was written before stays behind, unnamed.
pub(crate) async fn write(
    table: &Table,
    merged: &Merged,
    batch_id: &str,
    written: &(dyn Fn(u64) + Sync),
) -> Result<Vec<DataFile>> {
    let mut files = Vec::new();
    for (number, keys) in merged.days().enumerate() {
        let day = keys.first().map(Key::day).unwrap_or_default();
        let path = format!(
            "{}/data/{}={}/{batch_id}-{number:05}.parquet",
            table.metadata().location().trim_end_matches('/'),
            schema::PARTITION,
            Timestamp::from_micros(i64::from(day) * 86_400_000_000).day(),
        );
        files.push(write_day(table, merged, keys, day, path, written).await?);
    }
    Ok(files)
}

async fn write_day(
    table: &Table,
    merged: &Merged,
    keys: &[Key],
    day: i32,
    path: String,
    written: &(dyn Fn(u64) + Sync),
) -> Result<DataFile> {
    let context = || format!("write {path}");
    let output = table.file_io().new_output(&path).map_err(Error::lake(context()))?;
    let output = ParquetOutput(output.writer().await.map_err(Error::lake(context()))?);
    let properties = properties::of(keys.len() as u64, |column| merged.non_null(column));
    let mut writer =
        AsyncArrowWriter::try_new(output, schema::arrow_schema(), Some(properties)).map_err(Error::lake(context()))?;
    for batch in merged.batches_of(keys) {
        let batch = batch?;
        writer.write(&batch).await.map_err(Error::lake(context()))?;
        written(batch.num_rows() as u64);
        // Encoding a batch takes milliseconds of this thread: others get their turn in between.
        tokio::task::yield_now().await;
    }
    let metadata = writer.finish().await.map_err(Error::lake(context()))?;
    let bytes = writer.bytes_written() as u64;
    data_file(table, &metadata, day, path, bytes)
}

fn data_file(table: &Table, metadata: &ParquetMetaData, day: i32, path: String, bytes: u64) -> Result<DataFile> {
    let mut builder = DataFileBuilder::default();
    statistics::describe(&mut builder, metadata);
    builder
        .content(DataContentType::Data)
        .file_format(DataFileFormat::Parquet)
        .file_path(path)
        .file_size_in_bytes(bytes)
        .partition_spec_id(table.metadata().default_partition_spec_id())
        .partition(Struct::from_iter([Some(Literal::date(day))]))
        .sort_order_id(i32::try_from(table.metadata().default_sort_order_id()).unwrap_or_default())
        .build()
        .map_err(|error| Error::new(ErrorKind::Lake, format!("describe a data file: {error}")))
}
