//! Parameters: what is taken, what is refused, and that nothing a value holds becomes SQL.

use std::sync::LazyLock;

use proptest::prelude::*;
use query::local::{Limits, LocalEngine};
use query::named::ParamValue;
use query::{Cell, ErrorKind, QueryEngine, Scope, named};

use tokio::runtime::Runtime;

use crate::fixture::{now, query_of, scope};
use crate::table;

const PARAMS: &str = "\n--   at timestamp = now - 24h : when\n--   text string = null : what\n\
                      --   number bigint = 7 : how many\n--   limit limit = 5 : rows";
const SQL: &str = "select :at as at, :text as text, :number as number, ':text' as quoted -- :text\n\
                   where :tenant is null or 1 = 1 limit :limit";

fn rendered(given: &[(&str, &str)], scope: &Scope) -> String {
    let query = query_of(PARAMS, SQL);
    let statement = query.render(&query.bind(given.iter().copied(), scope).unwrap()).unwrap();
    statement.split("\n\n").nth(1).unwrap().trim().to_owned()
}

#[test]
fn values_become_typed_literals() {
    assert_eq!(
        rendered(&[], &scope()),
        "select cast('2026-11-19 12:00:00.000000' as timestamp(6)) as at, cast(null as varchar) as text, 7 as number, \
         ':text' as quoted -- :text\nwhere cast(null as varchar) is null or 1 = 1 limit 5"
    );
    let given = [("at", "2026-11-20T09:30:26.123456Z"), ("text", "it's :at"), ("number", "-3"), ("limit", "10000")];
    assert_eq!(
        rendered(&given, &Scope::tenant(now(), "o'neill")),
        "select cast('2026-11-20 09:30:26.123456' as timestamp(6)) as at, 'it''s :at' as text, \
         cast('-3' as bigint) as number, ':text' as quoted -- :text\nwhere 'o''neill' is null or 1 = 1 limit 10000"
    );
}

#[test]
fn values_become_execution_parameters() {
    let query = query_of(PARAMS, SQL);
    let given = [("at", "2026-11-20T09:30:26.123456Z"), ("text", "it's :at?"), ("number", "-3"), ("limit", "10")];
    let prepared = query.prepare(&query.bind(given, &Scope::tenant(now(), "o'neill")).unwrap()).unwrap();
    assert_eq!(
        prepared.statement.trim(),
        "select cast(? as timestamp(6)) as at, cast(? as varchar) as text, cast(? as bigint) as number, \
         ':text' as quoted -- :text\nwhere cast(? as varchar) is null or 1 = 1 limit 10"
    );
    let parameters = ["'2026-11-20 09:30:26.123456'", "'it''s :at?'", "'-3'", "'o''neill'"];
    assert_eq!(prepared.parameters, parameters);
}

#[test]
fn what_is_no_execution_parameter_stands_in_the_statement() {
    let query = query_of(PARAMS, SQL);
    // Athena takes 1,024 bytes, the quotes among them.
    for (text, stands_in_statement) in [("x".repeat(1_022), false), ("x".repeat(1_023), true), ("'".repeat(512), true)]
    {
        let prepared = query.prepare(&query.bind([("text", text.as_str())], &scope()).unwrap()).unwrap();
        let literal = format!("'{}' as text", text.replace('\'', "''"));
        assert_eq!(prepared.statement.contains(&literal), stands_in_statement, "{} bytes", text.len());
        assert_eq!(prepared.parameters.len(), if stands_in_statement { 2 } else { 3 });
        assert!(prepared.statement.contains("cast(null as varchar) is null"));
    }
}

