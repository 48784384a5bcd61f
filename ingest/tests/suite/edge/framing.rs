//! Requests that could be read in two ways, and bytes that are none: refused, recorded, and the connection is closed.

use event::Event;

use crate::rig::run;
use crate::server::{GOOD, post, start};

/// A request's bytes, and what its event says: method, path, error.
struct Case {
    bytes: Vec<u8>,
    status: u16,
    method: &'static str,
    path: &'static str,
    reason: &'static str,
}

fn case(bytes: impl AsRef<[u8]>, method: &'static str, path: &'static str, reason: &'static str) -> Case {
    Case { bytes: bytes.as_ref().to_vec(), status: 400, method, path, reason }
}

/// `POST /data` with these fields in its head.
fn fields(fields: &str, reason: &'static str) -> Case {
    let bytes = format!("POST /data HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{GOOD}");
    case(bytes, "POST", "/data", reason)
}

fn cases() -> Vec<Case> {
    let long = "GET /".to_owned() + &"a".repeat(30_000);
    let large = format!("HEAD /data HTTP/1.1\r\nHost: x\r\nx: {}", "a".repeat(30_000));
    let mut cases = vec![
        fields("Content-Length: 29\r\nContent-Length: 5", "differ"),
        fields("Content-Length: 29\r\nTransfer-Encoding: chunked", "exclude each other"),
        fields("Transfer-Encoding: chunked\r\nContent-Length: 29", "exclude each other"),
        fields("Transfer-Encoding: gzip", "nothing but chunked"),
        fields("Transfer-Encoding: chunked, gzip", "nothing but chunked"),
        fields("Content-Length: -1", "number of bytes"),
        fields("Content-Length: +29", "number of bytes"),
        fields("Content-Length: 99999999999999999999", "number of bytes"),
        fields("X: a\r\n b", "blank"),
        fields("X : a", "token"),
        fields("X: a\0b", "control"),
        fields("X: a\nY: b", "bare"),
        fields("Host: y", "two Host"),
        case("GET /tasks?token=secret HTTP/1.1\r\n\r\n", "GET", "/tasks", "no Host"),
        case("GET /tasks HTTP/1.1\nHost: x\n\n", "GET", "/tasks", "bare"),
        case("GET /tasks\r\n", "GET", "/tasks", "first line"),
        case("GET /tasks HTTP/2.0\r\nHost: x\r\n\r\n", "GET", "/tasks", "version"),
        case("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "_OTHER", "*", "version"),
        case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "_OTHER", "", "begin with a method"),
        case(b"\0\xff\xfe\r\n\r\n", "_OTHER", "", "begin with a method"),
        case("hello\r\n\r\n", "_OTHER", "", "first line"),
        case("\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "_OTHER", "", "begin with a method"),
        case("GET /tas", "GET", "/tas", "before it was whole"),
        case("\r\n\r\nPUT /x HTTP/1.1\r\nHost: x\r\n", "PUT", "/x", "before it was whole"),
    ];
    cases.push(Case { status: 414, path: "/", ..case(long, "GET", "", "first line") });
    cases.push(Case { status: 431, ..case(large, "HEAD", "/data", "head is larger") });
    cases
}

#[track_caller]
fn check(case: &Case, answer: &str, event: &Event) {
    let sent = case.bytes.escape_ascii().to_string();
    assert!(answer.starts_with(&format!("HTTP/1.1 {} ", case.status)), "{sent:.300}: {answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.contains(&format!("daybook-event-id: {}\r\n", event.event_id)), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/problem+json"), "{answer}");
    assert_eq!(body.is_empty(), case.method == "HEAD", "{answer}");
    assert_eq!((event.status, event.event_type.as_str()), (i32::from(case.status), "request.rejected"));
    assert_eq!(event.method, case.method, "{sent:.300}");
    let path = if case.status == 414 { &event.path[..1] } else { &event.path };
    assert_eq!(path, case.path, "{sent:.300}");
    let detail = event.error_detail.as_deref().unwrap_or_default();
    assert!(detail.contains(case.reason), "{sent:.300}: {detail}");
    assert_eq!(event.client_ip.as_deref(), Some("127.0.0.1"));
    assert!(!event.to_line().windows(6).any(|bytes| bytes == b"secret"), "{sent}");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_and_recorded() {
    run(async {
        let server = start().await;
        for (index, case) in cases().iter().enumerate() {
            let answer = server.exchange(&case.bytes).await;
            let log = server.events(index + 1).await;
            check(case, &answer, &log[index]);
        }
        server.end().await;
    });
}

#[test]
fn a_later_head_is_looked_at_as_the_first_one_was() {
    run(async {
        let server = start().await;
        let (mut sent, mut expected) = (0, Vec::new());
        let chunked = format!(
            "POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x};a=b\r\n{GOOD}\r\n0\r\nx: y\r\n\r\n",
            GOOD.len()
        );
        for case in cases() {
            // Behind a body of either framing and behind an empty line, all in one piece.
            let pipelined = [post(GOOD).as_bytes(), chunked.as_bytes(), b"\r\n", &case.bytes].concat();
            let answer = server.exchange(&pipelined).await;
            let statuses: Vec<&str> = answer.matches("HTTP/1.1 201 ").collect();
            assert_eq!(statuses.len(), 2, "{answer}");
            let last = &answer[answer.rfind("HTTP/1.1 4").unwrap()..];
            sent += 3;
            let log = server.events(sent).await;
            // A bare line feed among the empty lines is where this one begins to be wrong.
            check(&case, last, &log[sent - 1]);
            expected.extend([201, 201, i32::from(case.status)]);
        }
        let log = server.events(sent).await;
        assert_eq!(log.iter().map(|event| event.status).collect::<Vec<_>>(), expected);
        server.end().await;
    });
}

#[test]
fn what_is_smuggled_behind_a_refused_head_is_no_request() {
    run(async {
        let server = start().await;
        let inner = "DELETE /tasks/1 HTTP/1.1\r\nHost: x\r\n\r\n";
        let outer = format!(
            "POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
            inner.len() + 5
        );
        let answer = server.exchange(outer.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        let log = server.events(1).await;
        assert_eq!((log[0].method.as_str(), log[0].status), ("POST", 400));
        server.end().await;
    });
}

#[test]
fn nothing_is_no_request() {
    run(async {
        let server = start().await;
        for nothing in ["", "\r\n", "\r\n\r\n\r\n", "\r"] {
            assert_eq!(server.exchange(nothing.as_bytes()).await, "");
        }
        assert!(server.exchange(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
        server.events(1).await;
        server.end().await;
    });
}

#[test]
fn a_refused_head_keeps_no_secret_and_says_who_it_can() {
    run(async {
        let server = start().await;
        let bytes = "GET /tasks?access_token=hunter2 HTTP/1.1\r\nHost: x\r\nUser-Agent: curl\r\nAuthorization: Basic hunter2\r\n\
                     Cookie: a=hunter2\r\nX Y: hunter2\r\n\r\n";
        server.exchange(bytes.as_bytes()).await;
        let event = &server.events(1).await[0];
        assert_eq!((event.user_agent.as_deref(), event.route.as_deref()), (Some("curl"), Some("/tasks")));
        let line = String::from_utf8(event.to_line()).unwrap();
        assert!(line.contains("access_token") && !line.contains("hunter2"), "{line}");
        server.end().await;
    });
}
