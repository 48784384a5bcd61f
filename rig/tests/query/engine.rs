//! Starting, waiting, paging, stopping; what is read and what it costs.

use std::time::Duration;

use aws_types::origin::Origin;
use event::Timestamp;
use query::aws::{AthenaEngine, Settings};
use query::{Cell, CellKind, ErrorKind, NamedQuery, Params, QueryEngine, Scope, named};
use serde_json::{Value, json};

use crate::athena::{Asked, Script, start};

fn succeeded() -> Value {
    json!({"State": "SUCCEEDED"})
}

async fn engine(script: Script, change: impl FnOnce(&mut Settings)) -> (AthenaEngine, Asked) {
    let (address, asked) = start(script).await;
    let mut sdk = cloud::sdk::config().await.into_builder().endpoint_url(format!("http://{address}"));
    // Else the variables that name an endpoint would go before it.
    sdk.insert_origin("endpoint_url", Origin::shared_config());
    let sdk = sdk.build();
    let mut settings = Settings::new("daybook", "lake");
    change(&mut settings);
    (AthenaEngine::connect(&sdk, settings), asked)
}

fn traffic() -> (&'static NamedQuery, Params) {
    let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
    let query = named::find("traffic").unwrap();
    let params = query.bind([("from", "now - 1h")], &Scope::tenant(now, "o'neill")).unwrap();
    (query, params)
}

fn operations(asked: &Asked) -> Vec<String> {
    asked.lock().unwrap().iter().map(|(operation, _)| operation.clone()).collect()
}

#[tokio::test]
async fn a_query_is_started_with_its_parameters_awaited_and_read() {
    let script = Script {
        states: vec![json!({"State": "QUEUED"}), json!({"State": "RUNNING"}), succeeded()],
        columns: vec![("hour_start", "timestamp"), ("requests", "bigint"), ("share", "double"), ("note", "varchar")],
        rows: vec![
            vec![Some("2026-11-20 11:00:00.000000".into()), Some("3".into()), Some("0.5".into()), None],
            vec![Some("2026-11-20 12:00:00.000000".into()), Some("4".into()), Some("NaN".into()), Some(String::new())],
        ],
        scanned: 123_456_789,
        ..Script::default()
    };
    let (engine, asked) = engine(script, |settings| settings.reuse = Some(Duration::from_secs(90))).await;
    let (query, params) = traffic();
    let rows = engine.run(query, &params).await.unwrap();
    assert_eq!(rows.columns[0].kind, CellKind::Timestamp);
    let hour = |text| Cell::Timestamp(Timestamp::parse(text).unwrap());
    assert_eq!(rows.rows[0], [hour("2026-11-20T11:00:00Z"), Cell::Int(3), Cell::Float(0.5), Cell::Null]);
    assert_eq!(rows.rows[1][0], hour("2026-11-20T12:00:00Z"));
    assert_eq!(rows.rows[1][3], Cell::Text(String::new()));
    assert!(matches!(rows.rows[1][2], Cell::Float(nan) if nan.is_nan()));
    assert_eq!((rows.rows.len(), rows.truncated, rows.bytes_read), (2, false, 123_456_789));
    // 124 MB of a terabyte at $5.
    assert!((rows.cost_usd.unwrap() - 0.000_62).abs() < 1e-12, "{:?}", rows.cost_usd);
    let polls = ["GetQueryExecution"; 3];
    assert_eq!(operations(&asked), [&["StartQueryExecution"][..], &polls, &["GetQueryResults"]].concat());
    let start = asked.lock().unwrap()[0].1.clone();
    assert_eq!(start["WorkGroup"], "daybook");
    assert_eq!(start["QueryExecutionContext"]["Database"], "lake");
    assert_eq!(start["ExecutionParameters"][0], "'2026-11-20 11:00:00.000000'");
    assert_eq!(start["ExecutionParameters"][2], "'o''neill'");
    assert_eq!(start["ResultReuseConfiguration"]["ResultReuseByAgeConfiguration"]["MaxAgeInMinutes"], 2);
    assert!(start["ClientRequestToken"].as_str().unwrap().len() >= 32);
    assert!(start["QueryString"].as_str().unwrap().contains("cast(? as timestamp(6))"));
}

