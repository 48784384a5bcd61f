//! The function `ingest`: every kind of gateway, on the real store and sink.

use rig::runtime_api::Answer;
use serde_json::{Value, json};

use crate::world::{World, request};

const KINDS: [&str; 5] = ["rest", "http-api", "function-url", "load-balancer", "load-balancer-multi-value"];

fn body(reply: &Value) -> Value {
    serde_json::from_str(reply["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn every_gateway_s_requests_are_carried_out_and_recorded() {
    let world = World::new().await;
    let function = world.function("ingest", &[]);
    for kind in KINDS {
        let created = world.answer(&request(kind, "POST", "/tasks", r#"{"task":"a"}"#)).await;
        assert_eq!(created["statusCode"], 201, "{kind}: {created}");
        let path = format!("/tasks/{}", body(&created)["id"].as_str().unwrap());
        let read = world.answer(&request(kind, "GET", &path, "")).await;
        assert_eq!((&read["statusCode"], &body(&read)["task"]), (&json!(200), &json!("a")), "{kind}: {read}");
        let updated = world.answer(&request(kind, "PUT", &path, r#"{"task":"b"}"#)).await;
        assert_eq!(
            (&updated["statusCode"], &body(&updated)["task"]["version"]),
            (&json!(200), &json!(2)),
            "{kind}: {updated}"
        );
        let submitted = world.answer(&request(kind, "POST", "/data", r#"{"user_id":"u","message":"m"}"#)).await;
        assert_eq!(submitted["statusCode"], 201, "{kind}: {submitted}");
        let unknown = world.answer(&request(kind, "GET", "/assets/%2e%2e/x", "")).await;
        assert_eq!(unknown["statusCode"], 404, "{kind}: {unknown}");
    }
    for event in ["{}", "[]", r#""ping""#] {
        let Answer::Success(reply) = world.api.invoke(event).await else { panic!("{event} is an error") };
        assert_eq!(reply["statusCode"], 400);
    }
    let raw = world.raw().await;
    let count = |kind: &str| raw.iter().filter(|event| event.event_type == kind).count();
    assert_eq!(
        (count("request.read"), count("request.rejected"), raw.len()),
        (5, 5 + 3, 13),
        "changes come by the stream"
    );
    for event in &raw {
        assert_eq!((event.ingest_path.as_str(), event.environment.as_str()), ("direct", "rig"));
        assert_eq!(event.trace_id.as_deref(), Some("5759e988bd862e3fe1be46a994272793"));
        assert!(event.invocation_id.as_deref().is_some_and(|id| id.starts_with("invocation-")));
        assert_eq!(event.cold_start, Some(false), "the first invocation was a change");
    }
    assert!(raw.iter().any(|event| event.path == "/assets/%2e%2e/x"));
    let cold: Vec<Value> = function.lines().into_iter().filter(|line| line["ColdStarts"] == 1.0).collect();
    assert_eq!(cold.len(), 1, "one line of metrics is the cold start's");
    let line = &cold[0];
    assert_eq!(
        (&line["service"], &line["environment"], line.get("Unrecorded")),
        (&json!("ingest"), &json!("rig"), None)
    );
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Daybook");
    let metrics = function.lines().iter().filter(|line| line["_aws"].is_object()).count();
    assert_eq!(metrics, 1, "an invocation in which nothing happened has no line");
}

#[tokio::test]
async fn a_restarted_function_goes_on_where_the_store_is() {
    let world = World::new().await;
    let mut function = world.function("ingest", &[]);
    let mut create = request("rest", "POST", "/tasks", r#"{"task":"a"}"#);
    create["multiValueHeaders"]["idempotency-key"] = json!(["k-1"]);
    let created = world.answer(&create).await;
    function.kill().await;
    world.api.abandon();
    let _function = world.function("ingest", &[]);
    // The killed process may have left a request for the next event behind, which takes one away.
    let mut again = world.api.invoke_within(&create.to_string(), rig::runtime_api::TIME).await.await;
    if again.is_err() {
        again = Ok(world.api.invoke(&create.to_string()).await);
    }
    let again = again.unwrap().success();
    assert_eq!(again["multiValueHeaders"]["idempotency-replayed"], json!(["true"]), "{again}");
    assert_eq!(body(&again)["id"], body(&created)["id"]);
}

#[tokio::test]
async fn a_store_that_never_answers_leaves_time_to_record_it() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let function = world.function("ingest", &[("AWS_ENDPOINT_URL_DYNAMODB", &address)]);
    let create = request("rest", "POST", "/tasks", r#"{"task":"a"}"#);
    let answered = world.api.invoke_within(&create.to_string(), std::time::Duration::from_secs(3)).await;
    let reply = tokio::time::timeout(std::time::Duration::from_secs(3), answered).await.unwrap().unwrap().success();
    assert_eq!(reply["statusCode"], 503, "{reply}");
    let metrics = function.line(|line| line["_aws"].is_object()).await;
    let unknown = body(&reply)["type"] == "urn:daybook:problem:outcome-unknown";
    assert_eq!((metrics["Unrecorded"] == 1.0, metrics.get("Failures")), (unknown, None));
    // Of a change whose outcome is not known no second event is written: it may have one.
    assert_eq!(world.raw().await.len(), usize::from(!unknown));
    let read = request("rest", "GET", "/tasks/019aa0c5-6f8b-7000-8000-000000000000", "");
    let answered = world.api.invoke_within(&read.to_string(), std::time::Duration::from_secs(3)).await;
    assert_eq!(answered.await.unwrap().success()["statusCode"], 503);
    let raw = world.raw().await;
    let last = raw.last().unwrap();
    assert_eq!((last.event_type.as_str(), last.status, last.method.as_str()), ("request.failed", 503, "GET"));
}

#[tokio::test]
async fn what_fails_behind_the_api_is_an_answer_and_a_log_line_with_powertools_keys() {
    let world = World::new().await;
    let nowhere = "http://127.0.0.1:9";
    let function =
        world.function("ingest", &[("AWS_ENDPOINT_URL_DYNAMODB", nowhere), ("AWS_ENDPOINT_URL_FIREHOSE", nowhere)]);
    let create = request("http-api", "POST", "/tasks", r#"{"task":"a","status":"new"}"#);
    let answered = world.api.invoke_within(&create.to_string(), std::time::Duration::from_secs(8)).await;
    let reply = answered.await.unwrap().success();
    assert_eq!(reply["statusCode"], 503, "{reply}");
    let raw = world.raw().await;
    if reply["headers"]["daybook-event-id"].is_string() {
        assert_eq!(
            (raw.len(), raw[0].event_type.as_str(), raw[0].ingest_path.as_str()),
            (1, "request.failed", "fallback")
        );
        let line = function.line(|line| line["_aws"].is_object()).await;
        assert_eq!((&line["FallbackWrites"], &line["ServerErrors"]), (&json!(1.0), &json!(1.0)));
    } else {
        assert!(raw.is_empty(), "an answer that says nothing was recorded");
    }
    let line = function.line(|line| line["message"] == "the store failed").await;
    for key in ["timestamp", "location", "error", "function_request_id"] {
        assert!(line[key].is_string(), "{key}: {line}");
    }
    assert_eq!((&line["level"], &line["service"]), (&json!("ERROR"), &json!("ingest")));
    assert_eq!((&line["function_name"], &line["correlation_id"]), (&json!("daybook-ingest"), &json!("id")));
    assert_eq!((&line["cold_start"], &line["xray_trace_id"]), (&json!(true), &json!(rig::runtime_api::TRACE)));
}
