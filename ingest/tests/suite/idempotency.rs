//! The same request twice has one effect and one answer.

use std::sync::Arc;

use ingest::Settings;

use crate::failing::{Faulty, Mode};
use crate::problems::problem;
use crate::rig::{Req, Rig, json, on_both, with_api};

fn create(task: &str) -> Req {
    Req::post("/tasks", &format!(r#"{{"task":"{task}"}}"#)).h("idempotency-key", "key-1")
}

#[test]
fn repeated_with_the_same_content_it_is_replayed() {
    with_api(&Settings::default(), async |rig| {
        let first = rig.expect(201, create("a")).await;
        assert_eq!(first.header("idempotency-replayed"), None);
        assert_eq!(rig.last_event().await.idempotency_outcome.as_deref(), Some("first"));
        for key in ["key-1", "\"key-1\""] {
            let again = rig.expect(201, Req::post("/tasks", r#"{"task":"a"}"#).h("idempotency-key", key)).await;
            assert_eq!((again.body(), again.header("idempotency-replayed")), (first.body(), Some("true")));
            for name in ["etag", "location", "content-type"] {
                assert_eq!(again.header(name), first.header(name));
            }
            let event = rig.last_event().await;
            assert_eq!((event.event_type.as_str(), event.entity_version), ("request.replayed", None));
            assert_eq!(event.idempotency_outcome.as_deref(), Some("replayed"));
        }
        assert_eq!(json(&rig.expect(200, Req::get("/tasks")).await)["count"], 1);
    });
}

#[test]
fn on_every_method_that_changes_something() {
    with_api(&Settings::default(), async |rig| {
        let path = format!("/tasks/{}", rig.task("a").await);
        let with_key = |request: Req| request.h("idempotency-key", "k");
        for (status, request) in [
            (201, Req::post("/data", r#"{"user_id":"u","message":"m"}"#)),
            (200, Req::put(&path, r#"{"task":"b"}"#)),
            (200, Req::delete(&path)),
        ] {
            let first = rig.expect(status, with_key(request.clone())).await;
            let again = rig.expect(status, with_key(request)).await;
            assert_eq!((again.body(), again.header("idempotency-replayed")), (first.body(), Some("true")));
        }
        assert_eq!(json(&rig.expect(200, Req::get("/data?user_id=u")).await)["count"], 1);
        rig.expect(200, with_key(Req::get("/tasks"))).await;
    });
}

#[test]
fn with_other_content_it_is_refused() {
    with_api(&Settings::default(), async |rig| {
        rig.expect(201, create("a")).await;
        problem(&rig.expect(422, create("b")).await, "idempotency-key-reused");
        assert_eq!(rig.last_event().await.idempotency_outcome.as_deref(), Some("mismatch"));
        rig.expect(201, Req::post("/tasks", r#"{"task":"b"}"#).h("idempotency-key", "key-2")).await;
        let (a, b) = (rig.task("x").await, rig.task("y").await);
        let put = |id: &str| Req::put(&format!("/tasks/{id}"), r#"{"task":"z"}"#).h("idempotency-key", "k");
        rig.expect(200, put(&a)).await;
        rig.expect(422, put(&b)).await;
    });
}

#[test]
fn a_refused_request_does_not_use_its_key_up() {
    with_api(&Settings::default(), async |rig| {
        rig.expect(400, create("")).await;
        rig.expect(201, create("a")).await;
    });
}

#[test]
fn a_missing_key_never_makes_two_requests_equal() {
    with_api(&Settings::default(), async |rig| {
        assert_ne!(rig.task("a").await, rig.task("a").await);
    });
}

#[test]
fn after_a_day_the_key_is_free() {
    with_api(&Settings::default(), async |rig| {
        let day = 24 * 60 * 60;
        rig.expect(201, create("a")).await;
        rig.expect(422, create("b").later(day - 1)).await;
        rig.expect(201, create("b").later(day)).await;
        assert_eq!(json(&rig.expect(200, Req::get("/tasks")).await)["count"], 2);
        rig.expect(422, create("a").later(day + 1)).await;
    });
}

#[test]
fn while_the_first_is_not_finished_the_second_is_refused() {
    on_both(async |backend| {
        let faulty = Faulty::before(&backend);
        let rig = Rig::on(backend, faulty.clone(), faulty.clone(), Settings::default());
        faulty.set(Mode::AppendWaits);
        let first = tokio::spawn({
            let api = Arc::clone(&rig.api);
            async move { api.handle(create("a").received()).await.status() }
        });
        faulty.waiting().await;
        let second = rig.api.handle(create("a").received()).await;
        problem(&second, "idempotency-key-in-flight");
        assert_eq!((second.status(), second.header("retry-after")), (409, Some("1")));
        faulty.go_on();
        assert_eq!(first.await.unwrap(), 201);
        let log = rig.backend.log().await;
        assert_eq!(log.len(), 2);
        assert_eq!(log[0].idempotency_outcome.as_deref(), Some("in_flight"));
        assert_eq!(rig.api.handle(create("a").received()).await.header("idempotency-replayed"), Some("true"));
        rig.verify().await;
    });
}
