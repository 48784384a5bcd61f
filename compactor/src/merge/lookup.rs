//! Which of the chunk's events are in the table: a lookup by sort key, whose cost follows the chunk, not the table.

use std::collections::HashSet;

use arrow::array::cast::AsArray;
use arrow::array::types::TimestampMicrosecondType;
use event::EventId;
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
use crate::rows::Key;
use crate::schema;

/// The events of `keys`, which are sorted, that the table has.
pub(super) async fn present(table: &Table, keys: &[Key]) -> Result<HashSet<EventId>> {
    let mut found = HashSet::new();
    if keys.is_empty() {
        return Ok(found);
    }
    let wants_days = |first: i32, last: i32| {
        let from = keys.partition_point(|key| key.day() < first);
        keys.get(from).is_some_and(|key| key.day() <= last)
    };
    for file in files_of_days(table, wants_days).await? {
        if file_range(&file).is_none_or(|range| wants(keys, range)) {
            look_in(table, &file, keys, &mut found).await?;
        }
    }
    Ok(found)
}

/// Whether one of the keys was received between the two times.
fn wants(keys: &[Key], (low, high): (i64, i64)) -> bool {
    let from = keys.partition_point(|key| key.received_at < low);
    keys.get(from).is_some_and(|key| key.received_at <= high)
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

async fn look_in(table: &Table, file: &DataFile, keys: &[Key], found: &mut HashSet<EventId>) -> Result<()> {
    let context = || format!("look for duplicates in {}", file.file_path());
    let builder = open(table, file.file_path(), file.file_size_in_bytes()).await?;
    let (groups, selection) = select(builder.metadata(), keys);
    if groups.is_empty() {
        return Ok(());
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["received_at", "event_id"]);
    let builder: ParquetRecordBatchStreamBuilder<ParquetFile> =
        builder.with_projection(mask).with_row_groups(groups).with_row_selection(selection);
    let mut batches = builder.build().map_err(Error::lake(context()))?;
    while let Some(batch) = batches.try_next().await.map_err(Error::lake(context()))? {
        let damaged = || Error::new(ErrorKind::Table, format!("{}: not the table's columns", context()));
        let times = batch.column_by_name("received_at").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let ids = batch.column_by_name("event_id").and_then(|column| column.as_string_opt::<i32>());
        let (Some(times), Some(ids)) = (times, ids) else { return Err(damaged()) };
        for (time, id) in times.values().iter().zip(ids) {
            let id: EventId = id.and_then(|id| id.parse().ok()).ok_or_else(damaged)?;
            if keys.binary_search_by(|key| key.sort_key().cmp(&(*time, id))).is_ok() {
                found.insert(id);
            }
        }
    }
    Ok(())
}

/// The row groups, and within them the rows of those pages, whose time range holds one of the keys.
fn select(metadata: &ParquetMetaData, keys: &[Key]) -> (Vec<usize>, RowSelection) {
    let mut groups = Vec::new();
    let mut selectors = Vec::new();
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let column = group.columns().iter().position(|column| column.column_path().string() == "received_at");
        let range = match column.and_then(|column| group.column(column).statistics()) {
            Some(Statistics::Int64(range)) => range.min_opt().copied().zip(range.max_opt().copied()),
            _ => None,
        };
        if range.is_none_or(|range| wants(keys, range)) {
            groups.push(index);
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            selectors.extend(pages(metadata, index, column, rows, keys));
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
    keys: &[Key],
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
        if range.is_none_or(|range| wants(keys, range)) {
            RowSelector::select(length)
        } else {
            RowSelector::skip(length)
        }
    };
    firsts.iter().zip(ends).enumerate().map(selector).collect()
}
