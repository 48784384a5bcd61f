//! Submissions: kept as they came, found by their id, and nothing else is.

use ingest::Settings;
use serde_json::json as value;

use crate::rig::{Req, json, with_api};

#[test]
fn a_submission_is_its_request() {
    with_api(&Settings::default(), async |rig| {
        let body = r#"{ "user_id":"1234", "message":"New record submission", "n":123456789012345678901234567890,"x":{"URL":1,"Url":2} }"#;
        let made = rig.expect(201, Req::post("/data", body)).await;
        let answer = json(&made);
        let id = answer["id"].as_str().unwrap();
        assert_eq!(answer, value!({"status": "success", "timestamp": "2026-11-20T09:30:26Z", "id": id}));
        let event = rig.last_event().await;
        assert_eq!((event.event_type.as_str(), event.event_id.to_string().as_str()), ("data.submitted", id));
        assert_eq!((event.request_body.as_deref(), event.user_id.as_deref()), (Some(body), Some("1234")));
        assert_eq!((event.state_after, event.state_hash, event.event_data), (None, None, None));
        let shown = rig.expect(200, Req::get(&format!("/data/{id}"))).await;
        assert!(String::from_utf8_lossy(shown.body()).contains("123456789012345678901234567890"));
        rig.expect(200, Req::get(&format!("/data/{}", id.to_uppercase()))).await;
        rig.expect(304, Req::get(&format!("/data/{id}")).h("if-none-match", "\"1\"")).await;
        let list = json(&rig.expect(200, Req::get("/data?user_id=1234")).await);
        assert_eq!((&list["count"], &list["items"][0]["id"]), (&value!(1), &value!(id)));
    });
}

/// Every request has an event with an id; only a submission's is the id of a submission.
#[test]
fn no_other_request_is_a_submission() {
    with_api(&Settings::default(), async |rig| {
        let good = r#"{"user_id":"u","message":"m"}"#;
        let made = rig.expect(201, Req::post("/data", good).h("idempotency-key", "k")).await;
        let others = [
            (400, Req::post("/data", r#"{"user_id":"u"}"#)),
            (200, Req::get("/data?user_id=u")),
            (200, Req::get(made.header("location").unwrap())),
            (201, Req::post("/data", good).h("idempotency-key", "k")),
            (201, Req::post("/tasks", r#"{"task":"a"}"#)),
            (404, Req::get("/nothing")),
        ];
        for (status, request) in others {
            let event_id = rig.expect(status, request).await.event_id().unwrap();
            rig.expect(404, Req::get(&format!("/data/{event_id}"))).await;
        }
        assert_eq!(json(&rig.expect(200, Req::get("/data?user_id=u")).await)["count"], 1);
    });
}

#[test]
fn who_a_submission_speaks_for() {
    with_api(&Settings::default(), async |rig| {
        for (body, user) in [
            (r#"{"user_id":"a","message":"m"}"#, "a"),
            (r#"{"userId":"b","message":"m"}"#, "b"),
            (r#"{"user_id":"c","userId":"x","message":"m"}"#, "c"),
            (r#"{"user_id":"d","userId":7,"message":"m"}"#, "d"),
            (r#"{"user_id":"é\u2028","message":"m","userId":{"a":[]}}"#, "é\u{2028}"),
        ] {
            rig.expect(201, Req::post("/data", body)).await;
            assert_eq!(rig.last_event().await.user_id.as_deref(), Some(user));
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("user_id", user).finish();
            assert_eq!(json(&rig.expect(200, Req::get(&format!("/data?{query}"))).await)["count"], 1, "{body}");
        }
    });
}
