//! What a data file's entry in the manifest says about its columns, from the file's own footer.
//!
//! `iceberg`'s own conversion leaves out the bounds of row groups whose text was cut and keeps those of the others: of
//! two row groups, the file's bounds could be those of one, and readers would skip rows. Here a cut bound is a bound
//! (it was cut to be one), and a column with any row group that has none has none.

use std::collections::HashMap;

use event::{COLUMNS, ColumnType};
use iceberg::spec::{DataFileBuilder, Datum};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

/// Sets row count, sizes, counts and bounds.
pub(super) fn describe(file: &mut DataFileBuilder, metadata: &ParquetMetaData) {
    let groups = metadata.row_groups();
    let (mut sizes, mut values, mut nulls) = (HashMap::new(), HashMap::new(), HashMap::new());
    let (mut lower, mut upper, mut nans) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (index, (column, id)) in COLUMNS.iter().zip(1_i32..).enumerate() {
        let chunks = || groups.iter().map(|group| group.column(index));
        sizes.insert(id, chunks().map(|chunk| count(chunk.compressed_size())).sum());
        values.insert(id, chunks().map(|chunk| count(chunk.num_values())).sum());
        if let Some(sum) = chunks().map(|chunk| chunk.statistics()?.null_count_opt()).sum::<Option<u64>>() {
            nulls.insert(id, sum);
        }
        if column.kind == ColumnType::Double {
            // JSON has no NaN.
            nans.insert(id, 0);
        }
        if let Some((least, most)) = bounds(groups, index, column.kind) {
            lower.insert(id, least);
            upper.insert(id, most);
        }
    }
    file.record_count(count(metadata.file_metadata().num_rows()))
        .column_sizes(sizes)
        .value_counts(values)
        .null_value_counts(nulls)
        .nan_value_counts(nans)
        .lower_bounds(lower)
        .upper_bounds(upper)
        .split_offsets(Some(groups.iter().filter_map(RowGroupMetaData::file_offset).collect()));
}

fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Bounds over all row groups with a value; `None` if one of them does not say.
fn bounds(groups: &[RowGroupMetaData], column: usize, kind: ColumnType) -> Option<(Datum, Datum)> {
    let mut bounds: Option<(Datum, Datum)> = None;
    for group in groups {
        let chunk = group.column(column);
        let statistics = chunk.statistics()?;
        if statistics.null_count_opt() == Some(count(chunk.num_values())) {
            continue;
        }
        let (least, most) = range(statistics, kind)?;
        bounds = Some(match bounds {
            None => (least, most),
            Some((low, high)) => (if least < low { least } else { low }, if most > high { most } else { high }),
        });
    }
    bounds
}

fn range(statistics: &Statistics, kind: ColumnType) -> Option<(Datum, Datum)> {
    fn both<T>(least: Option<&T>, most: Option<&T>, datum: impl Fn(&T) -> Option<Datum>) -> Option<(Datum, Datum)> {
        Some((datum(least?)?, datum(most?)?))
    }
    match (statistics, kind) {
        (Statistics::Boolean(s), ColumnType::Boolean) => both(s.min_opt(), s.max_opt(), |v| Some(Datum::bool(*v))),
        (Statistics::Int32(s), ColumnType::Int) => both(s.min_opt(), s.max_opt(), |v| Some(Datum::int(*v))),
        (Statistics::Int64(s), ColumnType::Bigint) => both(s.min_opt(), s.max_opt(), |v| Some(Datum::long(*v))),
        (Statistics::Int64(s), ColumnType::Timestamp) => {
            both(s.min_opt(), s.max_opt(), |v| Some(Datum::timestamp_micros(*v)))
        }
        (Statistics::Double(s), ColumnType::Double) => both(s.min_opt(), s.max_opt(), |v| Some(Datum::double(*v))),
        (Statistics::ByteArray(s), ColumnType::String) => {
            both(s.min_opt(), s.max_opt(), |v| Some(Datum::string(v.as_utf8().ok()?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use event::{Event, Timestamp};
    use iceberg::spec::{DataContentType, DataFile, DataFileFormat, PrimitiveLiteral};
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    use super::*;
    use crate::columns::Columns;
    use crate::schema::{arrow_schema, field_id};

    /// The entry of a file with two rows in each row group.
    fn describe_paths(paths: &[Option<&str>]) -> DataFile {
        let mut columns = Columns::new(Timestamp::default());
        for path in paths {
            let event = Event { path: "/".to_owned(), route: path.map(str::to_owned), ..Event::default() };
            assert!(columns.push(&event.to_line(), "raw/a"));
        }
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), arrow_schema(), Some(properties)).unwrap();
        writer.write(&columns.finish().unwrap()).unwrap();
        let mut builder = DataFileBuilder::default();
        describe(&mut builder, &writer.close().unwrap());
        builder.content(DataContentType::Data).file_format(DataFileFormat::Parquet);
        builder.file_path(String::new()).file_size_in_bytes(0).build().unwrap()
    }

    fn text(datum: Option<&Datum>) -> Option<String> {
        match datum?.literal() {
            PrimitiveLiteral::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    #[test]
    fn bounds_hold_for_every_row_group_even_where_they_are_cut() {
        let (low, high) = ("a".repeat(200), "z".repeat(200));
        let file = describe_paths(&[Some("m"), Some("n"), Some(&low), Some(&high), None, None]);
        let id = field_id("route").unwrap();
        let least = text(file.lower_bounds().get(&id)).unwrap();
        let most = text(file.upper_bounds().get(&id)).unwrap();
        assert!(least <= low && most >= high && least.len() < 200 && most.len() < 200, "{least} {most}");
        assert_eq!((file.null_value_counts()[&id], file.value_counts()[&id], file.record_count()), (2, 6, 6));
    }

    #[test]
    fn a_column_of_nulls_has_no_bounds() {
        let file = describe_paths(&[None, None, None]);
        let id = field_id("route").unwrap();
        assert!(!file.lower_bounds().contains_key(&id) && file.null_value_counts()[&id] == 3);
        assert!(file.lower_bounds().contains_key(&field_id("received_at").unwrap()));
    }
}
