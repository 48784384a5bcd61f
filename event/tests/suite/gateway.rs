//! The gateway's access log: its format to the byte, and what each kind of line makes.

use event::gateway::{Frontend, Line, Source};
use event::redact::{Redactor, Rules};
use event::{Event, Timestamp};
use proptest::prelude::*;

use crate::support::{golden, odd_text};

/// `2026-11-20T09:30:26.123Z`, milliseconds.
const NOON: i64 = 1_795_167_026_123;

fn redactor() -> Redactor {
    Redactor::new([7; 32], Rules::default()).unwrap()
}

fn source() -> Source {
    Source {
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "production".to_owned(),
        region: Some("eu-central-1".to_owned()),
    }
}

/// A line as the gateway renders the format: each variable by its value, `-` where there is none. `escaped` is how it
/// treats quotation marks.
fn render(frontend: Frontend, values: &[(&str, &str)], escaped: bool) -> String {
    let mut line = frontend.access_log_format();
    for (name, value) in values {
        let value = if escaped { serde_json::to_string(value).unwrap() } else { format!("\"{value}\"") };
        let start = line.rfind(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no field {name}")) + name.len() + 3;
        let end = start + line[start..].find("\",\"").map_or(line[start..].len() - 2, |at| at + 1);
        line.replace_range(start..end, &value);
    }
    while let Some(start) = line.find("\"$context.") {
        let end = start + 1 + line[start + 1..].find('"').unwrap();
        line.replace_range(start + 1..end, "-");
    }
    line.trim_end().to_owned()
}

fn request<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut values = vec![
        ("extendedRequestId", "JKJaXmPLvHcESHA="),
        ("requestId", "5b1a1a5c-7c4e-4b40-8a2e-0c6f2e9b7a11"),
        ("requestTimeEpoch", "1795167026123"),
        ("ip", "203.0.113.7"),
        ("protocol", "HTTP/1.1"),
        ("stage", "live"),
        ("domainName", "abc123.execute-api.eu-central-1.amazonaws.com"),
        ("httpMethod", "POST"),
        ("routeKey", "/{proxy+}"),
        ("path", "/live/data"),
        ("userAgent", "curl/8.5.0"),
    ];
    for (name, value) in more {
        values.retain(|(known, _)| known != name);
        values.push((name, value));
    }
    values
}

fn event(more: &[(&str, &str)]) -> Event {
    let line = render(Frontend::Rest, &request(more), true);
    Line::parse(line.as_bytes()).unwrap().to_event(&source(), &redactor())
}

#[test]
fn the_formats_are_kept_to_the_byte() {
    for (frontend, name) in [(Frontend::Rest, "rest"), (Frontend::Http, "http")] {
        golden(&format!("gateway/{name}.txt"), &frontend.access_log_format());
        golden(&format!("../../terraform/generated/access-log-{name}.txt"), &frontend.access_log_format());
    }
}

#[test]
fn an_event_is_kept_to_the_byte() {
    let refused = [("status", "403"), ("responseType", "INVALID_API_KEY"), ("errorMessage", "Forbidden")];
    let crashed =
        [("status", "502"), ("integrationStatus", "200"), ("integrationRequestId", "6d9c"), ("apiKeyId", "k1")];
    let lines = [event(&refused), event(&crashed)].map(|event| String::from_utf8(event.to_line()).unwrap() + "\n");
    golden("gateway/events.txt", &lines.concat());
}

#[test]
fn each_kind_of_end_has_its_type_and_problem() {
    #[track_caller]
    fn check(more: &[(&str, &str)], is_refusal: bool, event_type: &str, problem: Option<&str>) {
        let line = Line::parse(render(Frontend::Rest, &request(more), true).as_bytes()).unwrap();
        let event = line.to_event(&source(), &redactor());
        let found = (line.is_refusal(), event.event_type.as_str(), event.error_type.as_deref());
        assert_eq!(found, (is_refusal, event_type, problem));
        assert_eq!(event.status.to_string(), more[0].1);
        assert_eq!(event.error_detail.is_some(), problem.is_some());
    }
    let rejected = "gateway.rejected";
    check(&[("status", "403"), ("responseType", "INVALID_API_KEY")], true, rejected, Some("unauthenticated"));
    check(
        &[("status", "403"), ("responseType", "MISSING_AUTHENTICATION_TOKEN")],
        true,
        rejected,
        Some("unauthenticated"),
    );
    check(&[("status", "403"), ("responseType", "WAF_FILTERED")], true, rejected, Some("forbidden"));
    check(&[("status", "403"), ("wafResponseCode", "WAF_BLOCK")], true, rejected, Some("forbidden"));
    check(&[("status", "401"), ("responseType", "UNAUTHORIZED")], true, rejected, Some("unauthenticated"));
    check(&[("status", "429"), ("responseType", "THROTTLED")], true, rejected, Some("too-many-requests"));
    check(&[("status", "429"), ("responseType", "QUOTA_EXCEEDED")], true, rejected, Some("too-many-requests"));
    check(&[("status", "413"), ("responseType", "REQUEST_TOO_LARGE")], true, rejected, Some("content-too-large"));
    check(&[("status", "414")], true, rejected, Some("uri-too-long"));
    check(&[("status", "400"), ("responseType", "DEFAULT_4XX")], true, rejected, Some("invalid-request"));
    check(&[("status", "500"), ("authorizerError", "boom")], false, "request.failed", Some("internal-error"));
    let failed = "request.failed";
    check(&[("status", "502"), ("integrationStatus", "200")], false, failed, Some("internal-error"));
    check(&[("status", "504"), ("integrationLatency", "29000")], false, failed, Some("outcome-unknown"));
    check(&[("status", "504"), ("integrationErrorMessage", "timed out")], false, failed, Some("outcome-unknown"));
    check(&[("status", "503"), ("integrationRequestId", "6d9c")], false, failed, Some("unavailable"));
    check(&[("status", "201"), ("integrationRequestId", "6d9c")], false, failed, Some("internal-error"));
    check(&[("status", "404"), ("integrationStatus", "200")], false, failed, Some("not-found"));
    check(&[("status", "200")], false, "request.read", None);
    check(&[("status", "204"), ("httpMethod", "OPTIONS")], false, "request.read", None);
}

