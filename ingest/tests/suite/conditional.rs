//! `ETag`, `If-Match`, `If-None-Match`.

use ingest::Settings;

use crate::problems::problem;
use crate::rig::{Req, json, with_api};

const UPDATE: &str = r#"{"status":"completed"}"#;

#[test]
fn changes_for_a_version() {
    with_api(&Settings::default(), async |rig| {
        let path = format!("/tasks/{}", rig.task("a").await);
        let put = |tag: &str| Req::put(&path, UPDATE).h("if-match", tag);
        for stale in ["\"2\"", "\"0\"", "\"x\"", "\"\"", "W/\"1\"", "\"01\"", "\"+1\"", "\"2\", \"3\""] {
            let response = rig.expect(412, put(stale)).await;
            problem(&response, "precondition-failed");
            assert_eq!(response.header("etag"), Some("\"1\""), "{stale}");
        }
        assert_eq!(rig.expect(200, put("\"1\"")).await.header("etag"), Some("\"2\""));
        assert_eq!(rig.expect(200, put("\"9\", \"2\"")).await.header("etag"), Some("\"3\""));
        assert_eq!(rig.expect(200, put("*")).await.header("etag"), Some("\"4\""));
        rig.expect(412, Req::delete(&path).h("if-match", "\"3\"")).await;
        rig.expect(200, Req::delete(&path).h("if-match", "\"4\"")).await;
        rig.expect(404, put("\"5\"")).await;
    });
}

#[test]
fn reads_of_what_is_known() {
    with_api(&Settings::default(), async |rig| {
        let path = format!("/tasks/{}", rig.task("a").await);
        let get = |tag: &str| Req::get(&path).h("if-none-match", tag);
        for known in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
            let response = rig.expect(304, get(known)).await;
            assert_eq!((response.header("etag"), response.body().len()), (Some("\"1\""), 0), "{known}");
            assert_eq!(rig.last_event().await.entity_version, Some(1));
        }
        for other in ["\"2\"", "\"01\"", "\"x\""] {
            rig.expect(200, get(other)).await;
        }
        rig.expect(400, get("1")).await;
    });
}

#[test]
fn a_version_can_be_demanded() {
    with_api(&Settings { require_if_match: true, ..Settings::default() }, async |rig| {
        let path = format!("/tasks/{}", rig.task("a").await);
        problem(&rig.expect(428, Req::put(&path, UPDATE)).await, "precondition-required");
        rig.expect(428, Req::delete(&path)).await;
        let done = rig.expect(200, Req::put(&path, UPDATE).h("if-match", "\"1\"")).await;
        assert_eq!(json(&done)["task"]["version"], 2);
    });
}