#[tokio::test]
async fn all_pages_are_read_up_to_the_row_cap() {
    let script = Script {
        states: vec![succeeded()],
        columns: vec![("n", "bigint")],
        rows: (0..2_500).map(|n| vec![Some(n.to_string())]).collect(),
        ..Script::default()
    };
    let (query, params) = traffic();
    let (whole, asked) = engine(script.clone(), |_| {}).await;
    let rows = whole.run(query, &params).await.unwrap();
    assert_eq!((rows.rows.len(), rows.truncated), (2_500, false));
    assert_eq!(rows.rows[2_499], [Cell::Int(2_499)]);
    assert_eq!(operations(&asked).iter().filter(|it| *it == "GetQueryResults").count(), 3);
    for (cap, truncated, pages) in [(2_500, false, 3), (2_499, true, 3), (999, true, 2), (500, true, 1)] {
        let (capped, asked) = engine(script.clone(), |settings| settings.rows = cap).await;
        let rows = capped.run(query, &params).await.unwrap();
        assert_eq!((rows.rows.len(), rows.truncated), (cap, truncated), "{cap}");
        assert_eq!(operations(&asked).iter().filter(|it| *it == "GetQueryResults").count(), pages, "{cap}");
    }
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_stopped() {
    let script = Script { states: vec![json!({"State": "RUNNING"})], ..Script::default() };
    let (slow, asked) = engine(script.clone(), |settings| settings.timeout = Duration::from_millis(400)).await;
    let (query, params) = traffic();
    let error = slow.run(query, &params).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(operations(&asked).last().unwrap(), "StopQueryExecution");

    let (cancelled, asked) = engine(script, |_| {}).await;
    let soon = tokio::time::sleep(Duration::from_millis(150));
    let error = cancelled.run_until(query, &params, soon).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let (last, body) = asked.lock().unwrap().last().cloned().unwrap();
    assert_eq!((last.as_str(), &body["QueryExecutionId"]), ("StopQueryExecution", &json!("q-1")));
}

#[tokio::test]
async fn failures_say_why() {
    let (query, params) = traffic();
    for (status, kind, says) in [
        (json!({"State": "FAILED", "StateChangeReason": "SYNTAX_ERROR: line 1:1"}), ErrorKind::Engine, "SYNTAX_ERROR"),
        (
            json!({"State": "FAILED", "StateChangeReason": "Query exhausted resources"}),
            ErrorKind::OutOfMemory,
            "exhausted",
        ),
        (
            json!({"State": "CANCELLED", "StateChangeReason": "Query cancelled! : Bytes scanned limit was exceeded"}),
            ErrorKind::TooLarge,
            "Bytes scanned limit",
        ),
        (json!({"State": "CANCELLED"}), ErrorKind::Cancelled, "was stopped"),
    ] {
        let (failing, _) = engine(Script { states: vec![status.clone()], ..Script::default() }, |_| {}).await;
        let error = failing.run(query, &params).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn throttling_is_waited_out_and_then_said() {
    let script = |throttled| Script { states: vec![succeeded()], throttled, ..Script::default() };
    let (query, params) = traffic();
    let (busy, asked) = engine(script(2), |_| {}).await;
    assert!(busy.run(query, &params).await.unwrap().rows.is_empty());
    let starts: Vec<Value> =
        asked.lock().unwrap().iter().take(3).map(|(_, body)| body["ClientRequestToken"].clone()).collect();
    assert!(starts.iter().all(|token| *token == starts[0]), "a repeated start is the same start: {starts:?}");

    let (down, asked) = engine(script(100), |_| {}).await;
    let error = down.run(query, &params).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert_eq!(operations(&asked).len(), 3, "three attempts");
}

#[tokio::test]
async fn an_answer_given_again_costs_nothing_and_a_small_one_the_least() {
    let (query, params) = traffic();
    for (scanned, reused, usd) in [(5_000_000_000, true, 0.0), (1, false, 0.000_05), (0, false, 0.000_05)] {
        let script = Script { states: vec![succeeded()], scanned, reused, ..Script::default() };
        let rows = engine(script, |_| {}).await.0.run(query, &params).await.unwrap();
        assert!((rows.cost_usd.unwrap() - usd).abs() < 1e-12, "{scanned}: {:?}", rows.cost_usd);
    }
}

#[tokio::test]
async fn a_run_is_waited_for_as_long_as_asked_and_stopped_once_it_is_overdue() {
    let running = json!({"State": "RUNNING", "SubmissionDateTime": 1_700_000_000});
    let mut states = vec![running; 4];
    states.push(succeeded());
    let script = Script { states, columns: vec![("requests", "bigint")], ..Script::default() };
    let (engine, asked) = engine(script, |_| ()).await;
    let (query, params) = traffic();
    let token = "t".repeat(32);
    let run = engine.begin(query, &params, &token).await.unwrap();
    let wait = Duration::from_millis(150);
    let after = |seconds: i64| Timestamp::from_micros((1_700_000_000 + seconds) * 1_000_000);
    assert!(engine.wait_for(query.name, &run, wait, after(300)).await.unwrap().is_none(), "it has its five minutes");
    let late = engine.wait_for(query.name, &run, wait, after(301)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
    assert_eq!(operations(&asked).last().unwrap(), "StopQueryExecution");
    assert_eq!(asked.lock().unwrap()[0].1["ClientRequestToken"], token);
    let ended = engine.wait_for(query.name, &run, Duration::from_secs(5), after(302)).await.unwrap().unwrap();
    assert_eq!(ended.rows.columns.len(), 1, "it had ended after all");
}