#[test]
fn bad_parameters_are_named() {
    let history = named::find("entity_history").unwrap();
    let slowest = named::find("slowest").unwrap();
    let long = "x".repeat(1_025);
    for (query, given, expect) in [
        (history, vec![], "parameter entity_id: it is required"),
        (history, vec![("entity_id", "a"), ("entity_id", "b")], "parameter entity_id: it is given twice"),
        (history, vec![("entity_id", "a\0b")], "parameter entity_id: expected text without NUL"),
        (history, vec![("entity_id", long.as_str())], "parameter entity_id: expected at most 1024 bytes, found 1025"),
        (history, vec![("entity_id", "a"), ("from", "soon")], "parameter from: expected a time such as"),
        (history, vec![("entity_id", "a"), ("from", "")], "parameter from: expected a time such as"),
        (history, vec![("nosuch", "a")], "entity_history has no parameter nosuch; it takes entity_type, entity_id"),
        (slowest, vec![("tenant", "acme")], "slowest has no parameter tenant"),
        (slowest, vec![("limit", "0")], "parameter limit: expected a number from 1 to 10000, found 0"),
        (slowest, vec![("limit", "10001")], "parameter limit: expected a number from 1 to 10000"),
        (slowest, vec![("limit", "5; drop table")], "parameter limit: expected a number"),
        (slowest, vec![("limit", "")], "parameter limit: expected a number"),
    ] {
        let error = query.bind(given.clone(), &scope()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadParameter);
        assert!(error.to_string().starts_with(expect), "{given:?}: {error}");
        assert!(!error.is_retryable());
    }
    let of_another = history.bind([("entity_id", "a")], &scope()).unwrap();
    assert_eq!(slowest.render(&of_another).unwrap_err().kind(), ErrorKind::BadParameter);
    assert!(slowest.bind([], &Scope::tenant(now(), "a\0b")).is_err());
}

#[test]
fn an_empty_optional_value_is_null() {
    let slowest = named::find("slowest").unwrap();
    assert_eq!(slowest.bind([("route", "")], &scope()).unwrap().get("route"), Some(&ParamValue::Null));
    let history = named::find("entity_history").unwrap();
    let empty = history.bind([("entity_id", "")], &scope()).unwrap();
    assert_eq!(empty.get("entity_id"), Some(&ParamValue::String(String::new())));
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());

static ENGINE: LazyLock<LocalEngine> = LazyLock::new(|| {
    let snapshot = RUNTIME.block_on(table::snapshot(&[], &[]));
    LocalEngine::new(snapshot, Limits::default()).unwrap()
});

/// Text that is likely to break quoting, among any other.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'".to_owned()),
        Just("''".to_owned()),
        Just("\\'".to_owned()),
        Just("\\".to_owned()),
        Just("--".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just(";".to_owned()),
        Just("\n".to_owned()),
        Just(":at".to_owned()),
        Just(":text".to_owned()),
        Just("\"".to_owned()),
        Just("$$".to_owned()),
        Just("\u{2019}".to_owned()),
        Just(" or 1=1 ".to_owned()),
        Just(") union select 1 --".to_owned()),
        "[^\0]{0,8}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever a text holds, the engine sees one literal with exactly that content.
    #[test]
    fn no_text_becomes_sql(text in hostile(), tenant in hostile()) {
        let query = query_of("\n--   text string : what", "select :text as text, :tenant as tenant, 'end' as last");
        let params = query.bind([("text", text.as_str())], &Scope::tenant(now(), tenant.as_str())).unwrap();
        let rows = RUNTIME.block_on(ENGINE.run(&query, &params));
        prop_assert_eq!(
            rows.unwrap().rows,
            vec![vec![Cell::Text(text), Cell::Text(tenant), Cell::Text("end".to_owned())]]
        );
    }

    /// Any number and any time come through as they are.
    #[test]
    fn numbers_and_times_are_kept(number: i64, micros in -62_135_596_800_000_000_i64..=253_402_300_799_999_999) {
        let time = event::Timestamp::from_micros(micros);
        let query = query_of(
            "\n--   number bigint : how many\n--   at timestamp : when",
            "select 1 - -:number as number, :at as at where :tenant is null",
        );
        let number = number / 2;
        let params = query.bind([("number", &*number.to_string()), ("at", &*time.to_string())], &scope()).unwrap();
        let rows = RUNTIME.block_on(ENGINE.run(&query, &params));
        prop_assert_eq!(rows.unwrap().rows, vec![vec![Cell::Int(1 + number), Cell::Timestamp(time)]]);
    }
}
