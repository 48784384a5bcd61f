//! Any gateway event at all: no panic, a documented status, an answer the gateway can read, exactly one event (I6, I9).

use ingest::Settings;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::gateway::{EVENTS, read};
use crate::hostile::DOCUMENTED;
use crate::rig::{Backend, Rig};

/// How many events are tried.
const CASES: u32 = 10_000;

/// Text that JSON's own values cannot hold: it takes the place of a string in the written event.
const RAW: [(&str, &str); 4] = [
    ("raw:surrogate", r#""\ud800\udfff\ud800""#),
    ("raw:number", "-0.1e-99999"),
    ("raw:duplicates", r#"{"a":1,"a":{"path":2},"http":null,"http":{"method":"GET","method":7}}"#),
    ("raw:literal", "\"\u{7f}\u{2028}\u{85}\""),
];

fn texts() -> impl Strategy<Value = String> {
    let known = vec![
        "",
        "/",
        "//",
        "/tasks",
        "/data",
        "/health",
        "/tasks/%2e%2e/x",
        "/%ff",
        "/tasks/019aa0c5-6f8b-7000-8000-000000000000",
        "*",
        "GET",
        "POST",
        "PUT",
        "HEAD",
        "OPTIONS",
        "get",
        "\u{e9}",
        "G\r\nET",
        "a=1&a=2",
        "limit=1&next=%00",
        "%",
        "a b",
        "bad host:99999999",
        "[::1",
        "x@y:z/",
        "\u{0}",
        "\u{1b}[2J",
        "\u{2028}",
        "2.0",
        "1.0",
        "$default",
        "prod",
        "eyJhIjoxfQ==",
        "eyJ",
        "=",
        "{\"task\":\"a\"}",
        "{\"user_id\":\"u\",\"message\":\"m\"}",
        "application/json",
        "text/html",
        "\"k\"",
        "1.2.3.4, 5.6.7.8:9",
        "Root=1-5759e988-bd862e3fe1be46a994272793",
        "AKIAIOSFODNN7EXAMPLE",
        "raw:surrogate",
        "raw:number",
        "raw:duplicates",
        "raw:literal",
    ];
    prop_oneof![
        8 => prop::sample::select(known).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => (prop::sample::select(vec!["/", "a", "%2f", "{", "\u{e9}", "="]), 1..6_000_usize).prop_map(|(text, n)| text.repeat(n)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => texts().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => (1..200_usize).prop_map(|depth| (0..depth).fold(Value::Null, |inner, _| json!([inner]))),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names(), inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Names that the conversion reads, and others.
fn names() -> impl Strategy<Value = String> {
    let known = vec![
        "version",
        "httpMethod",
        "path",
        "rawPath",
        "rawQueryString",
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "body",
        "isBase64Encoded",
        "cookies",
        "requestContext",
        "http",
        "elb",
        "method",
        "stage",
        "requestId",
        "identity",
        "sourceIp",
        "domainName",
        "protocol",
        "pathParameters",
        "proxy",
        "resource",
        "host",
        "content-type",
        "accept",
        "x-forwarded-for",
        "content-encoding",
        "idempotency-key",
        "if-match",
        "origin",
        "traceparent",
    ];
    prop_oneof![9 => prop::sample::select(known).prop_map(str::to_owned), 1 => texts()]
}

/// One change of an event: what is picked (by a number, so that any event has such a place), and what is done there.
#[derive(Debug, Clone)]
enum Change {
    Replace(usize, Value),
    Remove(usize),
    Insert(usize, String, Value),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        4 => (any::<usize>(), value()).prop_map(|(at, value)| Change::Replace(at, value)),
        1 => any::<usize>().prop_map(Change::Remove),
        3 => (any::<usize>(), names(), value()).prop_map(|(at, name, value)| Change::Insert(at, name, value)),
    ];
    prop::collection::vec(change, 1..5)
}

/// JSON pointers of every place in an event.
fn places(value: &Value, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                self::places(value, &format!("{at}/{name}"), places);
            }
        }
        Value::Array(items) if items.len() < 8 => {
            items.iter().enumerate().for_each(|(index, item)| self::places(item, &format!("{at}/{index}"), places));
        }
        _ => {}
    }
}

fn apply(event: &mut Value, change: Change) {
    let mut found = Vec::new();
    places(event, "", &mut found);
    let place = |at: usize| found[at % found.len()].as_str();
    match change {
        Change::Replace(at, value) => *event.pointer_mut(place(at)).unwrap() = value,
        Change::Remove(at) => {
            let Some((parent, key)) = place(at).rsplit_once('/') else { return };
            if let Some(members) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
                members.remove(&key.replace("~1", "/").replace("~0", "~"));
            }
        }
        Change::Insert(at, name, value) => {
            if let Some(members) = event.pointer_mut(place(at)).and_then(Value::as_object_mut) {
                members.insert(name, value);
            }
        }
    }
}