#[test]
fn columns_come_from_the_line() {
    let event = event(&[
        ("status", "429"),
        ("apiKeyId", "k1"),
        ("responseLatency", "12"),
        ("responseLength", "96"),
        ("xrayTraceId", "1-5759e988-bd862e3fe1be46a994272793"),
        ("errorMessage", "Limit Exceeded"),
        ("responseType", "QUOTA_EXCEEDED"),
    ]);
    assert_eq!(event.received_at, Timestamp::from_micros(NOON * 1_000));
    assert_eq!(event.request_id, "5b1a1a5c-7c4e-4b40-8a2e-0c6f2e9b7a11");
    assert_eq!((event.actor_type.as_str(), event.api_key_id.as_deref()), ("api_key", Some("k1")));
    assert_eq!((event.duration_ms, event.response_bytes), (12.0, Some(96)));
    assert_eq!(event.trace_id.as_deref(), Some("5759e988bd862e3fe1be46a994272793"));
    assert_eq!(event.error_detail.as_deref(), Some("QUOTA_EXCEEDED: Limit Exceeded"));
    assert_eq!((event.path.as_str(), event.route.as_deref(), event.tenant.as_str()), ("/data", None, "default"));
    assert_eq!((event.ingest_path.as_str(), event.environment.as_str()), ("gateway", "production"));
    assert!(event.hash_holds());
    let read = Event::from_line(&event.to_line()).unwrap();
    assert!(read.hash_holds());
}

#[test]
fn path_route_and_method() {
    let path = |domain: &str, stage: &str, path: &str| {
        event(&[("status", "403"), ("domainName", domain), ("stage", stage), ("path", path)]).path
    };
    let own = "abc.execute-api.eu-central-1.amazonaws.com";
    assert_eq!(path(own, "live", "/live/tasks/%2e%2e"), "/tasks/%2e%2e");
    assert_eq!(path(own, "live", "/live"), "/");
    assert_eq!(path(own, "live", "/lively"), "/lively");
    assert_eq!(path(own, "$default", "/live/x"), "/live/x");
    assert_eq!(path("api.example.com", "live", "/live/x"), "/live/x");
    let route = |key: &str| event(&[("status", "403"), ("routeKey", key)]).route;
    assert_eq!(route("/tasks/{id}").as_deref(), Some("/tasks/{id}"));
    assert_eq!(route("POST /data").as_deref(), Some("/data"));
    assert_eq!((route("/{proxy+}"), route("ANY /{proxy+}"), route("$default")), (None, None, None));
    assert_eq!(event(&[("status", "403"), ("httpMethod", "BREW")]).method, "_OTHER");
}

#[test]
fn one_request_is_one_event_and_two_are_two() {
    let id = |more: &[(&str, &str)]| event(more).event_id;
    let one = id(&[("status", "403")]);
    assert_eq!(id(&[("status", "403")]), one);
    assert_ne!(
        id(&[("status", "403"), ("extendedRequestId", "other=")]),
        one,
        "a client may repeat its own request id"
    );
    assert_ne!(id(&[("status", "403"), ("requestId", "other")]), one);
    assert_ne!(id(&[("status", "403"), ("requestTimeEpoch", "1795167026124")]), one);
    let uuid = uuid::Uuid::from_bytes(*one.as_bytes());
    assert_eq!((uuid.get_version_num(), one.as_u128() >> 80), (7, NOON as u128));
}

