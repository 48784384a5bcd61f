//! Events of AWS's gateways, as AWS shows them: what request they are, what the answer looks like to the gateway.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ingest::Settings;
use ingest::http::gateway::{Invoked, Kind, Shape, receive};
use ingest::http::{Arrival, Received, ReceivedBody, limits};
use serde_json::{Value, json};

use crate::rig::{Backend, NOW, Rig, run};

/// Every kind of event, by the name of its file.
pub const EVENTS: [(&str, &str); 11] = [
    ("rest", include_str!("../../testdata/gateway/rest.json")),
    ("rest-console-test", include_str!("../../testdata/gateway/rest-console-test.json")),
    ("rest-multi-value-parameters", include_str!("../../testdata/gateway/rest-multi-value-parameters.json")),
    ("http-api", include_str!("../../testdata/gateway/http-api.json")),
    ("http-api-named-stage", include_str!("../../testdata/gateway/http-api-named-stage.json")),
    ("http-api-path-with-space", include_str!("../../testdata/gateway/http-api-path-with-space.json")),
    ("function-url", include_str!("../../testdata/gateway/function-url.json")),
    ("load-balancer", include_str!("../../testdata/gateway/load-balancer.json")),
    ("load-balancer-multi-value", include_str!("../../testdata/gateway/load-balancer-multi-value.json")),
    ("load-balancer-health-check", include_str!("../../testdata/gateway/load-balancer-health-check.json")),
    ("no-http-event", include_str!("../../testdata/gateway/no-http-event.json")),
];

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// An event read as the function reads it.
pub fn read(event: &str) -> (Received, Shape) {
    let invoked = Invoked {
        arrival: Arrival { received_at: event::Timestamp::parse(NOW).unwrap(), started: 0 },
        invocation_id: "invocation-1".to_owned(),
        trace_id: Some(TRACE.to_owned()),
        cold_start: true,
    };
    receive(event, "", invoked)
}

fn sample(name: &str) -> Value {
    let (_, text) = EVENTS.iter().find(|(known, _)| *known == name).unwrap();
    serde_json::from_str(text).unwrap()
}

