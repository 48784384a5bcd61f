//! Trino's functions on the local engine.

use event::Timestamp;
use query::local::{Limits, LocalEngine, Snapshot};
use query::{Cell, QueryEngine};

use crate::fixture::{evaluate, query_of, scope};

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn time(value: &str) -> Cell {
    Cell::Timestamp(Timestamp::parse(value).unwrap())
}

async fn check(cases: Vec<(&str, Cell)>) {
    for (expression, expect) in cases {
        match evaluate(expression).await {
            Ok(cell) => assert_eq!(cell, expect, "{expression}"),
            Err(error) => panic!("{expression}: {error}"),
        }
    }
}

async fn refused(expressions: &[&str]) {
    for expression in expressions {
        assert!(evaluate(expression).await.is_err(), "{expression}");
    }
}

/// An aggregate over rows of `x` and `y`.
fn over(call: &str, rows: &str) -> String {
    format!("(select {call} from (values {rows}) as t (x, y))")
}

#[tokio::test]
async fn json_extract_scalar() {
    check(vec![
        (r#"json_extract_scalar('{"a":{"b":"c"}}', '$.a.b')"#, text("c")),
        (r#"json_extract_scalar('{"a b":1}', '$["a b"]')"#, text("1")),
        (r#"json_extract_scalar('{"a":[true,2]}', '$.a[0]')"#, text("true")),
        (r#"json_extract_scalar('{"a":[true,2]}', '$.a[9]')"#, Cell::Null),
        (
            r#"json_extract_scalar('{"a":123456789012345678901234567890}', '$.a')"#,
            text("123456789012345678901234567890"),
        ),
        (r#"json_extract_scalar('{"a":1.50}', '$.a')"#, text("1.50")),
        (r#"json_extract_scalar('{"a":"\u00e9\n\ud83d\ude00"}', '$.a')"#, text("é\n😀")),
        (r#"json_extract_scalar('{"a":"x\ud83d\ud83d\ude00\ude00é"}', '$.a')"#, text("x?😀?é")),
        (r#"json_extract_scalar('{"a":null}', '$.a')"#, Cell::Null),
        (r#"json_extract_scalar('{"a":{}}', '$.a')"#, Cell::Null),
        (r#"json_extract_scalar('{"a":[]}', '$.a')"#, Cell::Null),
        (r#"json_extract_scalar('{"A":1}', '$.a')"#, Cell::Null),
        (r#"json_extract_scalar('{"a":', '$.a')"#, Cell::Null),
        ("json_extract_scalar('hello', '$.a')", Cell::Null),
        ("json_extract_scalar('', '$')", Cell::Null),
        (r#"json_extract_scalar('"x"', '$')"#, text("x")),
        ("json_extract_scalar(null, '$.a')", Cell::Null),
        ("json_extract_scalar('{}', cast(null as varchar))", Cell::Null),
        (
            "(select max(json_extract_scalar(j, p)) from (values ('{\"a\":\"1\"}', '$.a'), (null, '$')) as t (j, p))",
            text("1"),
        ),
    ])
    .await;
    refused(&["json_extract_scalar('{}', 'a')", "json_extract_scalar('{}', '$..a')", "json_extract_scalar('{}')"])
        .await;
}

#[tokio::test]
async fn json_extract() {
    check(vec![
        (
            r#"json_extract('{"a": {"b" : [1, "x  \" y", 12345678901234567890123]}}', '$.a')"#,
            text(r#"{"b":[1,"x  \" y",12345678901234567890123]}"#),
        ),
        (r#"json_extract('{"a":"x"}', '$.a')"#, text(r#""x""#)),
        (r#"json_extract('{"a":"\\"}', '$')"#, text(r#"{"a":"\\"}"#)),
        (r#"json_extract('{"a":null}', '$.a')"#, text("null")),
        (r#"json_extract('{"a":1}', '$.b')"#, Cell::Null),
        ("json_extract('{', '$.b')", Cell::Null),
    ])
    .await;
}

#[tokio::test]
async fn parts_of_time() {
    let at = "timestamp '2026-11-22 09:30:26.123456'";
    for (function, expect) in [
        ("year", 2026),
        ("quarter", 4),
        ("month", 11),
        ("week", 47),
        ("day", 22),
        ("day_of_month", 22),
        ("day_of_week", 7),
        ("dow", 7),
        ("day_of_year", 326),
        ("doy", 326),
        ("hour", 9),
        ("minute", 30),
        ("second", 26),
        ("millisecond", 123),
    ] {
        assert_eq!(evaluate(&format!("{function}({at})")).await.unwrap(), Cell::Int(expect), "{function}");
        assert_eq!(evaluate(&format!("{function}(cast(null as timestamp))")).await.unwrap(), Cell::Null, "{function}");
    }
    check(vec![
        ("year(date '2021-01-03')", Cell::Int(2021)),
        ("week(date '2021-01-03')", Cell::Int(53)),
        ("hour(timestamp '1969-12-31 23:59:59.999')", Cell::Int(23)),
        ("millisecond(timestamp '1969-12-31 23:59:59.999')", Cell::Int(999)),
        ("date(timestamp '2026-11-22 23:59:59')", text("2026-11-22")),
        ("date('2026-11-22')", text("2026-11-22")),
        ("date(cast(null as varchar))", Cell::Null),
        ("date_trunc('hour', timestamp '2026-11-22 09:30:26')", time("2026-11-22T09:00:00Z")),
    ])
    .await;
    refused(&["hour('2026')", "hour(1)", "hour()", "date('yesterday')"]).await;
}

#[tokio::test]
async fn date_diff() {
    let at = |unit: &str, from: &str, to: &str| format!("date_diff('{unit}', timestamp '{from}', timestamp '{to}')");
    for (unit, from, to, expect) in [
        ("millisecond", "2026-11-20 00:00:00", "2026-11-20 00:00:00.001999", 1),
        ("second", "2026-11-20 00:00:00", "2026-11-20 00:01:00.999", 60),
        ("minute", "2026-11-20 00:00:59", "2026-11-20 00:01:58", 0),
        ("hour", "2026-11-20 09:59:59", "2026-11-20 12:00:00", 2),
        ("hour", "2026-11-20 12:00:00", "2026-11-20 09:59:59", -2),
        ("day", "2026-11-20 23:00:00", "2026-11-21 22:59:59", 0),
        ("week", "2026-11-01 00:00:00", "2026-11-20 00:00:00", 2),
        ("month", "2026-01-31 00:00:00", "2026-02-28 00:00:00", 1),
        ("month", "2026-01-15 12:00:00", "2026-02-15 11:59:59", 0),
        ("month", "2026-02-15 11:59:59", "2026-01-15 12:00:00", 0),
        ("month", "2026-05-15 12:00:00", "2026-01-15 12:00:00", -4),
        ("quarter", "2026-01-01 00:00:00", "2026-12-31 00:00:00", 3),
        ("year", "2024-02-29 00:00:00", "2026-02-28 00:00:00", 2),
        ("year", "2024-03-01 00:00:00", "2026-02-28 00:00:00", 1),
        ("DAY", "2026-11-20 00:00:00", "2026-11-22 00:00:00", 2),
    ] {
        let expression = at(unit, from, to);
        assert_eq!(evaluate(&expression).await.unwrap(), Cell::Int(expect), "{expression}");
    }
    check(vec![
        ("date_diff('day', date '2026-11-20', date '2026-11-22')", Cell::Int(2)),
        ("date_diff('day', cast(null as timestamp), date '2026-11-22')", Cell::Null),
    ])
    .await;
    refused(&["date_diff('fortnight', date '2026-11-20', date '2026-11-22')", "date_diff('day', 1, 2)"]).await;
}

#[tokio::test]
async fn from_iso8601_timestamp() {
    check(vec![
        ("from_iso8601_timestamp('2026-11-20T09:30:26Z')", time("2026-11-20T09:30:26Z")),
        ("from_iso8601_timestamp('2026-11-20T09:30:26.123456Z')", time("2026-11-20T09:30:26.123Z")),
        ("from_iso8601_timestamp('2026-11-20T09:30:26+01:00')", time("2026-11-20T08:30:26Z")),
        ("from_iso8601_timestamp('2026-11-20T09:30-0930')", time("2026-11-20T19:00:00Z")),
        ("from_iso8601_timestamp('2026-11-20T09:30+02')", time("2026-11-20T07:30:00Z")),
        ("from_iso8601_timestamp('2026-11-20')", time("2026-11-20T00:00:00Z")),
        ("from_iso8601_timestamp(null)", Cell::Null),
        ("from_iso8601_timestamp('2026-11-20T09:30:26Z') = timestamp '2026-11-20 09:30:26'", Cell::Bool(true)),
    ])
    .await;
    refused(&[
        "from_iso8601_timestamp('yesterday')",
        "from_iso8601_timestamp('2026-11-20T')",
        "from_iso8601_timestamp('2026-11-20T09:30:26+1')",
        "from_iso8601_timestamp('2026-13-20')",
        "from_iso8601_timestamp('')",
    ])
    .await;
}

#[tokio::test]
async fn max_by_and_min_by() {
    for (call, rows, expect) in [
        ("max_by(x, y)", "('a', 1), ('b', 3), ('c', 2)", text("b")),
        ("min_by(x, y)", "('a', 1), ('b', 3), ('c', 2)", text("a")),
        ("max_by(x, y)", "('a', 1), (null, 3)", Cell::Null),
        ("max_by(x, y)", "('a', 1), ('b', null)", text("a")),
        ("max_by(x, y)", "('a', cast(null as bigint)), ('b', null)", Cell::Null),
        ("max_by(x, y)", "('a', 1), ('c', 1), ('b', 1)", text("c")),
        ("min_by(x, y)", "('b', 1), ('a', 1), (null, 1)", text("a")),
        ("max_by(x, y)", "('b', 1), (null, 1)", text("b")),
        ("max_by(y, x)", "('a', 1), ('b', 3), ('c', 2)", Cell::Int(2)),
        ("max_by(x, y) filter (where y < 3)", "('a', 1), ('b', 3), ('c', 2)", text("c")),
        ("max_by(x, -y)", "('a', 1.5), ('b', 0.5)", text("b")),
    ] {
        assert_eq!(evaluate(&over(call, rows)).await.unwrap(), expect, "{call} of {rows}");
        let grouped = format!("(select {call} from (values {rows}) as t (x, y) group by y is null and x = '?')");
        assert_eq!(evaluate(&grouped).await.unwrap(), expect, "{call} of {rows}, grouped");
    }
    check(vec![("(select max_by(1, 2) where 1 = 0)", Cell::Null)]).await;
    refused(&["(select max_by(x) from (values (1)) as t (x))"]).await;
}

#[tokio::test]
async fn any_value_and_count_if() {
    for (call, rows, expect) in [
        ("any_value(x)", "(null, 1), ('b', 3), ('a', 2)", text("a")),
        ("any_value(x)", "(cast(null as varchar), 1)", Cell::Null),
        ("count_if(y > 1)", "('a', 1), ('b', 3), ('c', null)", Cell::Int(1)),
        ("count_if(y > 9)", "('a', 1)", Cell::Int(0)),
        ("count_if(y > 1) filter (where x = 'b')", "('a', 2), ('b', 3)", Cell::Int(1)),
        ("max(n) from (select count_if(y > 1) over () as n", "('a', 2), ('b', 3)", Cell::Int(2)),
    ] {
        let mut expression = over(call, rows);
        if call.contains("over") {
            expression.push_str(" )");
            expression = expression.replacen("(x, y)) )", "(x, y)))", 1);
        }
        assert_eq!(evaluate(&expression).await.unwrap(), expect, "{call} of {rows}");
    }
    check(vec![("(select count_if(true) where 1 = 0)", Cell::Int(0))]).await;
}

#[tokio::test]
async fn approx_percentile() {
    for (call, rows, expect) in [
        ("approx_percentile(y, 0.5)", "('', 4.0), ('', 1.0), ('', 3.0), ('', 2.0)", Cell::Float(3.0)),
        ("approx_percentile(y, 0.0)", "('', 4.0), ('', 1.0)", Cell::Float(1.0)),
        ("approx_percentile(y, 1.0)", "('', 4.0), ('', 1.0)", Cell::Float(4.0)),
        ("approx_percentile(y, 1)", "('', 4.0), ('', 1.0)", Cell::Float(4.0)),
        ("approx_percentile(y, 0.5)", "('', 7), ('', null)", Cell::Int(7)),
        ("approx_percentile(y, 0.5)", "('', cast(null as double))", Cell::Null),
    ] {
        assert_eq!(evaluate(&over(call, rows)).await.unwrap(), expect, "{call} of {rows}");
    }
    refused(&[
        "(select approx_percentile(x, 1.5) from (values (1.0)) as t (x))",
        "(select approx_percentile(x, x) from (values (1.0)) as t (x))",
        "(select approx_percentile('a', 0.5))",
    ])
    .await;
}

#[tokio::test]
async fn approx_percentile_of_many_values_is_close() {
    let events = crate::fixture::events();
    let tail = std::iter::repeat_n(crate::table::batch(&events), 1_000).collect();
    let table = crate::table::snapshot(&[], &[]).await.table;
    let engine = LocalEngine::new(Snapshot { table, tail }, Limits::default()).unwrap();
    let mut durations: Vec<f64> = events.iter().map(|event| event.duration_ms).collect();
    durations.sort_by(f64::total_cmp);
    for (percentage, place) in [("0.5", 48), ("0.95", 91), ("0.99", 95)] {
        let sql =
            format!("select approx_percentile(duration_ms, {percentage}) as p from requests where :tenant is null");
        let query = query_of(" none", &sql);
        let rows = engine.run(&query, &query.bind([], &scope()).unwrap()).await.unwrap();
        let Cell::Float(value) = rows.rows[0][0] else { panic!("{rows:?}") };
        let near = durations[place - 1]..=durations[(place + 1).min(95)];
        assert!(near.contains(&value), "{percentage}: {value} in {near:?}");
    }
}