#[test]
fn a_line_that_says_too_little_is_refused() {
    #[track_caller]
    fn check(line: &str, reason: &str) {
        let error = Line::parse(line.as_bytes()).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let with = |name: &str, value: &str| render(Frontend::Rest, &request(&[("status", "403"), (name, value)]), true);
    check("", "no line of the access log");
    check("[]", "no line of the access log");
    check("{}", "requestId: missing");
    check(r#"{"requestId":{"a":1}}"#, "no line of the access log");
    check(&with("status", "-"), "status: missing");
    check(&with("status", "99"), "status: expected");
    check(&with("status", "OK"), "status: expected");
    check(&with("requestTimeEpoch", "-"), "requestTimeEpoch: missing");
    check(&with("requestTimeEpoch", "-5"), "requestTimeEpoch: expected");
    check(&with("requestTimeEpoch", "9999999999999999"), "requestTimeEpoch: expected");
    check(&with("requestTimeEpoch", "yesterday"), "requestTimeEpoch: expected");
}

#[test]
fn times_in_seconds_numbers_and_unknown_fields_are_taken() {
    let line =
        r#"{"later":{"a":[1]},"requestId":"a","requestTimeEpoch":1795167026,"status":403,"apiKeyId":null,"ip":""}"#;
    let event = Line::parse(line.as_bytes()).unwrap().to_event(&source(), &redactor());
    assert_eq!((event.received_at.to_string().as_str(), event.status), ("2026-11-20T09:30:26.000000Z", 403));
    assert_eq!((event.api_key_id, event.client_ip), (None, None));
}

#[test]
fn secrets_are_masked() {
    let masked = redactor().mask("AKIAIOSFODNN7EXAMPLE");
    let event = event(&[
        ("status", "403"),
        ("path", "/live/a/AKIAIOSFODNN7EXAMPLE"),
        ("userAgent", "x AKIAIOSFODNN7EXAMPLE"),
        ("errorMessage", "no such key: AKIAIOSFODNN7EXAMPLE"),
    ]);
    assert!(!String::from_utf8(event.to_line()).unwrap().contains("AKIAIOSFODNN7EXAMPLE"));
    assert_eq!((event.path, event.user_agent), (format!("/a/{masked}"), Some(format!("x {masked}"))));
}

/// Whatever a client sends, and whether or not the gateway escapes it: the request is in the log, once, as what it was.
fn check_hostile(path: &str, user_agent: &str, frontend: Frontend, escaped: bool) {
    let more = [("status", "403"), ("path", path), ("userAgent", user_agent)];
    let line = render(frontend, &request(&more), escaped).replace('\n', " ");
    let line = Line::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
    let event = line.to_event(&source(), &redactor());
    let expect = self::event(&[("status", "403")]);
    assert_eq!((event.event_id, &event.request_id), (expect.event_id, &expect.request_id));
    assert_eq!((event.status, line.is_refusal()), (403, true));
    assert_eq!((event.client_ip, event.received_at), (expect.client_ip, expect.received_at));
    let line = event_line(&line);
    assert!(!line.contains(&b'\n'));
    assert!(Event::from_line(&line).is_ok());
}

fn event_line(line: &Line) -> Vec<u8> {
    line.to_event(&source(), &redactor()).to_line()
}

#[test]
fn a_client_cannot_word_itself_into_another_request() {
    let forged = [
        r#"","requestId":"forged","status":"200"#,
        r#"x","userAgent":"y","status":"200"#,
        r#"x"}"#,
        r#"x"} {"requestId":"forged","requestTimeEpoch":"1","status":"200"#,
        r#"","later":"field"#,
        "\\",
        "\\\"",
        "\u{0}\u{1b}[31m\u{2028}\r",
        "a\nb",
        r#"{"extendedRequestId":"forged"#,
        r#"","integrationStatus":"200"#,
    ];
    for path in forged {
        for user_agent in forged {
            for escaped in [true, false] {
                check_hostile(path, user_agent, Frontend::Rest, escaped);
                check_hostile(path, user_agent, Frontend::Http, escaped);
            }
        }
    }
}

proptest! {
    #[test]
    fn hostile_text_changes_nothing_else(path in odd_text(), user_agent in odd_text(), escaped: bool) {
        check_hostile(&path, &user_agent, Frontend::Rest, escaped);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..900_usize) {
        let mut line = render(Frontend::Rest, &request(&[("status", "403")]), true).into_bytes();
        line.truncate(cut);
        line.extend(&bytes);
        for line in [&line, &bytes] {
            if let Ok(line) = Line::parse(line) {
                prop_assert!(Event::from_line(&event_line(&line)).is_ok());
            }
        }
    }
}

#[test]
fn a_line_that_breaks_off_in_a_client_s_words_is_still_the_request() {
    let line = render(Frontend::Rest, &request(&[("status", "403")]), true);
    let (path, worded) = (line.find("\"path\"").unwrap(), line.find("\"integrationErrorMessage\"").unwrap());
    let broken = Line::parse(&line.as_bytes()[..path + 12]).unwrap();
    assert_eq!(broken.event_id(), event(&[("status", "403")]).event_id);
    assert!(Line::parse(&line.as_bytes()[..worded - 5]).is_err());
}
