//! Which row groups and pages of a file can hold a row of the sought times, by its footer and page index.

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::Times;

/// The row groups, and within them the rows of those pages, whose times may be looked for.
pub(super) fn select(metadata: &ParquetMetaData, times: &Times) -> (Vec<usize>, RowSelection) {
    let mut groups = Vec::new();
    let mut selectors = Vec::new();
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let column = group.columns().iter().position(|column| column.column_path().string() == "received_at");
        let range = match column.and_then(|column| group.column(column).statistics()) {
            Some(Statistics::Int64(range)) => range.min_opt().copied().zip(range.max_opt().copied()),
            _ => None,
        };
        if range.is_none_or(|(first, last)| times.any_within(first, last)) {
            groups.push(index);
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            selectors.extend(pages(metadata, index, column, rows, times));
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
    times: &Times,
) -> Vec<RowSelector> {
    let ranges = metadata.column_index().and_then(|index| index.get(group)?.get(column?));
    let places = metadata.offset_index().and_then(|index| index.get(group)?.get(column?));
    let (Some(ColumnIndexMetaData::INT64(ranges)), Some(places)) = (ranges, places) else {
        return vec![RowSelector::select(rows)];
    };
    if usize::try_from(ranges.num_pages()) != Ok(places.page_locations().len()) {
        return vec![RowSelector::select(rows)];
    }
    let firsts: Vec<usize> =
        places.page_locations().iter().map(|page| usize::try_from(page.first_row_index).unwrap_or_default()).collect();
    let ends = firsts.iter().skip(1).copied().chain([rows]);
    let selector = |(page, (first, end)): (usize, (&usize, usize))| {
        let range = ranges.min_value(page).copied().zip(ranges.max_value(page).copied());
        let length = end.saturating_sub(*first);
        if range.is_none_or(|(first, last)| times.any_within(first, last)) {
            RowSelector::select(length)
        } else {
            RowSelector::skip(length)
        }
    };
    firsts.iter().zip(ends).enumerate().map(selector).collect()
}
