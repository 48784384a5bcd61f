//! Every route, asked by everybody: who may, who may not, and what another tenant learns, which is nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::sha256_hex;
use http::Method;
use ingest::Settings;
use ingest::api::Ask;
use ingest::http::Answer;
use ingest::http::Response;
use ingest::http::auth::Scope;
use ingest::http::route::Route;
use serde_json::json as value;

use crate::problems::problem;
use crate::rig::{Req, Rig, json, on_both};

/// Who asks, by the key that they send.
const OWNER: &str = "owner";
const OTHER: &str = "other";
const READER: &str = "reader";
const WRITER: &str = "writer";
const EXPIRED: &str = "expired";
/// An id of each kind that nothing has.
const ABSENT: &str = "019aa0c5-6f8b-7000-8000-00000000dead";

fn settings() -> Settings {
    let key = |id: &str, tenant: &str, more: &str| {
        format!("{id}:{tenant}:{}{more}", sha256_hex(format!("secret-{id}").as_bytes())).parse().unwrap()
    };
    let api_keys = vec![
        key(OWNER, "red", ""),
        key(OTHER, "blue", ":admin"),
        key(READER, "red", ":read"),
        key(WRITER, "red", ":write:2099-01-01T00:00:00Z"),
        key(EXPIRED, "red", ":admin:2020-01-01T00:00:00Z"),
    ];
    Settings { api_keys, ..Settings::default() }
}

/// What the owner has made, for one asker.
struct Things {
    task: String,
    data: String,
    user: String,
    asset: String,
}

/// How a route is asked, and what an owner gets.
struct Case {
    /// With the id of a thing that is there in the place of `ID`, or without one.
    request: Req,
    /// The same for a thing that nobody has.
    absent: Option<Req>,
    status: u16,
}

