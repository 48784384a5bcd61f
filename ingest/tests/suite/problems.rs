//! Every refusal: its status, its shape, and one event of it.

use ingest::Settings;
use ingest::http::{ReceivedBody, Response};
use serde_json::Value;

use crate::rig::{Req, json, with_api};

/// RFC 9457 and the task contract's `message`, complete.
#[track_caller]
pub fn problem(response: &Response, slug: &str) -> Value {
    let body = json(response);
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{body}");
    assert_eq!(body["type"], format!("urn:daybook:problem:{slug}"), "{body}");
    assert_eq!(body["status"], response.status(), "{body}");
    assert_eq!(body["message"], body["detail"], "{body}");
    assert_eq!(body["request_id"].as_str(), response.header("x-request-id"), "{body}");
    assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{body}");
    assert!(body["instance"].as_str().is_some_and(|instance| instance.len() <= 2_048), "{body}");
    body
}

const ID: &str = "/tasks/019aa0c5-6f8b-7000-8000-000000000000";

#[test]
fn every_refusal() {
    let task = r#"{"task":"a"}"#;
    let post = |body: &str| Req::post("/tasks", body);
    let get = |target: &str| Req::get(target);
    let broken = ReceivedBody::Broken { size: 3, reason: "The body ended before it was whole." };
    let cases = [
        (400, "invalid-request", post("")),
        (400, "invalid-request", post("{")),
        (400, "invalid-request", post("[]")),
        (400, "invalid-request", post("{}")),
        (400, "invalid-request", post(r#"{"task":1}"#)),
        (400, "invalid-request", post(r#"{"task":"a","task":"b"}"#)),
        (400, "invalid-request", post(r#"{"task":"a","id":"x"}"#)),
        (400, "invalid-request", post(r#"{"task":"a","version":9}"#)),
        (400, "invalid-request", post(r#"{"task":"a","created_at":1}"#)),
        (400, "invalid-request", post(r#"{"task":"a","tenant":"x"}"#)),
        (400, "invalid-request", post("\u{feff}{}")),
        (400, "invalid-request", Req::new("POST", "/tasks").body(b"{\"task\":\"\xff\"}")),
        (400, "invalid-request", post(task).received_body(broken)),
        (408, "request-timeout", post(task).received_body(ReceivedBody::Late { size: 3 })),
        (400, "invalid-request", Req::put(ID, "{}")),
        (400, "invalid-request", Req::post("/data", r#"{"user_id":"1"}"#)),
        (400, "invalid-request", Req::post("/data", r#"{"message":"1"}"#)),
        (400, "invalid-request", get("/data")),
        (400, "invalid-request", get("/data?user_id=")),
        (400, "invalid-request", get("/data?user_id=1&user_id=2")),
        (400, "invalid-request", get("/tasks?limit=0")),
        (400, "invalid-request", get("/tasks?limit=101")),
        (400, "invalid-request", get("/tasks?limit=x")),
        (400, "invalid-request", get("/tasks?limit=-1")),
        (400, "invalid-request", get("/tasks?limit=")),
        (400, "invalid-request", get("/tasks?limit=1&limit=1")),
        (400, "invalid-request", get("/tasks?status=odd")),
        (400, "invalid-request", get("/tasks?priority=NEW")),
        (400, "invalid-request", get("/tasks?next=x")),
        (400, "invalid-request", get("/tasks?next=")),
        (400, "invalid-request", get(&format!("{ID}?version=0"))),
        (400, "invalid-request", get(&format!("{ID}?version=99999999999999999999"))),
        (400, "invalid-request", get(&format!("{ID}?as_of=yesterday"))),
        (400, "invalid-request", get(&format!("{ID}?as_of=2026-11-20T09:30:26Z&version=1"))),
        (400, "invalid-request", post(task).h("idempotency-key", "")),
        (400, "invalid-request", post(task).h("idempotency-key", "a b")),
        (400, "invalid-request", post(task).h("idempotency-key", "\"a")),
        (400, "invalid-request", post(task).h("idempotency-key", "a").h("idempotency-key", "b")),
        (400, "invalid-request", post(task).h("idempotency-key", "k".repeat(256))),
        (400, "invalid-request", post(task).h("idempotency-key", b"\xff")),
        (400, "invalid-request", Req::delete(ID).h("if-match", "1")),
        (400, "invalid-request", Req::delete(ID).h("if-match", b"\"\xff\"")),
        (404, "not-found", get("/")),
        (404, "not-found", get("")),
        (404, "not-found", get("/nothing/here")),
        (404, "not-found", get("/tasks/")),
        (404, "not-found", get("//tasks")),
        (404, "not-found", get("/TASKS")),
        (404, "not-found", get("/tasks/%2e%2e/%2e%2e/etc/passwd")),
        (404, "not-found", get("*")),
        (404, "not-found", get("/tasks/x")),
        (404, "not-found", get("/tasks/%ff")),
        (404, "not-found", get("/tasks/%")),
        (404, "not-found", get("/\u{1b}[31m\0")),
        (404, "not-found", get(ID)),
        (404, "not-found", get(&format!("{ID}?version=1"))),
        (404, "not-found", get(&format!("{ID}?as_of=2026-11-20T09:30:26Z"))),
        (404, "not-found", get(&format!("{ID}/history"))),
        (404, "not-found", Req::put(ID, task)),
        (404, "not-found", Req::delete(ID)),
        (404, "not-found", get("/data/019aa0c5-6f8b-7000-8000-000000000000")),
        (404, "not-found", get("/data/x")),
        (404, "not-found", get("/queries")),
        (404, "not-found", get("/queries/any?x=1")),
        (404, "not-found", Req::new("OPTIONS", "/nothing")),
        (405, "method-not-allowed", Req::new("PATCH", ID)),
        (405, "method-not-allowed", Req::new("POST", ID)),
        (405, "method-not-allowed", Req::new("DELETE", "/tasks")),
        (405, "method-not-allowed", Req::new("PUT", "/health")),
        (405, "method-not-allowed", Req::new("TRACE", "/data")),
        (405, "method-not-allowed", Req::new("get", "/tasks")),
        (405, "method-not-allowed", Req::new("BREW\u{e9}", "/tasks")),
        (406, "not-acceptable", get("/tasks").h("accept", "text/html")),
        (406, "not-acceptable", get("/health").h("accept", "application/json;q=0")),
        (406, "not-acceptable", post(task).h("accept", "text/csv")),
        (413, "content-too-large", post("").received_body(ReceivedBody::TooLarge { size: 1 << 40 })),
        (414, "uri-too-long", get(&format!("/{}", "a".repeat(2_048)))),
        (414, "uri-too-long", get(&format!("/tasks?a={}", "a".repeat(8_192)))),
        (415, "unsupported-media-type", post(task).h("content-type", "text/plain")),
        (415, "unsupported-media-type", post(task).h("content-type", "")),
        (415, "unsupported-media-type", post(task).h("origin", "https://elsewhere.example")),
        (415, "unsupported-media-type", post(task).h("content-type", b"application/json\xff")),
        (415, "unsupported-media-type", post(task).h("content-type", "application/json; charset=utf-16")),
        (415, "unsupported-media-type", post(task).h("content-encoding", "gzip")),
        (415, "unsupported-media-type", Req::put(ID, task).h("content-type", "application/x-www-form-urlencoded")),
        (431, "headers-too-large", get("/tasks").h("x", "a".repeat(10_240))),
    ];
    with_api(&Settings::default(), async |rig| {
        for (status, slug, request) in &cases {
            let response = rig.expect(*status, request.clone()).await;
            problem(&response, slug);
            assert_eq!(response.header("allow").is_some(), *status == 405);
            let event = rig.last_event().await;
            assert_eq!((event.event_type.as_str(), event.error_type.as_deref()), ("request.rejected", Some(*slug)));
            assert!(event.error_detail.is_some_and(|detail| detail.len() < 4_000));
            assert_eq!(event.entity_version, None);
        }
    });
}

#[test]
fn a_problem_names_what_is_wrong() {
    with_api(&Settings::default(), async |rig| {
        let body = r#"{"status":"odd","priority":1,"a/b~":0}"#;
        let found = problem(&rig.expect(400, Req::post("/tasks", body)).await, "invalid-request");
        let errors = found["errors"].as_array().unwrap();
        let pointers: Vec<_> =
            errors.iter().map(|e| (e["pointer"].as_str().unwrap(), e["code"].as_str().unwrap())).collect();
        let expect =
            [("/task", "missing"), ("/status", "invalid_value"), ("/priority", "invalid_type"), ("/a~1b~0", "unknown")];
        assert_eq!(pointers, expect);
        let found = problem(&rig.expect(404, Req::get(ID)).await, "not-found");
        assert_eq!((found["message"].as_str(), found["instance"].as_str()), (Some("Task not found"), Some(ID)));
        let found = problem(&rig.expect(400, Req::get("/tasks?limit=0")).await, "invalid-request");
        assert_eq!(found["errors"][0]["pointer"], "limit");
    });
}

#[test]
fn allow_names_the_methods() {
    with_api(&Settings::default(), async |rig| {
        let found = rig.expect(405, Req::new("PATCH", ID)).await;
        assert_eq!(found.header("allow"), Some("DELETE, GET, HEAD, OPTIONS, PUT"));
        let found = rig.expect(204, Req::new("OPTIONS", "/tasks")).await;
        assert_eq!((found.header("allow"), found.body().len()), (Some("GET, HEAD, OPTIONS, POST"), 0));
        let event = rig.last_event().await;
        assert_eq!((event.method.as_str(), event.event_type.as_str()), ("OPTIONS", "request.read"));
        rig.expect(405, Req::new("BREW", "/tasks")).await;
        assert_eq!(rig.last_event().await.method, "_OTHER");
    });
}

#[test]
fn what_is_acceptable() {
    with_api(&Settings::default(), async |rig| {
        for accept in ["*/*", "application/*", "application/json;q=0.1", "text/html, */*;q=0.1", "APPLICATION/JSON"] {
            rig.expect(200, Req::get("/tasks").h("accept", accept)).await;
        }
        rig.expect(200, Req::get("/tasks").h("accept", "text/html").h("accept", "application/json")).await;
        for kind in ["application/json", "application/json; charset=UTF-8", "Application/Vnd.api+JSON"] {
            rig.expect(201, Req::post("/tasks", r#"{"task":"a"}"#).h("content-type", kind)).await;
        }
    });
}

#[test]
fn a_base_path() {
    let settings = Settings { base_path: "/v1".to_owned(), ..Settings::default() };
    with_api(&settings, async |rig| {
        let made = rig.expect(201, Req::post("/v1/tasks", r#"{"task":"a"}"#)).await;
        let location = made.header("location").unwrap().to_owned();
        assert!(location.starts_with("/v1/tasks/"), "{location}");
        rig.expect(200, Req::get(&location)).await;
        assert_eq!(rig.last_event().await.route.as_deref(), Some("/tasks/{id}"));
        for path in ["/tasks", "/v1", "/v1tasks", "/v2/tasks"] {
            rig.expect(404, Req::get(path)).await;
        }
    });
}
