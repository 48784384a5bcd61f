//! What Athena's API promises, by its SDK and by our engine: pages, refusals, failures, stops.

use std::time::Duration;

use aws_sdk_athena::error::ProvideErrorMetadata;
use aws_sdk_athena::operation::get_query_results::GetQueryResultsOutput;
use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState};
use query::{Cell, ErrorKind, QueryEngine};
use rig::athena::Athena;

use crate::world::{EVENTS, SCHEMA, nothing, query_of, world};

/// Longer than any test waits: every row with every other, three times.
const ENDLESS: &str =
    "select count(*) as n from requests a, requests b, requests c where a.path < b.path or b.path < c.path";

async fn client(athena: &Athena) -> aws_sdk_athena::Client {
    aws_sdk_athena::Client::new(&athena.config(&cloud::sdk::config().await))
}

async fn start(client: &aws_sdk_athena::Client, sql: &str) -> String {
    let lake = QueryExecutionContext::builder().database(SCHEMA).build();
    let started = client.start_query_execution().query_string(sql).query_execution_context(lake).send().await.unwrap();
    started.query_execution_id.unwrap()
}

/// The state that the query ends in, and why.
async fn end(client: &aws_sdk_athena::Client, id: &str) -> (QueryExecutionState, String) {
    loop {
        let asked = client.get_query_execution().query_execution_id(id).send().await.unwrap();
        let status = asked.query_execution.unwrap().status.unwrap();
        match status.state.unwrap() {
            QueryExecutionState::Queued | QueryExecutionState::Running => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            ended => return (ended, status.state_change_reason.unwrap_or_default()),
        }
    }
}

/// The texts of a page, and where the next one begins.
fn texts(page: GetQueryResultsOutput) -> (Vec<Vec<Option<String>>>, Option<String>) {
    let row = |row: &aws_sdk_athena::types::Row| row.data().iter().map(|datum| datum.var_char_value.clone()).collect();
    (page.result_set.unwrap().rows().iter().map(row).collect(), page.next_token)
}

#[tokio::test]
async fn types_and_texts_are_athenas() {
    let (athena, _) = world().await.athena(|_| {}).await;
    let client = client(&athena).await;
    let sql = "select * from (values
        (1, bigint '-9', 1e-5, true, 'é''', timestamp '2026-11-20 09:30:26.123456', 12.50, date '2026-11-20'),
        (null, null, nan(), false, '', null, null, null)) as t (i, b, d, t, s, at, dec, day)";
    let id = start(&client, sql).await;
    assert_eq!(end(&client, &id).await.0, QueryExecutionState::Succeeded);
    let page = client.get_query_results().query_execution_id(&id).send().await.unwrap();
    let columns = page.result_set().unwrap().result_set_metadata().unwrap().column_info().to_vec();
    let types: Vec<&str> = columns.iter().map(|column| column.r#type()).collect();
    assert_eq!(types, ["integer", "bigint", "double", "boolean", "varchar", "timestamp", "decimal", "date"]);
    let (rows, next) = texts(page);
    let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
    assert_eq!(rows[0], some(&["i", "b", "d", "t", "s", "at", "dec", "day"]), "the heading");
    let first = ["1", "-9", "1.0E-5", "true", "é'", "2026-11-20 09:30:26.123456", "12.50", "2026-11-20"];
    assert_eq!(rows[1], some(&first));
    let [nan, no, empty] = ["NaN", "false", ""].map(|text| Some(text.to_owned()));
    assert_eq!(rows[2], [None, None, nan, no, empty, None, None, None]);
    assert_eq!((rows.len(), next), (3, None));
}