/// One case for each route. A new route has none yet: say here what it is asked, or nothing compiles.
fn case(route: Route, things: &Things, n: usize) -> Case {
    let plain = |request: Req, status| Case { request, absent: None, status };
    let about = |request: &dyn Fn(&str) -> Req, id: &str, status| {
        let absent = if *id == things.user { "nobody" } else { ABSENT };
        Case { request: request(id), absent: Some(request(absent)), status }
    };
    let get = |prefix: &'static str, suffix: &'static str| move |id: &str| Req::get(&format!("{prefix}/{id}{suffix}"));
    let (put, delete) = (
        |prefix: &'static str, body: &'static str| move |id: &str| Req::put(&format!("{prefix}/{id}"), body),
        |prefix: &'static str| move |id: &str| Req::delete(&format!("{prefix}/{id}")),
    );
    match route {
        Route::SubmitData => plain(Req::post("/data", r#"{"user_id":"u","message":"m"}"#), 201),
        Route::ListData => plain(Req::get("/data?user_id=u"), 200),
        Route::GetData => about(&get("/data", ""), &things.data, 200),
        Route::CreateTask => plain(Req::post("/tasks", r#"{"task":"t"}"#), 201),
        Route::ListTasks => plain(Req::get("/tasks"), 200),
        Route::GetTask => about(&get("/tasks", ""), &things.task, 200),
        Route::TaskHistory => about(&get("/tasks", "/history"), &things.task, 200),
        Route::UpdateTask => about(&put("/tasks", r#"{"task":"changed"}"#), &things.task, 200),
        Route::DeleteTask => about(&delete("/tasks"), &things.task, 200),
        Route::CreateUser => {
            plain(Req::post("/users", &format!(r#"{{"userId":"new-{n}","email":"new{n}@x.org","name":"N"}}"#)), 201)
        }
        Route::ListUsers => plain(Req::get("/users"), 200),
        Route::GetUser => about(&get("/users", ""), &things.user, 200),
        Route::UserHistory => about(&get("/users", "/history"), &things.user, 200),
        Route::UpdateUser => about(&put("/users", r#"{"name":"changed"}"#), &things.user, 200),
        Route::DeleteUser => about(&delete("/users"), &things.user, 200),
        Route::CreateAsset => {
            plain(Req::post("/assets", &format!(r#"{{"assetId":"new-{n}","fileName":"f","contentType":"a/b"}}"#)), 201)
        }
        Route::ListAssets => plain(Req::get("/assets"), 200),
        Route::GetAsset => about(&get("/assets", ""), &things.asset, 200),
        Route::AssetHistory => about(&get("/assets", "/history"), &things.asset, 200),
        // Its content is still to come.
        Route::DownloadAsset => about(&get("/assets", "/download"), &things.asset, 409),
        Route::DeleteAsset => about(&delete("/assets"), &things.asset, 200),
        Route::UploadContent | Route::ReadContent => panic!("for who has a signed URL: contents.rs"),
        Route::Random => plain(Req::get("/random"), 200),
        Route::ListQueries => plain(Req::get("/queries"), 200),
        Route::RunQuery => plain(Req::get("/queries/traffic"), 200),
        Route::Health => plain(Req::get("/health"), 200),
        Route::OpenApi => plain(Req::get("/openapi.json"), 200),
        Route::Docs => plain(Req::get("/docs"), 200),
    }
}

fn by(key: &str, request: Req) -> Req {
    request.h("x-api-key", format!("secret-{key}"))
}

/// Makes what a case is about, anew for each asker: some of them remove it.
async fn things(rig: &Rig, n: usize) -> Things {
    let id = |response: Response| json(&response)["id"].as_str().unwrap().to_owned();
    let user = format!("u{n}");
    let made = format!(r#"{{"userId":"{user}","email":"{user}@x.org","name":"N"}}"#);
    rig.expect(201, by(OWNER, Req::post("/users", &made))).await;
    Things {
        task: id(rig.expect(201, by(OWNER, Req::post("/tasks", r#"{"task":"t"}"#))).await),
        data: id(rig.expect(201, by(OWNER, Req::post("/data", r#"{"user_id":"u","message":"m"}"#))).await),
        asset: id(rig.expect(201, by(OWNER, Req::post("/assets", r#"{"fileName":"f","contentType":"a/b"}"#))).await),
        user,
    }
}

/// The body, without what differs between any two answers.
fn shape(response: &Response, ids: &[&str]) -> String {
    let request_id = response.header("x-request-id").unwrap();
    let body = String::from_utf8_lossy(response.body()).replace(request_id, "REQUEST");
    ids.iter().fold(body, |body, id| body.replace(id, "ID"))
}

/// Answers every question with the tenant that it is asked for: as the name of a query, or of the one asked.
fn queries() -> ingest::api::QueryFn {
    let answer = |ask: Ask| match ask.name {
        None => {
            let query = value!({"name": ask.tenant, "question": "", "grain": "", "params": []});
            Answer::json(200, &value!({"items": [query], "count": 1}))
        }
        Some(_) => {
            let found = value!({"query": ask.tenant, "columns": [], "rows": [], "count": 0, "truncated": false,
                "bytes_read": 0, "elapsed_ms": 0.0});
            Answer::json(200, &found).with("daybook-bytes-read", "0").with("daybook-elapsed-ms", "0.0")
        }
    };
    Arc::new(move |ask| Box::pin(async move { Ok(answer(ask)) }))
}

async fn check(rig: &Rig, route: Route) {
    let mut n = 0;
    for who in [Some(OWNER), Some(READER), Some(WRITER), Some(OTHER), Some(EXPIRED), None] {
        n += 1;
        let things = things(rig, n).await;
        let Case { request, absent, status } = case(route, &things, n);
        let scope = match who {
            Some(OWNER | OTHER) => Scope::Admin,
            Some(WRITER) => Scope::Write,
            _ => Scope::Read,
        };
        let let_in = !matches!(who, Some(EXPIRED) | None);
        let sent = |request: Req| who.map_or(request.clone(), |who| by(who, request));
        let expect = match route.scope() {
            None => status,
            Some(_) if !let_in => 401,
            Some(needed) if scope < needed => 403,
            Some(_) if who == Some(OTHER) && absent.is_some() => 404,
            Some(_) => status,
        };
        let answer = rig.expect(expect, sent(request)).await;
        let event = rig.last_event().await;
        match expect {
            401 => _ = problem(&answer, "unauthenticated"),
            403 => _ = problem(&answer, "insufficient-scope"),
            _ => {}
        }
        if matches!(expect, 401 | 403) {
            assert!(answer.header("www-authenticate").is_some() && event.event_type == "request.rejected");
        }
        // Whose key it was is known as long as it is theirs; an expired one opens nothing, and still is its owner's.
        assert_eq!(event.api_key_id.as_deref(), who, "{route:?}");
        let actor = if let_in { ("api_key", who) } else { ("anonymous", None) };
        assert_eq!((event.actor_type.as_str(), event.actor_id.as_deref()), actor, "{route:?} {who:?}");
        let tenant = if who == Some(OTHER) {
            "blue"
        } else if who.is_some() {
            "red"
        } else {
            "default"
        };
        assert_eq!(event.tenant, tenant, "{route:?} {who:?}");
        if let (Some(OTHER), Some(absent)) = (who, absent) {
            let missing = rig.expect(404, sent(absent)).await;
            let ids = [things.task.as_str(), &things.data, &things.user, &things.asset, ABSENT, "nobody"];
            assert_eq!(shape(&answer, &ids), shape(&missing, &ids), "{route:?}");
            let names = |answer: &Response| answer.headers().iter().map(|(name, _)| *name).collect::<BTreeSet<_>>();
            assert_eq!(names(&answer), names(&missing), "{route:?}");
        } else if who == Some(OTHER) && route.scope() == Some(Scope::Read) && json(&answer)["count"].is_number() {
            assert_eq!(json(&answer)["count"], 0, "{route:?} shows another tenant's");
        } else if route.scope() == Some(Scope::Admin) && expect == 200 {
            let told = json(&answer);
            let about = if told["query"].is_string() { &told["query"] } else { &told["items"][0]["name"] };
            assert_eq!(about, tenant, "a query is about its caller's tenant");
        }
    }
}

#[test]
fn every_route_is_open_to_those_it_is_for_and_to_nobody_else() {
    for route in Route::ALL.iter().filter(|route| !route.is_local()) {
        on_both(async |backend| {
            let rig = Rig::asking(backend, settings(), queries());
            check(&rig, *route).await;
            rig.verify().await;
        });
    }
}

/// What a scope reaches follows from the route's method; a route that is to be different says so in `Route::scope`.
#[test]
fn scopes_follow_the_method() {
    for route in Route::ALL {
        let (method, template) = route.parts();
        let expect = match Method::from_bytes(method.as_bytes()).unwrap() {
            _ if ["/health", "/openapi.json", "/docs"].contains(&template) || route.is_local() => None,
            _ if template.starts_with("/queries") => Some(Scope::Admin),
            method if method.is_safe() => Some(Scope::Read),
            _ => Some(Scope::Write),
        };
        assert_eq!(route.scope(), expect, "{method} {template}");
    }
}

#[test]
fn head_is_a_read_and_the_rest_of_a_path_is_refused_as_ever() {
    on_both(async |backend| {
        let rig = Rig::new(backend, settings());
        rig.expect(200, by(READER, Req::new("HEAD", "/tasks"))).await;
        rig.expect(404, by(READER, Req::get("/nothing"))).await;
        rig.expect(405, by(READER, Req::new("PATCH", "/tasks"))).await;
        rig.expect(204, Req::new("OPTIONS", "/tasks")).await;
        // A key without the scope leaves no idempotency key behind.
        let once = Req::post("/tasks", r#"{"task":"t"}"#).h("idempotency-key", "k");
        rig.expect(403, by(READER, once.clone())).await;
        rig.expect(201, by(WRITER, once)).await;
    });
}
