//! Reading a snapshot back: all its rows, a few columns, one day after the other.

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use iceberg::spec::DataFile;
use iceberg::table::Table;
use parquet::arrow::ProjectionMask;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::{data_files, day, open};

/// All rows of the snapshot that `table` is, with the given columns in the table's order.
///
/// Days come in order; within a day, file by file, each of them in order of `(received_at, event_id)`. Memory is one
/// batch and one row group's chosen columns.
///
/// # Errors
/// At once if the files cannot be listed or a column is unknown; in the stream if a file cannot be read.
pub async fn scan(table: &Table, columns: &[&str]) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    scan_days(table, columns, |_| true).await
}

/// As [`scan`], but only the files of `wanted` days, each the number of days since 1970.
///
/// # Errors
/// As [`scan`].
pub async fn scan_days(
    table: &Table,
    columns: &[&str],
    wanted: impl Fn(i32) -> bool,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    if let Some(unknown) = columns.iter().find(|column| crate::schema::field_id(column).is_none()) {
        return Err(Error::new(ErrorKind::Table, format!("the table has no column {unknown}")));
    }
    let mut files = data_files(table).await?;
    files.retain(|file| day(file).is_none_or(&wanted));
    files.sort_by_cached_key(|file| (day(file), file.file_path().to_owned()));
    let (table, columns) = (table.clone(), columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let batches = stream::iter(files).map(Ok).and_then(move |file| read(table.clone(), file, columns.clone()));
    Ok(batches.try_flatten().boxed())
}

/// How many rows the snapshot has, by its metadata.
///
/// # Errors
/// The metadata cannot be read.
pub async fn table_rows(table: &Table) -> Result<u64> {
    Ok(data_files(table).await?.iter().map(DataFile::record_count).sum())
}

async fn read(
    table: Table,
    file: DataFile,
    columns: Vec<String>,
) -> Result<impl futures::Stream<Item = Result<RecordBatch>>> {
    let path = file.file_path().to_owned();
    let builder = open(&table, &path, file.file_size_in_bytes()).await?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().map(String::as_str));
    let batches = builder.with_projection(mask).build().map_err(Error::lake(format!("read {path}")))?;
    Ok(batches.map_err(move |error| Error::caused(ErrorKind::Lake, format!("read {path}"), error)))
}
