//! What clients may keep: nothing by default; with the setting, what cannot mislead them.

use ingest::Settings;
use ingest::http::auth::{ApiKey, ClaimRules, Claims};
use ingest::http::{Response, Vouched};

use crate::rig::{Backend, Req, Rig, run, with_api};

const TASK: &str = r#"{"task":"a"}"#;

fn caching(response: &Response) -> (Option<&str>, Option<&str>) {
    (response.header("cache-control"), response.header("vary"))
}

#[test]
fn nothing_by_default() {
    with_api(&Settings::default(), async |rig| {
        let task = format!("/tasks/{}", rig.task("a").await);
        for path in ["/openapi.json", "/docs", "/random?seed=1", "/health", "/tasks", &task] {
            let response = rig.expect(200, Req::get(path)).await;
            assert_eq!(caching(&response), (Some("no-store"), None), "{path}");
        }
    });
}

#[test]
fn with_the_setting_what_cannot_mislead() {
    run(async {
        let settings = Settings { client_caching: true, ..Settings::default() };
        for backend in [Backend::memory(), Backend::sqlite()] {
            let rig = Rig::new(backend, settings.clone());
            let send = async |request: Req| rig.api.handle(request.received()).await;
            let made = send(Req::post("/tasks", TASK)).await;
            let task = made.header("location").unwrap().to_owned();
            let data = send(Req::post("/data", r#"{"user_id":"u","message":"m"}"#)).await;
            let data = data.header("location").unwrap().to_owned();
            let at = format!("{task}?version=1");
            let anew = (Some("private, no-cache"), Some("Accept, Authorization, X-Api-Key"));
            for path in ["/openapi.json", "/docs", &task, &at, &data] {
                for method in ["GET", "HEAD"] {
                    let response = send(Req::new(method, path)).await;
                    assert_eq!((response.status(), caching(&response)), (200, anew), "{method} {path}");
                    let tag = response.header("etag").unwrap();
                    let known = send(Req::new(method, path).h("if-none-match", tag)).await;
                    assert_eq!(
                        (known.status(), caching(&known), known.header("etag")),
                        (304, anew, Some(tag)),
                        "{path}"
                    );
                }
            }
            let day = (Some("private, max-age=86400"), anew.1);
            assert_eq!(caching(&send(Req::get("/random?seed=7")).await), day);
            assert_eq!(caching(&send(Req::get("/random?seed=7").h("accept", "text/plain")).await), day);
            let never = (Some("no-store"), None);
            let history = format!("{task}/history");
            for path in
                ["/random", "/random?seed=x", "/health", "/tasks", &history, "/tasks/x", "/nothing", "/data?user_id=u"]
            {
                assert_eq!(caching(&send(Req::get(path)).await), never, "{path}");
            }
            let changes =
                [Req::post("/tasks", TASK), Req::put(&task, TASK), Req::put(&task, TASK).h("if-match", "\"9\"")];
            for request in changes.into_iter().chain([Req::delete(&task), Req::new("OPTIONS", &task)]) {
                assert_eq!(caching(&send(request.clone()).await), never, "{request:?}");
            }
            rig.verify().await;
        }
    });
}

/// Both have a user `ann` at version 1: what one of them keeps must not be shown to the other.
#[test]
fn keys_of_two_tenants_do_not_share() {
    let key = |tenant: &str| {
        let sha256 = event::sha256_hex(tenant.as_bytes());
        format!("{tenant}:{tenant}:{sha256}").parse::<ApiKey>().unwrap()
    };
    let settings = Settings { client_caching: true, api_keys: vec![key("a"), key("b")], ..Settings::default() };
    run(async {
        let rig = Rig::new(Backend::memory(), settings);
        for tenant in ["a", "b"] {
            let body = format!(r#"{{"userId":"ann","email":"ann@{tenant}.example","name":"Ann"}}"#);
            let request = Req::post("/users", &body).h("x-api-key", tenant);
            assert_eq!(rig.api.handle(request.received()).await.status(), 201);
        }
        let read = Req::get("/users/ann").h("x-api-key", "a").received();
        let vary = rig.api.handle(read).await.header("vary").map(str::to_ascii_lowercase);
        assert!(vary.is_some_and(|vary| vary.contains("x-api-key") && vary.contains("authorization")));
    });
}

#[test]
fn whom_a_gateway_knows_by_another_header_keeps_nothing() {
    run(async {
        let claims = ClaimRules { tenant: Some("red".to_owned()), ..ClaimRules::default() };
        let rig = Rig::new(Backend::memory(), Settings { client_caching: true, claims, ..Settings::default() });
        let ann: Claims = serde_json::from_value(serde_json::json!({"sub": "ann"})).unwrap();
        let by = |vouched: Vouched| Req::get("/random?seed=7").vouched(vouched);
        let send = async |request: Req| rig.api.handle(request.received()).await;
        for vouched in [Vouched::Custom(ann.clone()), Vouched::Claims(ann.clone()), Vouched::Iam("arn".to_owned())] {
            assert_eq!(caching(&send(by(vouched)).await), (Some("no-store"), None));
        }
        let known = send(by(Vouched::Claims(ann)).h("authorization", "Bearer x")).await;
        assert_eq!(caching(&known).0, Some("private, max-age=86400"));
    });
}
