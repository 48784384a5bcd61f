//! Sizes: each limit at its boundary.

use bytes::Bytes;
use ingest::Settings;
use ingest::http::ReceivedBody;

use crate::problems::problem;
use crate::rig::{Req, json, with_api};

fn submission(message: usize) -> String {
    format!(r#"{{"user_id":"u","message":"{}"}}"#, "x".repeat(message))
}

/// A submission of exactly so many bytes.
fn sized(bytes: usize) -> String {
    submission(bytes - submission(0).len())
}

#[test]
fn a_body_over_64_kib_is_set_aside() {
    with_api(&Settings::default(), async |rig| {
        for (size, aside) in [(65_536, false), (65_537, true)] {
            let body = sized(size);
            let made = rig.expect(201, Req::post("/data", &body)).await;
            let event = rig.last_event().await;
            assert_eq!(event.request_bytes, size as i64);
            assert_eq!(event.request_body_sha256, Some(event::sha256_hex(body.as_bytes())));
            assert_eq!(event.request_body_encoding, if aside { "ref" } else { "json" });
            assert_eq!(event.request_body.is_none(), aside);
            assert_eq!(event.user_id.as_deref(), Some("u"));
            if let Some(key) = &event.request_body_ref {
                let kept = rig.backend.store().read_aside(key).await.unwrap().unwrap();
                assert_eq!(kept, body.as_bytes());
                if let Some(folder) = rig.backend.folder() {
                    assert_eq!(std::fs::read(folder.join(key)).unwrap(), body.as_bytes());
                }
            }
            let shown = json(&rig.expect(200, Req::get(made.header("location").unwrap())).await);
            assert_eq!(shown["data"], serde_json::from_str::<serde_json::Value>(&body).unwrap());
            assert_eq!(event.request_body_ref.is_some(), aside);
        }
    });
}

#[test]
fn refused_bodies_are_set_aside_too() {
    with_api(&Settings::default(), async |rig| {
        rig.expect(404, Req::post("/nothing", &"x".repeat(70_000))).await;
        let key = rig.last_event().await.request_body_ref.unwrap();
        assert_eq!(rig.backend.store().read_aside(&key).await.unwrap().unwrap().len(), 70_000);
    });
}

#[test]
fn the_largest_body() {
    with_api(&Settings::default(), async |rig| {
        rig.expect(201, Req::post("/data", &sized(4 << 20))).await;
        let over = Req::post("/data", "").received_body(ReceivedBody::TooLarge { size: (4 << 20) + 1 });
        let response = rig.expect(413, over).await;
        problem(&response, "content-too-large");
        let event = rig.last_event().await;
        assert_eq!((event.request_body_encoding.as_str(), event.request_bytes), ("omitted", (4 << 20) + 1));
    });
}

#[test]
fn nesting() {
    with_api(&Settings::default(), async |rig| {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
            Req::post("/data", &format!(r#"{{"user_id":"u","message":"m","x":{open}{close}}}"#))
        };
        rig.expect(201, nested(64)).await;
        for depth in [65, 127, 128, 129, 100_000] {
            let body = problem(&rig.expect(400, nested(depth)).await, "invalid-request");
            assert_eq!(body["errors"][0]["code"], "too_deep");
        }
        rig.expect(400, Req::post("/data", &"[".repeat(1_000_000))).await;
    });
}

#[test]
fn heads() {
    with_api(&Settings::default(), async |rig| {
        rig.expect(404, Req::get(&format!("/{}", "a".repeat(2_047)))).await;
        rig.expect(414, Req::get(&format!("/{}", "é".repeat(2_048)))).await;
        assert!(rig.last_event().await.path.len() <= 2_048);
        rig.expect(200, Req::get(&format!("/tasks?{}", "a".repeat(8_192)))).await;
        rig.expect(414, Req::get(&format!("/tasks?{}", "a".repeat(8_193)))).await;
        rig.expect(200, Req::get("/tasks").h("x", "a".repeat(10_239))).await;
        rig.expect(431, Req::get("/tasks").h("user-agent", "a".repeat(10_239))).await;
        let event = rig.last_event().await;
        assert_eq!((event.request_headers, event.user_agent.map(|agent| agent.len())), (None, Some(1_024)));
    });
}

#[test]
fn many_fields_take_no_time() {
    with_api(&Settings::default(), async |rig| {
        let fields: Vec<String> = (0..200_000).map(|n| format!("\"{n}\":0")).collect();
        let body = format!(r#"{{"user_id":"u","message":"m",{}}}"#, fields.join(","));
        rig.expect(201, Req::post("/data", &body)).await;
        let refused = rig.expect(400, Req::post("/tasks", &body)).await;
        assert!(refused.body().len() < 10_000);
    });
}

#[test]
fn trace_ids_and_request_ids() {
    with_api(&Settings::default(), async |rig| {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        let amazon = "Root=1-5759e988-bd862e3fe1be46a994272793";
        for (headers, expect) in [
            (vec![("traceparent", parent.as_str())], Some(trace)),
            (vec![("x-amzn-trace-id", amazon)], Some("5759e988bd862e3fe1be46a994272793")),
            (vec![("traceparent", parent.as_str()), ("x-amzn-trace-id", amazon)], Some(trace)),
            (vec![("traceparent", "nonsense"), ("x-amzn-trace-id", amazon)], Some("5759e988bd862e3fe1be46a994272793")),
            (vec![("traceparent", "nonsense")], None),
        ] {
            let request =
                headers.into_iter().fold(Req::get("/health"), |request, (name, value)| request.h(name, value));
            rig.expect(200, request).await;
            assert_eq!(rig.last_event().await.trace_id.as_deref(), expect);
        }
        let mut received = Req::get("/health").received();
        received.request_id = Some("from-the-gateway".to_owned());
        received.body = ReceivedBody::Whole(Bytes::from_static(b"x"));
        let response = rig.api.handle(received).await;
        assert_eq!(response.header("x-request-id"), Some("from-the-gateway"));
    });
}
