//! What the engine reads, and where it stops: empty tables, old files, odd folders, caps.

use std::time::Duration;

use event::COLUMNS;
use parquet::file::properties::WriterProperties;
use query::local::{Limits, LocalEngine, Snapshot};
use query::{Cell, ErrorKind, QueryEngine, named};

use crate::fixture::{ask, events, query_of, scope};
use crate::table::{self, Lake};

#[tokio::test]
async fn an_empty_log_answers() {
    for query in named::all() {
        let required = query.params.iter().filter(|param| param.default.is_none());
        let given: Vec<(&str, &str)> = required.map(|param| (param.name, "x")).collect();
        let rows = ask(table::snapshot(&[], &[]).await, query.name, &given, &scope()).await;
        assert!(rows.rows.is_empty() && rows.bytes_read == 0 && !rows.truncated, "{}", query.name);
        assert!(!rows.columns.is_empty());
    }
}

#[tokio::test]
async fn files_older_than_a_column_have_nulls() {
    let mut lake = Lake::of_an_older_version(COLUMNS.len() - 2).await;
    lake.append(&events()).await;
    let query = query_of(
        " none",
        "select count(*) as n, count(raw_object) as raw, count(ingested_at) as ingested from requests \
         where received_at >= cast('2000-01-01 00:00:00' as timestamp(6)) and :tenant is null",
    );
    let engine = LocalEngine::new(Snapshot { table: lake.table, tail: vec![] }, Limits::default()).unwrap();
    let rows = engine.run(&query, &query.bind([], &scope()).unwrap()).await.unwrap();
    assert_eq!(rows.rows, [[Cell::Int(96), Cell::Int(0), Cell::Int(0)]]);
}

#[tokio::test]
async fn a_tail_of_another_shape_conforms_or_is_refused() {
    use arrow::array::{Int32Array, RecordBatch, StringArray};
    use std::sync::Arc;
    let table = table::snapshot(&[], &[]).await.table;
    let ids: arrow::array::ArrayRef = Arc::new(StringArray::from(vec!["b", "a"]));
    let unknown: arrow::array::ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("of_later", unknown), ("event_id", ids.clone())]).unwrap();
    let engine = LocalEngine::new(Snapshot { table: table.clone(), tail: vec![batch] }, Limits::default()).unwrap();
    let query = query_of(" none", "select event_id, status from requests where :tenant is null order by event_id");
    let rows = engine.run(&query, &query.bind([], &scope()).unwrap()).await.unwrap();
    let row = |id: &str| vec![Cell::Text(id.to_owned()), Cell::Null];
    assert_eq!(rows.rows, [row("a"), row("b")]);

    let list = arrow::array::new_empty_array(&arrow::datatypes::DataType::Struct(arrow::datatypes::Fields::empty()));
    let batch = RecordBatch::try_from_iter([("status", list)]).unwrap();
    let error = LocalEngine::new(Snapshot { table, tail: vec![batch] }, Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Engine);
}

#[tokio::test]
async fn folders_may_have_any_name() {
    let folder = tempfile::Builder::new().prefix("a b#c%20d [é] ").tempdir().unwrap();
    let mut lake = Lake::in_folder(folder.path(), WriterProperties::builder().build()).await;
    lake.append(&events()).await;
    let snapshot = Snapshot { table: lake.table, tail: vec![] };
    let rows = ask(snapshot, "slowest", &[("from", "now - 3d"), ("limit", "1000")], &scope()).await;
    assert_eq!(rows.rows.len(), 96);
}

#[tokio::test]
async fn rows_are_capped_and_said_to_be() {
    for (cap, truncated) in [(95, true), (96, false), (97, false), (0, true)] {
        let snapshot = table::snapshot(&[&events()[..50]], &events()[50..]).await;
        let engine = LocalEngine::new(snapshot, Limits { rows: cap, ..Limits::default() }).unwrap();
        let query = named::find("slowest").unwrap();
        let params = query.bind([("from", "now - 3d"), ("limit", "1000")], &scope()).unwrap();
        let rows = engine.run(query, &params).await.unwrap();
        assert_eq!((rows.rows.len(), rows.truncated), (cap.min(96), truncated));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_query_ends_in_time() {
    let many: Vec<_> = std::iter::repeat_n(table::batch(&events()), 50_000).collect();
    let table = table::snapshot(&[], &[]).await.table;
    let limits = Limits { timeout: Duration::from_millis(100), ..Limits::default() };
    let engine = LocalEngine::new(Snapshot { table, tail: many }, limits).unwrap();
    let query = query_of(
        " none",
        "select count(*) as n from (select status from requests limit 96) a, requests b \
         where a.status < b.request_bytes and :tenant is null",
    );
    let params = query.bind([], &scope()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), engine.run(&query, &params)).await;
    let error = ended.expect("the engine keeps its own limit").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn memory_is_capped() {
    let many: Vec<_> = std::iter::repeat_n(table::batch(&events()), 100).collect();
    let table = table::snapshot(&[], &[]).await.table;
    let limits = Limits { memory_bytes: 100_000, ..Limits::default() };
    let engine = LocalEngine::new(Snapshot { table, tail: many }, limits).unwrap();
    let query = query_of(" none", "select * from requests where :tenant is null order by path");
    let error = engine.run(&query, &query.bind([], &scope()).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
}

#[tokio::test]
async fn errors_of_the_engine_say_what() {
    let engine = LocalEngine::new(table::snapshot(&[], &[]).await, Limits::default()).unwrap();
    for sql in ["select nosuch from requests where :tenant is null", "select 1/0 as x where :tenant is null"] {
        let query = query_of(" none", sql);
        let error = engine.run(&query, &query.bind([], &scope()).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Engine);
        assert!(!error.is_retryable());
        assert!(error.to_string().len() > error.context().len() + 2, "{error}");
    }
}
