//! Free SQL: what is a question about the log runs, everything else is refused before the engine sees it.

use query::local::{Limits, LocalEngine, Select};
use query::{Cell, ErrorKind};

use crate::{fixture, table};

/// Statements that must not run, one a line.
const REFUSED: &str = include_str!("refused.txt");

#[track_caller]
fn refused(sql: &str) {
    let error = Select::parse(sql).err().unwrap_or_else(|| panic!("it would run: {sql}"));
    assert_eq!(error.kind(), ErrorKind::BadParameter, "{sql}: {error}");
}

#[test]
fn statements_that_must_not_run() {
    let statements: Vec<String> = REFUSED.lines().map(|line| line.replace("\\0", "\0")).collect();
    assert!(statements.len() >= 200, "{}", statements.len());
    let alone = |sql: &String| [sql.clone(), format!("{sql};"), sql.to_uppercase()];
    let is_comment = |sql: &str| sql.trim().is_empty() || sql.starts_with("--") || sql.starts_with("/*");
    let second = statements.iter().filter(|sql| !is_comment(sql)).map(|sql| format!("select 1; {sql}"));
    let forms = statements.iter().flat_map(alone).chain(second);
    let would_run: Vec<String> = forms.filter(|sql| Select::parse(sql).is_ok()).collect();
    assert!(would_run.is_empty(), "{would_run:#?}");
}

#[test]
fn a_statement_has_bounds() {
    refused(&format!("select '{}'", "x".repeat(40 << 10)));
    refused(&format!("select {}1{}", "(".repeat(200), ")".repeat(200)));
    refused(&format!("select {}1", "1 + ".repeat(2_000)));
    refused(&format!("select 1 from requests where {} false", "status = 1 or ".repeat(1_500)));
    refused(&format!("select 1 where 1 in ({}1)", "1, ".repeat(3_000)));
    let mut nested = "requests".to_owned();
    (0..100).for_each(|_| nested = format!("(select * from {nested}) as t"));
    refused(&format!("select * from {nested}"));
}

/// Half of the events in a file of the table, half not yet in it.
async fn engine() -> LocalEngine {
    let events = fixture::events();
    LocalEngine::new(table::snapshot(&[&events[..48]], &events[48..]).await, Limits::default()).unwrap()
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_told_why_in_few_words() {
    let engine = engine().await;
    for (sql, why) in [
        ("select stattus from requests", "no column is named stattus; did you mean status?"),
        ("select r.use_id from requests as r", "no column is named use_id; did you mean user_id?"),
        (
            "select * from requests where path = \"/x\"",
            "no column is named /x; daybook schema lists them, and text stands in 'single quotes'",
        ),
        ("select r.status from requests", "no table is named r here"),
        (
            "select * from requests where user_id = \"user-1\"",
            "no column is named user-1; daybook schema lists them, and text stands in 'single quotes'",
        ),
        (
            "select approx_distnct(path) from requests",
            "Invalid function 'approx_distnct'. Did you mean 'approx_distinct'?",
        ),
    ] {
        let error = engine.select(&Select::parse(sql).unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the query failed: {why}"));
    }
}

#[tokio::test]
async fn questions_run() {
    let engine = engine().await;
    for (sql, expect) in [
        ("select count(*) from requests", 96),
        ("SELECT COUNT(*) FROM Requests;", 96),
        ("select count(*) from (select * from requests union all select * from requests) as both", 192),
        ("with a as (select * from requests), b as (select * from a) select count(*) from b", 96),
        ("select count(*) from requests as a join requests as b on a.event_id = b.event_id", 96),
        ("select count(*) from requests where event_id in (select event_id from requests where status = 503)", 8),
        ("select sum(n) from (values (1), (2)) as t (n)", 3),
        ("select count(*) from (requests as a cross join (select 1) as b)", 96),
        ("select sum(n) from (select row_number() over (order by event_id) as n from requests)", 4_656),
    ] {
        let select = Select::parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows = engine.select(&select).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(rows.rows, [[Cell::Int(expect)]], "{sql}");
    }
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_an_error() {
    let engine = engine().await;
    for sql in ["select nonsense from requests", "select nonsense() from requests", "select * from requests where path"]
    {
        assert!(engine.select(&Select::parse(sql).unwrap()).await.is_err(), "{sql}");
    }
}
