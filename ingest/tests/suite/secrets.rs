//! A secret is in no event, no state and no answer, wherever in a request it stands.

use ingest::Settings;
use ingest::http::ReceivedBody;

use crate::rig::{Req, with_api};

const SHAPED: &str = "AKIAIOSFODNN7EXAMPLE";
const ID: &str = "/tasks/019aa0c5-6f8b-7000-8000-000000000000";

#[test]
fn nowhere() {
    let long = "x".repeat(70_000);
    let gzip = b"\x1f\x8b\x08hunter2AKIAIOSFODNN7EXAMPLE\xff".as_slice();
    let requests = vec![
        Req::post(
            "/data",
            r#"{"user_id":"u","message":"m","password":"hunter2","a":[{"API-Key":{"x":"hunter2"},"pin":"hunter2"}]}"#,
        ),
        Req::post("/data", &format!(r#"{{"user_id":"u","message":"{SHAPED} {long}","token":"hunter2"}}"#)),
        Req::post("/data", &format!(r#"{{"user_id":"{SHAPED}","message":"m","{SHAPED}":1}}"#)),
        Req::post("/tasks", &format!(r#"{{"task":"use {SHAPED} now"}}"#)),
        Req::post("/tasks", &format!(r#"{{"task":"a","{SHAPED}":1,"secret":"hunter2"}}"#)),
        Req::post("/tasks", r#"{"task":"a","password":"hunter2"#),
        Req::post("/tasks", "password=hunter2").h("content-type", "application/x-www-form-urlencoded"),
        Req::post("/tasks", "a").body(gzip).h("content-encoding", "gzip"),
        Req::post("/tasks", "a").body(gzip),
        Req::post("/tasks", "hunter2").h("content-encoding", "br"),
        Req::get("/tasks?token=hunter2&access_token=hunter2&X-Amz-Signature=hunter2&password=hunter2"),
        Req::get(&format!("/tasks?next={SHAPED}&limit={SHAPED}")),
        Req::get(&format!("/data?user_id={SHAPED}")),
        Req::get(&format!("/tasks/{SHAPED}")),
        Req::get("/tasks/%41KIAIOSFODNN7EXAMPLE"),
        Req::get(&format!("/{SHAPED}/password=hunter2")),
        Req::get(&format!("/queries/{SHAPED}?password=hunter2")),
        Req::delete(ID).h("idempotency-key", SHAPED),
        Req::get("/tasks").h("authorization", "Bearer hunter2").h("cookie", "a=hunter2").h("x-api-key", "hunter2"),
        Req::get("/tasks").h("user-agent", format!("bot password=hunter2 {SHAPED}")),
        Req::get("/tasks").h("user-agent", format!("{}{SHAPED}", "a ".repeat(505))),
        Req::get("/tasks").h("referer", "https://a.example/?code=hunter2#access_token=hunter2"),
        Req::get("/tasks").h("content-type", format!("a/b; token=hunter2 {SHAPED}")),
        Req::get("/tasks").h("host", format!("{SHAPED}.example")),
        Req::get("/tasks").h("x-request-id", SHAPED).h("tracestate", format!("k={SHAPED}")),
        Req::get("/tasks").h("accept", format!("text/{SHAPED}")),
        Req::get(&format!("/{}{SHAPED}", "a/".repeat(1_020))),
        Req::get(&format!("/tasks?a={}{SHAPED}", "a+".repeat(4_085))),
        Req::post("/data", "").received_body(ReceivedBody::TooLarge { size: 9 << 20 }).h("user-agent", SHAPED),
    ];
    with_api(&Settings::default(), async |rig| {
        let hidden = |text: &str, request: &Req| {
            for secret in ["hunter2", "OSFODNN7EXAMPLE", "AKIAIOS"] {
                assert!(!text.contains(secret), "{secret} of {request:.200?} in {text:.2000}");
            }
        };
        for request in &requests {
            let response = rig.send(request.clone()).await;
            let event = rig.last_event().await;
            hidden(&String::from_utf8_lossy(response.body()), request);
            hidden(&String::from_utf8(event.to_line()).unwrap(), request);
            if let Some(key) = &event.request_body_ref {
                let aside = rig.backend.store().read_aside(key).await.unwrap().unwrap();
                hidden(&String::from_utf8(aside).unwrap(), request);
            }
            if let Some(location) = response.header("location") {
                let shown = rig.send(Req::get(location)).await;
                hidden(&String::from_utf8_lossy(shown.body()), request);
                assert!(String::from_utf8_lossy(shown.body()).contains("[redacted:"), "{request:.200?}");
            }
        }
    });
}