/// A sample with other values at some JSON pointers.
fn altered(name: &str, values: &[(&str, Value)]) -> (Received, Shape) {
    let mut event = sample(name);
    for (pointer, value) in values {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    read(&event.to_string())
}

fn whole(received: &Received) -> &[u8] {
    match &received.body {
        ReceivedBody::Whole(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

fn values(received: &Received, name: &str) -> Vec<String> {
    received.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[test]
fn samples_are_the_requests_they_show() {
    let check = |name: &str, kind: Kind, request: (&str, &str, &str), query: &str, ids: (&str, &str, &str)| {
        let (received, shape) = altered(name, &[]);
        assert_eq!(shape.kind(), kind, "{name}");
        assert_eq!((received.method.as_str(), received.mount.as_str(), received.path.as_str()), request, "{name}");
        assert_eq!(received.query.as_deref().unwrap_or_default(), query, "{name}");
        let shown = [&received.request_id, &received.client_ip, &received.protocol];
        let [request_id, client_ip, protocol] = shown.map(|value| value.as_deref().unwrap_or_default());
        assert_eq!((request_id, client_ip, protocol), ids, "{name}");
        assert_eq!((received.invocation_id.as_deref(), received.cold_start), (Some("invocation-1"), Some(true)));
        assert!(matches!(received.body, ReceivedBody::Whole(_)), "{name}: {:?}", received.body);
    };
    let query = "parameter1=value1&parameter1=value2&parameter2=value";
    let encoded = "myKey=%3FshowAll%3Dtrue";
    let (rest, http, balancer) = (Kind::Rest, Kind::HttpApi, Kind::LoadBalancer);
    let rest_ids = ("deef4878-7910-11e6-8f14-25afc3e9ae33", "192.168.196.186", "");
    check("rest", rest, ("POST", "", "/hello/world"), "multiValueName=you&multiValueName=me&name=me", rest_ids);
    let console = ("e5488776-afe4-4e5e-92b1-37bd23f234d6", "test-invoke-source-ip", "HTTP/1.1");
    check("rest-console-test", rest, ("POST", "", "/myPath"), "", console);
    check("http-api", http, ("POST", "", "/my/path"), query, ("id", "IP", "HTTP/1.1"));
    check("http-api-named-stage", http, ("POST", "/Prod", "/my/path"), query, ("id", "IP", "HTTP/1.1"));
    check("http-api-path-with-space", http, ("POST", "", "/my/path-with space"), query, ("id", "IP", "HTTP/1.1"));
    let url = ("MIZRNhJtIAMEMDw=", "65.78.31.245", "HTTP/1.1");
    check("function-url", http, ("GET", "", "/my/path"), query, url);
    check("load-balancer", balancer, ("GET", "", "/"), encoded, ("", "72.21.198.66", ""));
    let twice = "myKey=%3FshowAll%3Dtrue&myKey=%3FshowAll%3Dfalse";
    check("load-balancer-multi-value", balancer, ("GET", "", "/"), twice, ("", "72.21.198.66", ""));
    check("load-balancer-health-check", balancer, ("GET", "", "/"), "", ("", "", ""));
}

#[test]
fn repeated_headers_keep_all_their_values() {
    let multiple = ("/multiValueHeaders/Accept", json!(["text/html", "application/json"]));
    let (received, _) = altered("rest", &[multiple, ("/headers/ACCEPT", json!("application/json"))]);
    assert_eq!(values(&received, "accept"), ["text/html", "application/json"]);
    let (received, _) = altered("rest", &[("/multiValueHeaders", json!(null))]);
    assert_eq!(values(&received, "accept"), ["*/*"]);
    let (received, _) = altered("rest", &[("/headers/Only-Here", json!("1"))]);
    assert_eq!(values(&received, "only-here"), ["1"]);
}

#[test]
fn cookies_host_and_trace_are_where_the_api_looks() {
    let (received, _) = altered("http-api", &[]);
    assert_eq!(values(&received, "cookie"), ["cookie1=value1; cookie2=value2"]);
    assert_eq!(received.header("host"), Some("id.execute-api.us-east-1.amazonaws.com"));
    assert_eq!(values(&altered("function-url", &[]).0, "cookie"), ["test=hi"]);
    let (received, _) = altered("function-url", &[("/headers/host", json!("bad host\u{e9}"))]);
    assert_eq!(received.headers.get("host").unwrap().as_bytes(), "bad host\u{e9}".as_bytes());
    assert_eq!(values(&received, "x-amzn-trace-id"), [TRACE], "Lambda's, not the client's");
}

#[test]
fn paths_stay_as_they_came() {
    for path in ["/assets/%2e%2e/x", "/a//b/", "/%ff", "", "*", "/a b?c#d", "/\u{2028}\u{0}"] {
        assert_eq!(altered("rest", &[("/path", json!(path))]).0.path, path);
        assert_eq!(altered("http-api", &[("/rawPath", json!(path))]).0.path, path);
        assert_eq!(altered("load-balancer", &[("/path", json!(path))]).0.path, path);
    }
}

#[test]
fn a_decoded_query_is_written_again_in_one_way() {
    let check = |parameters: Value, expect: &str| {
        let (received, _) = altered("rest", &[("/multiValueQueryStringParameters", parameters)]);
        assert_eq!(received.query.as_deref(), Some(expect));
        let again: Vec<_> = form_urlencoded::parse(expect.as_bytes()).collect();
        assert_eq!(again.len(), expect.matches('=').count());
    };
    check(json!({"b": ["1"], "a": ["2", "1"]}), "a=2&a=1&b=1");
    check(json!({"q": ["a&b=c d+e%41#\u{e9}"], "": [""]}), "=&q=a%26b%3Dc%20d%2Be%2541%23%C3%A9");
    check(json!({"flag": [null], "one": "x"}), "flag=&one=x");
    let raw = ("/rawQueryString", json!("b=1&a=%zz&&c=a b\u{e9}"));
    assert_eq!(altered("http-api", &[raw]).0.query.as_deref(), Some("b=1&a=%zz&&c=a b\u{e9}"));
}

#[test]
fn only_the_load_balancer_s_own_hop_is_believed() {
    let check = |hops: &str, expect: Option<&str>| {
        let (received, _) = altered("load-balancer", &[("/headers/x-forwarded-for", json!(hops))]);
        assert_eq!(received.client_ip.as_deref(), expect, "{hops}");
    };
    check("10.0.0.1, 203.0.113.7", Some("203.0.113.7"));
    check("evil, 203.0.113.7:4711", Some("203.0.113.7"));
    check("2001:db8::1", Some("2001:db8::1"));
    check("[2001:db8::1]:4711", Some("2001:db8::1"));
    check("<script>", None);
    let (received, _) = altered("rest", &[("/headers/X-Forwarded-For", json!("9.9.9.9"))]);
    assert_eq!(received.client_ip.as_deref(), Some("192.168.196.186"));
}

#[test]
fn bodies_are_text_or_base64_and_measured_before_they_are_decoded() {
    let body = |text: Value, encoded: bool| altered("rest", &[("/body", text), ("/isBase64Encoded", json!(encoded))]).0;
    assert_eq!(whole(&body(json!("{\"a\":\"\u{e9}\"}"), false)), "{\"a\":\"\u{e9}\"}".as_bytes());
    assert_eq!(whole(&body(json!("/wAB"), true)), [0xff, 0, 1]);
    assert_eq!(whole(&body(json!(null), true)), b"");
    let most = vec![b'x'; limits::BODY];
    assert_eq!(whole(&body(json!(STANDARD.encode(&most)), true)).len(), limits::BODY);
    let too_large = ReceivedBody::TooLarge { size: limits::BODY as u64 + 1 };
    assert_eq!(body(json!(STANDARD.encode([&most[..], b"x"].concat())), true).body, too_large);
    assert_eq!(body(json!("x".repeat(limits::BODY + 1)), false).body, too_large);
    for (text, encoded) in
        [(json!("no base64!"), true), (json!("YQ"), true), (json!({"a": 1}), false), (json!(7), true)]
    {
        let read = body(text.clone(), encoded).body;
        assert!(matches!(read, ReceivedBody::Broken { reason, .. } if reason.contains("body")), "{text}: {read:?}");
    }
}

/// Answers an event and gives what the gateway gets, and the event of it.
async fn answered(rig: &Rig, event: &str) -> (Value, event::Event) {
    let (received, shape) = read(event);
    let before = rig.backend.log().await.len();
    let reply = shape.reply(rig.api.handle(received).await);
    let log = rig.backend.log().await;
    assert_eq!(log.len() - before, 1, "one event: {event:.300}");
    (serde_json::to_value(&reply).unwrap(), log.last().unwrap().clone())
}

#[test]
fn what_cannot_be_read_is_a_recorded_400() {
    run(async {
        let rig = Rig::new(Backend::memory(), Settings::default());
        let broken = |name: &str, pointer: &str, value: Value| {
            let mut event = sample(name);
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            event.pointer_mut(parent).unwrap()[key] = value;
            event.to_string()
        };
        let many: Value = (0..40_000).map(|n| (format!("h{n}"), json!("1"))).collect::<serde_json::Map<_, _>>().into();
        let events = [
            "{}".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            "\"ping\"".to_owned(),
            sample("no-http-event").to_string(),
            broken("rest", "/httpMethod", json!(7)),
            broken("rest", "/path", json!(["/tasks"])),
            broken("rest", "/headers", json!("x")),
            broken("rest", "/multiValueHeaders/Accept", json!([{"a": 1}])),
            broken("rest", "/headers/X-Bad", json!("a\r\nb")),
            broken("rest", "/headers/bad name", json!("a")),
            broken("rest", "/multiValueQueryStringParameters", json!({"a": [7]})),
            broken("rest", "/body", json!(7)),
            broken("http-api", "/requestContext", json!([])),
            broken("http-api", "/requestContext/http", json!(null)),
            broken("load-balancer", "/queryStringParameters", json!(false)),
        ];
        for event in events {
            let (reply, recorded) = answered(&rig, &event).await;
            assert_eq!((reply["statusCode"].as_u64(), recorded.status), (Some(400), 400), "{event:.300}: {reply}");
            assert_eq!(recorded.event_type, "request.rejected");
            assert!(reply["body"].as_str().unwrap().contains("urn:daybook:problem:invalid-request"));
            assert_eq!(recorded.trace_id.as_deref(), Some("5759e988bd862e3fe1be46a994272793"));
        }
        let (reply, recorded) = answered(&rig, &broken("rest", "/headers", many)).await;
        assert_eq!((&reply["statusCode"], recorded.status), (&json!(431), 431), "more headers than a table takes");
        rig.verify().await;
    });
}

#[test]
fn each_gateway_is_answered_in_its_shape() {
    run(async {
        let rig = Rig::new(Backend::memory(), Settings::default());
        let (rest, _) = answered(&rig, &sample("rest").to_string()).await;
        assert_eq!(rest["multiValueHeaders"]["content-type"], json!(["application/problem+json"]));
        assert_eq!(
            (&rest["statusCode"], &rest["isBase64Encoded"], rest.get("headers")),
            (&json!(404), &json!(false), None)
        );
        let (http, _) = answered(&rig, &sample("http-api").to_string()).await;
        assert_eq!(http["headers"]["content-type"], "application/problem+json");
        assert_eq!((&http["cookies"], http.get("multiValueHeaders")), (&json!([]), None));
        let (balancer, recorded) = answered(&rig, &sample("load-balancer").to_string()).await;
        assert_eq!((&balancer["statusDescription"], balancer["headers"].is_object()), (&json!("404 Not Found"), true));
        assert_eq!(balancer["headers"]["daybook-event-id"], recorded.event_id.to_string());
        let (multiple, _) = answered(&rig, &sample("load-balancer-multi-value").to_string()).await;
        assert_eq!((multiple["multiValueHeaders"].is_object(), multiple.get("headers")), (true, None));
        let mut head = sample("load-balancer");
        (head["httpMethod"], head["path"]) = (json!("HEAD"), json!("/health"));
        head["headers"]["accept"] = json!("*/*");
        let (head, _) = answered(&rig, &head.to_string()).await;
        assert_eq!((&head["statusCode"], &head["body"]), (&json!(200), &json!("")));
    });
}

#[test]
fn what_clients_are_told_has_the_stage_they_know() {
    run(async {
        let rig = Rig::new(Backend::memory(), Settings::default());
        let mut post = sample("rest");
        (post["path"], post["pathParameters"]["proxy"]) = (json!("/tasks"), json!("tasks"));
        post["requestContext"]["path"] = json!("/testStage/tasks");
        (post["body"], post["queryStringParameters"]) = (json!("{\"task\":\"a\"}"), json!(null));
        post["multiValueQueryStringParameters"] = json!(null);
        let (reply, recorded) = answered(&rig, &post.to_string()).await;
        assert_eq!(reply["statusCode"], 201, "{reply}");
        let id = recorded.entity_id.unwrap();
        assert_eq!(reply["multiValueHeaders"]["location"], json!([format!("/testStage/tasks/{id}")]));
        assert_eq!((recorded.path.as_str(), recorded.route.as_deref()), ("/tasks", Some("/tasks")));
        assert_eq!(recorded.request_id, "deef4878-7910-11e6-8f14-25afc3e9ae33");
    });
}

#[test]
fn every_gateway_gives_the_document_and_the_page_at_its_own_address() {
    run(async {
        let rig = Rig::new(Backend::memory(), Settings { largest_answer: Some(1 << 20), ..Settings::default() });
        for (name, server) in [("rest", "/testStage"), ("http-api-named-stage", "/Prod"), ("load-balancer", "/")] {
            for path in ["/openapi.json", "/docs"] {
                let (mut get, mount) = (sample(name), server.trim_end_matches('/'));
                match name {
                    "http-api-named-stage" => {
                        get["requestContext"]["http"]["method"] = json!("GET");
                        get["rawPath"] = format!("{mount}{path}").into();
                    }
                    _ => {
                        (get["httpMethod"], get["path"]) = (json!("GET"), path.into());
                        // What is open has a resource of its own, not the one that takes everything.
                        (get["resource"], get["pathParameters"]) = (path.into(), json!(null));
                        get["requestContext"]["path"] = format!("{mount}{path}").into();
                    }
                }
                for headers in ["headers", "multiValueHeaders"] {
                    get.get_mut(headers).into_iter().for_each(|headers| *headers = json!(null));
                }
                let (reply, _) = answered(&rig, &get.to_string()).await;
                assert_eq!(
                    (&reply["statusCode"], &reply["isBase64Encoded"]),
                    (&json!(200), &json!(false)),
                    "{name} {path}"
                );
                let body = reply["body"].as_str().unwrap();
                match path {
                    "/docs" => assert!(body.contains(&format!("lies under <code>{server}</code>")), "{name}"),
                    _ => assert_eq!(serde_json::from_str::<Value>(body).unwrap()["servers"][0]["url"], server),
                }
            }
        }
    });
}

#[test]
fn an_answer_that_cannot_be_carried_is_a_recorded_problem() {
    run(async {
        let settings = Settings { largest_answer: Some(2_000), ..Settings::default() };
        let rig = Rig::new(Backend::memory(), settings);
        for _ in 0..20 {
            rig.task("a").await;
        }
        let mut list = sample("function-url");
        (list["rawPath"], list["rawQueryString"]) = (json!("/tasks"), json!(""));
        let (reply, recorded) = answered(&rig, &list.to_string()).await;
        assert_eq!((&reply["statusCode"], recorded.error_type.as_deref()), (&json!(400), Some("answer-too-large")));
        list["rawQueryString"] = json!("limit=2");
        assert_eq!(answered(&rig, &list.to_string()).await.0["statusCode"], 200);
    });
}
