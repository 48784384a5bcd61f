//! How each column is encoded: chosen once per kind of content, measured in time and size.

use event::{COLUMNS, Column, ColumnType};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// Rows of a row group at most: few enough that readers can share a file's groups among them. Memory makes most smaller.
pub(crate) const GROUP_ROWS: usize = 256 << 10;
/// In the one form that Java readers can parse; of files whose maker they cannot, they disregard the bounds of text.
const CREATED_BY: &str = concat!("daybook version ", env!("CARGO_PKG_VERSION"));
/// Columns that are looked up by value: a file without the value is not read.
const BLOOM: [&str; 4] = ["request_id", "entity_id", "idempotency_key", "trace_id"];
/// Columns for whose values nobody asks by range, beside random ids and long texts: bounds would cost time and room in
/// every manifest.
const UNBOUNDED: [&str; 16] = [
    "actor_type",
    "client_ip",
    "user_agent",
    "protocol",
    "query_string",
    "request_content_type",
    "request_headers",
    "request_body_encoding",
    "request_body_ref",
    "idempotency_outcome",
    "service",
    "service_version",
    "environment",
    "region",
    "invocation_id",
    "raw_object",
];

/// What a column's text is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The sort key's id: neighbours share their beginning.
    SortedId,
    /// Random ids and hashes: all different, nothing in them to compress, and no range of them says anything.
    Id,
    /// Texts of which most are different, but similar: a dictionary would be as large as they are.
    Various,
    /// Bodies and the like: long, and worth compressing.
    Long,
    /// Numbers and times.
    Number,
    /// Few values, often repeated.
    Repeating,
}

fn content(column: &Column) -> Content {
    match (column.name, column.kind) {
        ("event_id", _) => Content::SortedId,
        (
            "request_id"
            | "trace_id"
            | "request_body_sha256"
            | "idempotency_key"
            | "state_hash"
            | "prev_event_hash"
            | "event_hash",
            _,
        ) => Content::Id,
        ("request_body" | "event_data" | "state_after" | "error_detail", _) => Content::Long,
        ("request_headers" | "path" | "query_string" | "entity_id" | "user_id" | "client_ip" | "invocation_id", _) => {
            Content::Various
        }
        ("status" | "schema_version", _) => Content::Repeating,
        (_, ColumnType::Int | ColumnType::Bigint | ColumnType::Timestamp) => Content::Number,
        _ => Content::Repeating,
    }
}

/// The properties of row groups of `rows` rows at most.
///
/// A bloom filter is made for as many values as there are rows, and folded to those that came: made for the default
/// number, it would turn a small file into megabytes.
pub(crate) fn of(rows: u64) -> WriterProperties {
    let zstd = |level| Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default());
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_compression(zstd(1))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting_columns()));
    for column in COLUMNS {
        let (path, content) = (|| ColumnPath::from(column.name), content(column));
        properties = match content {
            Content::SortedId => plain(properties, path(), Encoding::DELTA_BYTE_ARRAY),
            Content::Id | Content::Various => plain(properties, path(), Encoding::DELTA_LENGTH_BYTE_ARRAY),
            Content::Number => plain(properties, path(), Encoding::DELTA_BINARY_PACKED),
            Content::Long => {
                plain(properties, path(), Encoding::DELTA_LENGTH_BYTE_ARRAY).set_column_compression(path(), zstd(2))
            }
            Content::Repeating => properties,
        };
        if matches!(content, Content::Id | Content::Long) || UNBOUNDED.contains(&column.name) {
            properties = properties.set_column_statistics_enabled(path(), EnabledStatistics::None);
        }
        if BLOOM.contains(&column.name) {
            let distinct = rows.clamp(1, GROUP_ROWS as u64);
            properties =
                properties.set_column_bloom_filter_enabled(path(), true).set_column_bloom_filter_ndv(path(), distinct);
        }
    }
    properties.build()
}

fn plain(properties: WriterPropertiesBuilder, column: ColumnPath, encoding: Encoding) -> WriterPropertiesBuilder {
    properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, encoding)
}

fn sorting_columns() -> Vec<SortingColumn> {
    let place = |name| COLUMNS.iter().position(|column| column.name == name);
    ["received_at", "event_id"]
        .into_iter()
        .filter_map(place)
        .filter_map(|index| i32::try_from(index).ok())
        .map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: true })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_follow_the_content() {
        let check = |name: &str, expect: Content| {
            let column = COLUMNS.iter().find(|column| column.name == name).unwrap();
            assert_eq!(content(column), expect, "{name}");
        };
        check("event_id", Content::SortedId);
        check("event_hash", Content::Id);
        check("received_at", Content::Number);
        check("request_body", Content::Long);
        check("status", Content::Repeating);
        check("path", Content::Various);
        check("route", Content::Repeating);
        check("duration_ms", Content::Repeating);
    }

    #[test]
    fn a_bloom_filter_is_made_for_the_values_there_are() {
        let properties = of(10);
        let filter = |name: &str| properties.bloom_filter_properties(&ColumnPath::from(name)).map(|bloom| bloom.ndv);
        for name in BLOOM {
            assert_eq!(filter(name), Some(10), "{name}");
        }
        assert_eq!(filter("event_id"), None);
    }
}
