//! A task's whole life, and what it was at every moment of it.

use ingest::Settings;
use serde_json::json as value;

use crate::rig::{Req, json, with_api};

#[test]
fn create_read_update_delete() {
    with_api(&Settings::default(), async |rig| {
        let made = rig.expect(201, Req::post("/tasks", r#"{"task":"write","priority":"high"}"#)).await;
        let body = json(&made);
        let id = body["id"].as_str().unwrap();
        let path = format!("/tasks/{id}");
        assert_eq!((made.header("location"), made.header("etag")), (Some(path.as_str()), Some("\"1\"")));
        let time = 1_795_167_026;
        let expect = value!({"id": id, "task": "write", "status": "new", "priority": "high",
            "created_at": time, "updated_at": time, "version": 1});
        assert_eq!(body["task"], expect);
        assert_eq!(rig.last_event().await.event_type, "task.created");

        assert_eq!(json(&rig.expect(200, Req::get(&path)).await), expect);
        assert_eq!(rig.last_event().await.event_type, "request.read");
        let done = rig.expect(200, Req::put(&path, r#"{"status":"in_progress"}"#).later(5)).await;
        let body = json(&done);
        assert_eq!(body["message"], "Task updated successfully");
        let expect = value!({"id": id, "task": "write", "status": "in_progress", "priority": "high",
            "created_at": time, "updated_at": time + 5, "version": 2});
        assert_eq!((&body["task"], done.header("etag")), (&expect, Some("\"2\"")));

        let gone = json(&rig.expect(200, Req::delete(&path)).await);
        assert_eq!(gone, value!({"message": "Task deleted successfully", "id": id}));
        rig.expect(404, Req::get(&path)).await;
        rig.expect(404, Req::put(&path, r#"{"task":"x"}"#)).await;
        rig.expect(404, Req::delete(&path)).await;
        assert_eq!(json(&rig.expect(200, Req::get("/tasks")).await)["count"], 0);
    });
}

#[test]
fn an_id_has_one_spelling_in_the_log() {
    with_api(&Settings::default(), async |rig| {
        let id = rig.task("a").await;
        let path = format!("/tasks/{}", id.to_uppercase());
        rig.expect(200, Req::get(&path)).await;
        assert_eq!(rig.last_event().await.entity_id.as_deref(), Some(id.as_str()));
        rig.expect(200, Req::put(&path, r#"{"task":"b"}"#)).await;
        assert_eq!(rig.last_event().await.entity_id.as_deref(), Some(id.as_str()));
        rig.expect(200, Req::get(&format!("{path}/history"))).await;
        rig.expect(200, Req::delete(&path)).await;
    });
}

#[test]
fn head_is_get() {
    with_api(&Settings::default(), async |rig| {
        let path = format!("/tasks/{}", rig.task("a").await);
        let head = rig.expect(200, Req::new("HEAD", &path)).await;
        let event = rig.last_event().await;
        assert_eq!((event.method.as_str(), event.route.as_deref()), ("HEAD", Some("/tasks/{id}")));
        assert_eq!(head.header("etag"), Some("\"1\""));
        rig.expect(404, Req::new("HEAD", "/nothing")).await;
    });
}

#[test]
fn every_moment_of_a_life() {
    with_api(&Settings::default(), async |rig| {
        let id = rig.task("a").await;
        let path = format!("/tasks/{id}");
        rig.expect(200, Req::put(&path, r#"{"status":"in_progress"}"#).later(60)).await;
        rig.expect(200, Req::put(&path, r#"{"task":"b"}"#).later(120)).await;
        rig.expect(200, Req::delete(&path).later(180)).await;
        for (moment, expect) in [
            ("version=1", Some(("a", "new"))),
            ("version=2", Some(("a", "in_progress"))),
            ("version=3", Some(("b", "in_progress"))),
            ("version=4", None),
            ("version=5", None),
            ("as_of=2026-11-20T09:30:26.123455Z", None),
            ("as_of=2026-11-20T09:30:26.123456Z", Some(("a", "new"))),
            ("as_of=2026-11-20T09:31:26.2Z", Some(("a", "in_progress"))),
            ("as_of=2026-11-20T09:33:00Z", Some(("b", "in_progress"))),
            ("as_of=2026-11-20T09:34:00Z", None),
            ("as_of=9999-12-31T00:00:00Z", None),
        ] {
            let status = if expect.is_some() { 200 } else { 404 };
            let found = json(&rig.expect(status, Req::get(&format!("{path}?{moment}"))).await);
            if let Some((task, status)) = expect {
                assert_eq!((&found["task"], &found["status"]), (&value!(task), &value!(status)), "{moment}");
            }
        }
        let history = json(&rig.expect(200, Req::get(&format!("{path}/history"))).await);
        let items = history["items"].as_array().unwrap();
        let operations: Vec<_> = items.iter().map(|item| item["operation"].as_str().unwrap()).collect();
        assert_eq!(operations, ["create", "update", "update", "delete"]);
        assert_eq!(items[1]["changes"], value!([{"field": "status", "from": "new", "to": "in_progress"}]));
        assert_eq!(items[2]["changes"], value!([{"field": "task", "from": "a", "to": "b"}]));
        assert_eq!(items[3]["changes"][0]["field"], "deleted_at");
        assert_eq!(items[0]["actor"]["type"], "anonymous");
        assert_eq!((&history["complete"], &history["id"]), (&value!(true), &value!(id)));
    });
}

#[test]
fn a_clock_that_goes_back_does_not_reorder_versions() {
    with_api(&Settings::default(), async |rig| {
        let path = format!("/tasks/{}", rig.task("a").await);
        rig.expect(200, Req::put(&path, r#"{"task":"b"}"#).later(-3_600)).await;
        let now = json(&rig.expect(200, Req::get(&path)).await);
        assert_eq!((&now["task"], &now["version"]), (&value!("b"), &value!(2)));
        let then = json(&rig.expect(200, Req::get(&format!("{path}?as_of=2026-11-20T08:45:00Z"))).await);
        assert_eq!(then["version"], 2);
    });
}