#[tokio::test]
async fn pages_are_of_the_size_that_is_asked_for() {
    let (athena, _) = world().await.athena(|_| {}).await;
    let client = client(&athena).await;
    let id = start(&client, "select event_id from requests order by event_id").await;
    assert_eq!(end(&client, &id).await.0, QueryExecutionState::Succeeded);
    let (mut rows, mut token, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = client.get_query_results().query_execution_id(&id).max_results(999).set_next_token(token);
        let (mut some, next) = texts(page.send().await.unwrap());
        rows.append(&mut some);
        pages += 1;
        token = next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!((pages, rows.len()), ((EVENTS + 1).div_ceil(999), EVENTS + 1), "the heading is a row of the first page");
    assert!(rows[1..].is_sorted());
    let scanned = client.get_query_execution().query_execution_id(&id).send().await.unwrap();
    let scanned = scanned.query_execution.unwrap().statistics.unwrap().data_scanned_in_bytes.unwrap();
    assert!(scanned > 36 * EVENTS as i64, "{scanned} bytes for {EVENTS} ids");
}

#[tokio::test]
async fn our_engine_reads_every_page_up_to_its_cap() {
    let world = world().await;
    let query = query_of("select event_id, received_at from requests order by event_id");
    for (cap, rows, truncated, pages) in [(2_500, 2_500, true, 3), (EVENTS, EVENTS, false, EVENTS / 1_000 + 1)] {
        let (athena, engine) = world.athena(|settings| settings.rows = cap).await;
        let answer = engine.run(&query, &nothing(&query)).await.unwrap();
        assert_eq!((answer.rows.len(), answer.truncated), (rows, truncated));
        assert_eq!(answer.rows[rows - 1][0], world.rows.rows[rows - 1][0]);
        assert!(answer.bytes_read > 0 && answer.cost_usd.unwrap() > 0.0);
        let asked = athena.take_asked();
        assert_eq!(asked.iter().filter(|operation| *operation == "GetQueryResults").count(), pages);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_statement_is_said() {
    let world = world().await;
    let (_athena, engine) = world.athena(|_| {}).await;
    for (sql, says) in [
        ("selec 1", "SYNTAX_ERROR: line 1:1: mismatched input 'selec'"),
        ("select nosuch from requests", "COLUMN_NOT_FOUND: line 1:8: Column 'nosuch' cannot be resolved"),
        ("select 1 from nosuch", "TABLE_NOT_FOUND"),
        ("select 1 / (select count(*) - count(*) from requests) as x", "DIVISION_BY_ZERO: Division by zero"),
        ("select cast(user_id as bigint) as x from requests where user_id = 'ann'", "INVALID_CAST_ARGUMENT"),
    ] {
        let query = query_of(sql);
        let error = engine.run(&query, &nothing(&query)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Engine, false), "{sql}: {error}");
        assert!(error.to_string().contains(says), "{sql}: {error}");
    }
    let list = query_of("select array['a'] as x");
    let error = engine.run(&list, &nothing(&list)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Engine);
    assert!(error.to_string().contains("x is of type array, which answers do not have"), "{error}");
}

#[tokio::test]
async fn a_query_that_is_given_up_ends_on_trino_too() {
    let world = world().await;
    let query = query_of(ENDLESS);
    let (athena, engine) = world.athena(|settings| settings.timeout = Duration::from_secs(2)).await;
    let error = engine.run(&query, &nothing(&query)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(athena.take_asked().last().unwrap(), "StopQueryExecution");
    assert_stopped(&athena).await;

    let (athena, engine) = world.athena(|_| {}).await;
    let soon = tokio::time::sleep(Duration::from_secs(1));
    let error = engine.run_until(&query, &nothing(&query), soon).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_stopped(&athena).await;

    let (athena, engine) = world.athena(|_| {}).await;
    let client = client(&athena).await;
    let id = start(&client, ENDLESS).await;
    client.stop_query_execution().query_execution_id(&id).send().await.unwrap();
    let (state, reason) = end(&client, &id).await;
    assert_eq!((state, reason.as_str()), (QueryExecutionState::Cancelled, "Query cancelled by user"));
    // To stop one that has ended does nothing.
    client.stop_query_execution().query_execution_id(&id).send().await.unwrap();
    let one = query_of("select bigint '1' as n");
    assert_eq!(engine.run(&one, &nothing(&one)).await.unwrap().rows, [[Cell::Int(1)]], "and others go on");
}

/// Trino ends a query a moment after it was told to.
async fn assert_stopped(athena: &Athena) {
    let id = athena.newest().unwrap();
    for _ in 0..100 {
        let (state, error) = world().await.trino.state(&id).await.unwrap();
        if state == "FAILED" {
            assert_eq!(error.as_deref(), Some("USER_CANCELED"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} runs on");
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_by_name() {
    let (athena, _) = world().await.athena(|_| {}).await;
    let client = client(&athena).await;
    macro_rules! refused {
        ($request:expr, $says:literal) => {
            let error = $request.send().await.unwrap_err();
            assert_eq!(error.code(), Some("InvalidRequestException"), "{error:?}");
            assert!(error.message().unwrap().contains($says), "{error:?}");
        };
    }
    let run = |sql: &str| client.start_query_execution().query_string(sql);
    refused!(run(""), "queryString");
    refused!(run("select ?").execution_parameters(""), "executionParameters");
    refused!(run("select ?").execution_parameters("x".repeat(1_025)), "executionParameters");
    refused!(run("select 1").client_request_token("short"), "clientRequestToken");
    let token = "t".repeat(32);
    let first = run("select 1 as x").client_request_token(&token).send().await.unwrap().query_execution_id.unwrap();
    let again = run("select 1 as x").client_request_token(&token).send().await.unwrap().query_execution_id.unwrap();
    assert_eq!(first, again, "one start");
    refused!(run("select 2 as x").client_request_token(&token), "Idempotent parameters");

    refused!(client.get_query_execution().query_execution_id("nosuch"), "was not found");
    refused!(client.get_query_results().query_execution_id("nosuch"), "was not found");
    assert_eq!(end(&client, &first).await.0, QueryExecutionState::Succeeded);
    refused!(client.get_query_results().query_execution_id(&first).max_results(1_001), "MaxResults");
    refused!(client.get_query_results().query_execution_id(&first).next_token("2"), "token");

    let endless = start(&client, ENDLESS).await;
    refused!(client.get_query_results().query_execution_id(&endless), "not yet finished");
    client.stop_query_execution().query_execution_id(&endless).send().await.unwrap();
    end(&client, &endless).await;
    refused!(client.get_query_results().query_execution_id(&endless), "Final query state: CANCELLED");

    let few = start(&client, "execute immediate 'select ?, ?' using 1").await;
    let (state, reason) = end(&client, &few).await;
    assert_eq!(state, QueryExecutionState::Failed);
    assert!(reason.contains("Incorrect number of parameters: expected 2 but found 1"), "{reason}");
}