/// Requests that get past the front door, so that what stands behind it meets hostile events, too.
const REQUESTS: [(&str, &str, &str); 6] = [
    ("POST", "/tasks", r#"{"task":"a"}"#),
    ("POST", "/data", r#"{"user_id":"u","message":"m"}"#),
    ("GET", "/tasks", ""),
    ("GET", "/health", ""),
    ("HEAD", "/health", ""),
    ("OPTIONS", "/tasks", ""),
];

/// Makes an event one of [`REQUESTS`].
fn aim(event: &mut Value, (method, path, body): (&str, &str, &str)) {
    if event.get("rawPath").is_some() {
        event["requestContext"]["http"]["method"] = json!(method);
        event["rawPath"] = json!(path);
    } else {
        event["httpMethod"] = json!(method);
        event["path"] = json!(path);
    }
    event["body"] = json!(body);
    event["headers"]["content-type"] = json!("application/json");
    event["headers"]["accept"] = json!("*/*");
    for parameters in
        ["queryStringParameters", "multiValueQueryStringParameters", "rawQueryString", "multiValueHeaders"]
    {
        event.as_object_mut().unwrap().remove(parameters);
    }
}

fn hostile_event() -> impl Strategy<Value = String> {
    let request = prop::option::of(prop::sample::select(REQUESTS.to_vec()));
    (prop::sample::select(EVENTS.to_vec()), request, changes()).prop_map(|((_, text), request, changes)| {
        let mut event: Value = serde_json::from_str(text).unwrap();
        if let Some(request) = request {
            aim(&mut event, request);
        }
        changes.into_iter().for_each(|change| apply(&mut event, change));
        RAW.iter().fold(event.to_string(), |text, (name, raw)| text.replace(&format!("\"{name}\""), raw))
    })
}

/// What every gateway needs to find in an answer.
fn check_reply(reply: &Value, status: u16) -> Result<(), TestCaseError> {
    prop_assert_eq!(&reply["statusCode"], &json!(status));
    prop_assert!(reply["body"].is_string() && reply["isBase64Encoded"].is_boolean(), "{}", reply);
    let single = reply["headers"].as_object().map(|headers| headers.values().all(Value::is_string));
    let lists = |values: &Value| values.as_array().is_some_and(|values| values.iter().all(Value::is_string));
    let multiple = reply["multiValueHeaders"].as_object().map(|headers| headers.values().all(lists));
    prop_assert!(matches!((single, multiple), (Some(true), None) | (None, Some(true))), "{}", reply);
    Ok(())
}

#[test]
fn any_gateway_event_has_a_documented_status_and_one_event() {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rig = Rig::new(Backend::memory(), Settings::default());
    let sent = std::sync::atomic::AtomicUsize::new(0);
    let statuses = std::sync::Mutex::new(std::collections::BTreeMap::<u16, usize>::new());
    let tried = runner.run(&hostile_event(), |event| {
        let (received, shape) = read(&event);
        let response = runtime.block_on(rig.api.handle(received));
        let status = response.status();
        prop_assert!(DOCUMENTED.contains(&status), "{}: {:.2000}", status, event);
        prop_assert!(response.event_id().is_some());
        check_reply(&serde_json::to_value(shape.reply(response)).unwrap(), status)?;
        *statuses.lock().unwrap().entry(status).or_default() += 1;
        sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
    let statuses = statuses.into_inner().unwrap();
    assert!(
        [200, 201, 204, 400, 404].iter().all(|status| statuses.contains_key(status)),
        "not all are refused: {statuses:?}"
    );
    runtime.block_on(async {
        assert_eq!(rig.backend.log().await.len(), sent.into_inner());
        rig.verify().await;
    });
}
