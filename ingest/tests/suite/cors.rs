//! Cross-origin requests: nothing by default, an exact list otherwise.

use ingest::Settings;
use ingest::http::Response;

use crate::rig::{Req, with_api};

const ORIGIN: &str = "https://app.example";

fn listed() -> Settings {
    Settings { cors_origins: vec![ORIGIN.to_owned()], ..Settings::default() }
}

fn preflight(origin: &str) -> Req {
    Req::new("OPTIONS", "/tasks").h("origin", origin).h("access-control-request-method", "POST")
}

fn allowed(response: &Response) -> Option<&str> {
    response.header("access-control-allow-origin")
}

#[test]
fn off_by_default() {
    with_api(&Settings::default(), async |rig| {
        for request in [preflight(ORIGIN), Req::get("/tasks").h("origin", ORIGIN), Req::get("/no").h("origin", ORIGIN)]
        {
            let response = rig.send(request).await;
            assert_eq!((allowed(&response), response.header("vary")), (None, None));
        }
    });
}

#[test]
fn a_listed_origin_is_answered_errors_included() {
    with_api(&listed(), async |rig| {
        for (status, request) in [
            (200, Req::get("/tasks")),
            (404, Req::get("/nothing")),
            (400, Req::post("/tasks", "{").h("content-type", "application/json")),
            (405, Req::new("PATCH", "/tasks")),
            (415, Req::post("/tasks", "x").h("content-type", "a/b")),
        ] {
            let response = rig.expect(status, request.h("origin", ORIGIN)).await;
            assert_eq!((allowed(&response), response.header("vary")), (Some(ORIGIN), Some("Origin")));
            let exposed = response.header("access-control-expose-headers").unwrap();
            for name in [
                "ETag",
                "Location",
                "Link",
                "Retry-After",
                "X-Request-Id",
                "Daybook-Event-Id",
                "Idempotency-Replayed",
                "RateLimit",
                "RateLimit-Policy",
                "WWW-Authenticate",
            ] {
                assert!(exposed.contains(name), "{name}");
            }
            assert_eq!(response.header("access-control-allow-credentials"), None);
        }
    });
}

#[test]
fn a_preflight_needs_no_key() {
    let key = format!("k:t:{}", "0".repeat(64)).parse().unwrap();
    with_api(&Settings { api_keys: vec![key], ..listed() }, async |rig| {
        let response = rig.expect(204, preflight(ORIGIN)).await;
        assert_eq!(allowed(&response), Some(ORIGIN));
        assert!(response.header("access-control-allow-methods").unwrap().contains("POST"));
        let headers = response.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        for name in ["content-type", "idempotency-key", "if-match", "x-api-key"] {
            assert!(headers.contains(name), "{name}");
        }
        let refused = rig.expect(401, Req::get("/tasks").h("origin", ORIGIN)).await;
        assert_eq!(allowed(&refused), Some(ORIGIN));
    });
}

#[test]
fn other_origins_get_nothing() {
    with_api(&listed(), async |rig| {
        for origin in ["https://app.example.evil", "http://app.example", "https://APP.example", "null", "", "*"] {
            let response = rig.expect(204, preflight(origin)).await;
            assert_eq!((allowed(&response), response.header("access-control-allow-methods")), (None, None), "{origin}");
        }
    });
}
