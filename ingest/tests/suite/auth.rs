//! API keys and tenants.

use ingest::Settings;
use ingest::http::auth::ApiKey;

use crate::problems::problem;
use crate::rig::{Req, json, with_api};

fn settings() -> Settings {
    let key = |id: &str, tenant: &str| -> ApiKey {
        format!("{id}:{tenant}:{}", event::sha256_hex(format!("secret-{id}").as_bytes())).parse().unwrap()
    };
    Settings { api_keys: vec![key("k1", "red"), key("k2", "blue"), key("k3", "red")], ..Settings::default() }
}

fn by(key: &str, request: Req) -> Req {
    request.h("x-api-key", format!("secret-{key}"))
}

#[test]
fn without_a_known_key_nothing_is_open_but_health() {
    with_api(&settings(), async |rig| {
        for request in
            [Req::get("/tasks"), Req::get("/tasks").h("x-api-key", "no"), Req::get("/tasks").h("x-api-key", b"\xff")]
        {
            let response = rig.expect(401, request).await;
            problem(&response, "unauthenticated");
            assert!(response.header("www-authenticate").is_some());
            let event = rig.last_event().await;
            assert_eq!((event.tenant.as_str(), event.actor_type.as_str()), ("default", "anonymous"));
        }
        rig.expect(200, Req::get("/health")).await;
        rig.expect(204, Req::new("OPTIONS", "/tasks")).await;
    });
}

#[test]
fn who_is_not_let_in_leaves_no_body_behind() {
    with_api(&settings(), async |rig| {
        let (small, large) = (r#"{"task":"t"}"#.to_owned(), format!(r#"{{"task":"{}"}}"#, "x".repeat(100_000)));
        for body in [small, large] {
            rig.expect(401, Req::post("/tasks", &body)).await;
            let event = rig.last_event().await;
            assert_eq!((event.request_body, event.request_body_ref), (None, None));
            assert_eq!((event.request_body_encoding.as_str(), event.request_bytes), ("omitted", body.len() as i64));
            assert_eq!(event.request_body_sha256, Some(event::sha256_hex(body.as_bytes())));
            let aside = event::key::body(event.received_at, event.event_id);
            assert_eq!(rig.backend.store().read_aside(&aside).await.unwrap(), None);
        }
        rig.expect(401, Req::get("/tasks")).await;
        assert_eq!(rig.last_event().await.request_body_encoding, "none");
    });
}

#[test]
fn the_log_names_the_key_but_never_holds_it() {
    with_api(&settings(), async |rig| {
        rig.expect(200, by("k2", Req::get("/tasks"))).await;
        let event = rig.last_event().await;
        assert_eq!((event.tenant.as_str(), event.actor_type.as_str()), ("blue", "api_key"));
        assert_eq!((event.actor_id.as_deref(), event.api_key_id.as_deref()), (Some("k2"), Some("k2")));
        rig.expect(401, Req::get("/tasks").h("x-api-key", "wrong-secret")).await;
        for event in rig.backend.log().await {
            assert!(!String::from_utf8(event.to_line()).unwrap().contains("secret"));
        }
    });
}

#[test]
fn another_tenant_s_things_are_as_absent_as_absent_ones() {
    with_api(&settings(), async |rig| {
        let made = rig.expect(201, by("k1", Req::post("/tasks", r#"{"task":"a"}"#))).await;
        let task = json(&made)["id"].as_str().unwrap().to_owned();
        let sent = rig.expect(201, by("k1", Req::post("/data", r#"{"user_id":"u","message":"m"}"#))).await;
        let data = json(&sent)["id"].as_str().unwrap().to_owned();
        let absent = "019aa0c5-6f8b-7000-8000-00000000dead";
        let shape = |text: &str, id: &str| text.replace(id, "ID");
        for (id, target) in [
            (&task, "/tasks/ID"),
            (&task, "/tasks/ID?version=1"),
            (&task, "/tasks/ID?as_of=2099-01-01T00:00:00Z"),
            (&task, "/tasks/ID/history"),
            (&data, "/data/ID"),
        ] {
            rig.expect(200, by("k3", Req::get(&target.replace("ID", id)))).await;
            let foreign = rig.expect(404, by("k2", Req::get(&target.replace("ID", id)))).await;
            let missing = rig.expect(404, by("k2", Req::get(&target.replace("ID", absent)))).await;
            let body = |response: &ingest::http::Response, id: &str| {
                let request_id = response.header("x-request-id").unwrap().to_owned();
                shape(&shape(&String::from_utf8_lossy(response.body()), &request_id), id)
            };
            assert_eq!(body(&foreign, id), body(&missing, absent));
        }
        let path = format!("/tasks/{task}");
        rig.expect(404, by("k2", Req::put(&path, r#"{"task":"stolen"}"#).h("if-match", "\"1\""))).await;
        rig.expect(404, by("k2", Req::delete(&path))).await;
        let lists = [("/tasks", 1), ("/data?user_id=u", 1)];
        for (list, count) in lists {
            assert_eq!(json(&rig.expect(200, by("k3", Req::get(list))).await)["count"], count);
            assert_eq!(json(&rig.expect(200, by("k2", Req::get(list))).await)["count"], 0);
        }
        assert_eq!(json(&rig.expect(200, by("k1", Req::get(&path))).await)["task"], "a");
    });
}

#[test]
fn idempotency_keys_and_page_tokens_belong_to_who_made_them() {
    with_api(&settings(), async |rig| {
        for n in 0..3 {
            rig.expect(201, by("k1", Req::post("/tasks", &format!(r#"{{"task":"{n}"}}"#)))).await;
        }
        let page = json(&rig.expect(200, by("k1", Req::get("/tasks?limit=1"))).await);
        let next = format!("/tasks?limit=1&next={}", page["next"].as_str().unwrap());
        rig.expect(200, by("k3", Req::get(&next))).await;
        rig.expect(400, by("k2", Req::get(&next))).await;
        let create = Req::post("/tasks", r#"{"task":"once"}"#).h("idempotency-key", "key");
        let mut ids = std::collections::HashSet::new();
        for key in ["k1", "k2", "k3"] {
            ids.insert(json(&rig.expect(201, by(key, create.clone())).await)["id"].to_string());
        }
        assert_eq!(ids.len(), 3, "another actor's key is another key");
    });
}
