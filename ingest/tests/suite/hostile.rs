//! Any request at all: a documented status, exactly one event, no panic (I6, I9).

use ingest::Settings;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::rig::{Backend, Req, Rig, run};

/// Every status that the contract knows, but for those of a failing store.
pub const DOCUMENTED: [u16; 18] =
    [200, 201, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 414, 415, 422, 431];

fn words() -> impl Strategy<Value = String> {
    let known = vec![
        "/tasks",
        "/data",
        "/health",
        "/queries",
        "/history",
        "/",
        "//",
        "..",
        "%2e",
        "%2f",
        "%ff",
        "%",
        "%00",
        "\0",
        "\r\n",
        "é",
        "\u{2028}",
        "?",
        "limit=1",
        "next=",
        "&",
        "=",
        "status=new",
        "version=1",
        "as_of=2026-11-20T09:30:26Z",
        "user_id=u",
        "x",
        "019aa0c5-6f8b-7000-8000-000000000000",
        "*",
        "{id}",
        "{",
        "}",
        ":",
        "+",
        "'",
        "\"",
        "<script>",
        "\u{1b}[31m",
    ];
    prop_oneof![6 => prop::sample::select(known).prop_map(str::to_owned), 1 => any::<String>()]
}

fn target() -> impl Strategy<Value = String> {
    let routes = vec!["/tasks", "/data", "/tasks/019aa0c5-6f8b-7000-8000-000000000000", "/health", "/queries/x", ""];
    (prop::sample::select(routes), prop::collection::vec(words(), 0..6))
        .prop_map(|(route, rest)| format!("{route}{}", rest.concat()))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let names = vec![
        "accept",
        "content-type",
        "content-encoding",
        "if-match",
        "if-none-match",
        "idempotency-key",
        "x-api-key",
        "origin",
        "access-control-request-method",
        "traceparent",
        "x-amzn-trace-id",
        "referer",
        "user-agent",
        "host",
        "authorization",
        "cookie",
    ];
    let known = vec![
        "*/*",
        "application/json",
        "text/html;q=0.5",
        "*",
        "\"1\"",
        "W/\"1\"",
        "key",
        "\"k\\\"\"",
        "https://a.example",
        "POST",
        ",,;;==",
        "",
        "q=",
        "utf-8",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "Root=1-5759e988-bd862e3fe1be46a994272793",
    ];
    let value = prop_oneof![
        3 => prop::sample::select(known).prop_map(|value| value.as_bytes().to_vec()),
        1 => prop::collection::vec(prop_oneof![Just(b'\t'), 32..=126_u8, 128..=255_u8], 0..40),
    ];
    prop::collection::vec((prop::sample::select(names), value), 0..5)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let scraps = vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"task\"",
        "\"a\"",
        "\"user_id\"",
        "\"message\"",
        "\"password\"",
        "null",
        "1e400",
        "\\u0000",
        "\"",
        "\\",
        "\"status\":\"new\"",
        "é",
        "\u{2028}",
        "\0",
        " ",
        "password=",
        "4111111111111111",
    ];
    prop_oneof![
        1 => Just(Vec::new()),
        2 => prop::sample::select(vec![r#"{"task":"a"}"#, r#"{"user_id":"u","message":"m"}"#, r#"{"status":"completed"}"#])
            .prop_map(|text| text.as_bytes().to_vec()),
        3 => prop::collection::vec(prop::sample::select(scraps), 0..20).prop_map(|scraps| scraps.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn request() -> impl Strategy<Value = Req> {
    let methods =
        vec!["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "", "\u{e9}", "QUERY"];
    (prop::sample::select(methods), target(), headers(), body()).prop_map(|(method, target, headers, body)| {
        headers.into_iter().fold(Req::new(method, &target).body(body), |request, (name, value)| request.h(name, value))
    })
}

fn settings(keyed: bool) -> Settings {
    let key = format!("k:t:{}", "0".repeat(64)).parse().unwrap();
    let api_keys = if keyed { vec![key] } else { Vec::new() };
    Settings { api_keys, cors_origins: vec!["https://a.example".to_owned()], ..Settings::default() }
}

#[test]
fn any_request_has_a_documented_status_and_one_event() {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rig = Rig::new(Backend::memory(), settings(false));
    let sent = std::sync::atomic::AtomicUsize::new(0);
    let tried = runner.run(&request(), |request| {
        let response = runtime.block_on(rig.api.handle(request.received()));
        prop_assert!(DOCUMENTED.contains(&response.status()), "{}", response.status());
        prop_assert_eq!(response.event_id().is_some(), true);
        prop_assert!(!response.body().is_empty() || matches!(response.status(), 204 | 304));
        sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(async {
        assert_eq!(rig.backend.log().await.len(), sent.into_inner());
        rig.verify().await;
    });
}

#[test]
fn on_the_database_and_without_a_key_too() {
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    let requests = prop::collection::vec(request(), 1..8);
    let tried = runner.run(&(requests, any::<bool>()), |(requests, keyed)| {
        run(async {
            let rig = Rig::new(Backend::sqlite(), settings(keyed));
            for request in requests {
                let response = rig.send(request).await;
                assert!(DOCUMENTED.contains(&response.status()), "{}", response.status());
            }
            rig.verify().await;
        });
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
}
