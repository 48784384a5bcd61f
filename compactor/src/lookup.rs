//! Looking for rows by their time: of the table only those files, row groups and pages are read that can hold them.

use arrow::array::cast::AsArray;
use arrow::array::types::TimestampMicrosecondType;
use futures::TryStreamExt;
use iceberg::spec::{DataFile, PrimitiveLiteral};
use iceberg::table::Table;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::{ParquetFile, files_of_days, open};
use crate::schema;

const DAY: i64 = 86_400_000_000;

/// What is looked for: rows of some times, told apart by one column of text.
pub(crate) trait Sought {
    /// The column.
    fn column(&self) -> &'static str;

    /// Whether one of them may have been received between two times, both included, in microseconds.
    fn may_be_within(&self, first: i64, last: i64) -> bool;

    /// Shows a row; it need not be one of those looked for.
    fn see(&mut self, received_at: i64, text: &str) -> Result<()>;
}

/// Shows `sought` every row of the table whose time it may be looking for, and some others.
///
/// Reads `received_at` and the one column, of those pages alone whose times are asked for.
///
/// # Errors
/// The table could not be read.
pub(crate) async fn look_for(table: &Table, sought: &mut (impl Sought + Send + Sync)) -> Result<()> {
    let days = |first: i32, last: i32| {
        sought.may_be_within(i64::from(first).saturating_mul(DAY), (i64::from(last) + 1).saturating_mul(DAY) - 1)
    };
    if !sought.may_be_within(i64::MIN, i64::MAX) {
        return Ok(());
    }
    for file in files_of_days(table, days).await? {
        if file_range(&file).is_none_or(|(first, last)| sought.may_be_within(first, last)) {
            look_in(table, &file, sought).await?;
        }
    }
    Ok(())
}

/// The times of a file's first and last row, if its writer said.
fn file_range(file: &DataFile) -> Option<(i64, i64)> {
    let id = schema::field_id("received_at")?;
    let micros = |datum: Option<&iceberg::spec::Datum>| match datum?.literal() {
        PrimitiveLiteral::Long(micros) => Some(*micros),
        _ => None,
    };
    Some((micros(file.lower_bounds().get(&id))?, micros(file.upper_bounds().get(&id))?))
}

async fn look_in(table: &Table, file: &DataFile, sought: &mut (impl Sought + Send + Sync)) -> Result<()> {
    let column = sought.column();
    let context = || format!("look for {column} in {}", file.file_path());
    let builder = open(table, file.file_path(), file.file_size_in_bytes()).await?;
    let (groups, selection) = select(builder.metadata(), sought);
    if groups.is_empty() {
        return Ok(());
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["received_at", column]);
    let builder: ParquetRecordBatchStreamBuilder<ParquetFile> =
        builder.with_projection(mask).with_row_groups(groups).with_row_selection(selection);
    let mut batches = builder.build().map_err(Error::lake(context()))?;
    while let Some(batch) = batches.try_next().await.map_err(Error::lake(context()))? {
        let damaged = || Error::new(ErrorKind::Table, format!("{}: not the table's columns", context()));
        let times = batch.column_by_name("received_at").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let texts = batch.column_by_name(column).and_then(|column| column.as_string_opt::<i32>());
        let (Some(times), Some(texts)) = (times, texts) else { return Err(damaged()) };
        for (time, text) in times.values().iter().zip(texts) {
            sought.see(*time, text.ok_or_else(damaged)?)?;
        }
    }
    Ok(())
}

/// The row groups, and within them the rows of those pages, whose times may be looked for.
fn select(metadata: &ParquetMetaData, sought: &impl Sought) -> (Vec<usize>, RowSelection) {
    let mut groups = Vec::new();
    let mut selectors = Vec::new();
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let column = group.columns().iter().position(|column| column.column_path().string() == "received_at");
        let range = match column.and_then(|column| group.column(column).statistics()) {
            Some(Statistics::Int64(range)) => range.min_opt().copied().zip(range.max_opt().copied()),
            _ => None,
        };
        if range.is_none_or(|(first, last)| sought.may_be_within(first, last)) {
            groups.push(index);
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            selectors.extend(pages(metadata, index, column, rows, sought));
        }
    }
    (groups, RowSelection::from(selectors))
}

/// Which rows of one row group to read; all of them if its writer left no index.
fn pages(
    metadata: &ParquetMetaData,
    group: usize,
    column: Option<usize>,
    rows: usize,
    sought: &impl Sought,
) -> Vec<RowSelector> {
    let ranges = metadata.column_index().and_then(|index| index.get(group)?.get(column?));
    let places = metadata.offset_index().and_then(|index| index.get(group)?.get(column?));
    let (Some(ColumnIndexMetaData::INT64(ranges)), Some(places)) = (ranges, places) else {
        return vec![RowSelector::select(rows)];
    };
    let firsts: Vec<usize> =
        places.page_locations().iter().map(|page| usize::try_from(page.first_row_index).unwrap_or_default()).collect();
    let ends = firsts.iter().skip(1).copied().chain([rows]);
    let selector = |(page, (first, end)): (usize, (&usize, usize))| {
        let range = ranges.min_value(page).copied().zip(ranges.max_value(page).copied());
        let length = end.saturating_sub(*first);
        if range.is_none_or(|(first, last)| sought.may_be_within(first, last)) {
            RowSelector::select(length)
        } else {
            RowSelector::skip(length)
        }
    };
    firsts.iter().zip(ends).enumerate().map(selector).collect()
}
