//! A user's whole life, its address that nobody else has, and every body that makes none.

use ingest::Settings;
use ingest::http::auth::ApiKey;
use serde_json::{Value, json as value};

use crate::problems::problem;
use crate::rig::{Req, Rig, json, on_both, verify_log, with_api};

const ANN: &str = r#"{"userId":"ann","email":"Ann@Example.org","name":"Ann Lee"}"#;

const DAY: i64 = 24 * 60 * 60;

fn body(id: &str, email: &str) -> String {
    value!({"userId": id, "email": email, "name": "N"}).to_string()
}

async fn make(rig: &Rig, id: &str, email: &str) {
    rig.expect(201, Req::post("/users", &body(id, email))).await;
}

#[test]
fn create_read_update_delete() {
    with_api(&Settings::default(), async |rig| {
        let made = rig.expect(201, Req::post("/users", ANN)).await;
        assert_eq!((made.header("location"), made.header("etag")), (Some("/users/ann"), Some("\"1\"")));
        let time = 1_795_167_026;
        let expect = value!({"userId": "ann", "email": "ann@example.org", "name": "Ann Lee",
            "created_at": time, "updated_at": time, "expires_at": time + 90 * DAY, "version": 1});
        assert_eq!(json(&made), value!({"id": "ann", "user": expect}));
        let event = rig.last_event().await;
        assert_eq!((event.event_type.as_str(), event.user_id.as_deref()), ("user.created", Some("ann")));
        assert_eq!((event.entity_type.as_deref(), event.entity_id.as_deref()), (Some("user"), Some("ann")));

        assert_eq!(json(&rig.expect(200, Req::get("/users/ann")).await), expect);
        rig.expect(304, Req::get("/users/ann").h("if-none-match", "\"1\"")).await;
        rig.expect(412, Req::put("/users/ann", r#"{"name":"x"}"#).h("if-match", "\"7\"")).await;
        let done =
            rig.expect(200, Req::put("/users/ann", r#"{"name":"Ann Kim"}"#).h("if-match", "\"1\"").later(5)).await;
        let expect = value!({"userId": "ann", "email": "ann@example.org", "name": "Ann Kim",
            "created_at": time, "updated_at": time + 5, "expires_at": time + 5 + 90 * DAY, "version": 2});
        assert_eq!(json(&done), value!({"message": "User updated successfully", "user": expect}));
        assert_eq!(rig.last_event().await.event_type, "user.updated");

        let gone = rig.expect(200, Req::delete("/users/ann")).await;
        assert_eq!(json(&gone), value!({"message": "User deleted successfully", "id": "ann"}));
        assert_eq!(rig.last_event().await.event_type, "user.deleted");
        for request in [Req::get("/users/ann"), Req::put("/users/ann", r#"{"name":"x"}"#), Req::delete("/users/ann")] {
            let found = problem(&rig.expect(404, request).await, "not-found");
            assert_eq!(found["message"], "User not found");
        }
        assert_eq!(json(&rig.expect(200, Req::get("/users")).await)["count"], 0);
    });
}

#[test]
fn the_same_again_is_answered_with_what_is_there() {
    with_api(&Settings::default(), async |rig| {
        let made = json(&rig.expect(201, Req::post("/users", ANN)).await);
        let shouted = ANN.replace("Ann@Example.org", "ANN@EXAMPLE.ORG");
        for again in [ANN, &shouted] {
            let found = rig.expect(200, Req::post("/users", again).later(60)).await;
            assert_eq!((json(&found), found.header("etag")), (made.clone(), Some("\"1\"")));
            let event = rig.last_event().await;
            assert_eq!((event.event_type.as_str(), event.entity_version), ("request.read", Some(1)));
        }
        for other in [ANN.replace("Ann Lee", "Eve"), ANN.replace("Ann@", "eve@")] {
            problem(&rig.expect(409, Req::post("/users", &other)).await, "conflict");
            assert_eq!(rig.last_event().await.event_type, "request.rejected");
        }
        rig.expect(200, Req::put("/users/ann", r#"{"name":"Ann Kim"}"#)).await;
        rig.expect(409, Req::post("/users", ANN)).await;
        rig.expect(200, Req::post("/users", &ANN.replace("Lee", "Kim"))).await;
    });
}

#[test]
fn an_idempotency_key_answers_as_at_first() {
    with_api(&Settings::default(), async |rig| {
        let create = || Req::post("/users", ANN).h("idempotency-key", "k");
        let made = json(&rig.expect(201, create()).await);
        rig.expect(200, Req::put("/users/ann", r#"{"name":"Ann Kim"}"#)).await;
        let again = rig.expect(201, create()).await;
        assert_eq!((json(&again), again.header("idempotency-replayed")), (made, Some("true")));
    });
}

#[test]
fn an_address_is_one_users_until_it_is_given_up() {
    with_api(&Settings::default(), async |rig| {
        let taken = async |request: Req| {
            let found = problem(&rig.expect(409, request).await, "conflict");
            assert_eq!(
                (&found["errors"][0]["pointer"], &found["errors"][0]["code"]),
                (&value!("/email"), &value!("taken"))
            );
            assert_eq!(rig.last_event().await.event_type, "request.rejected");
        };
        let who = async |email: &str| {
            let found = json(&rig.expect(200, Req::get(&format!("/users?email={email}"))).await);
            let users = found["items"].as_array().unwrap().clone();
            users.iter().map(|user| user["userId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        make(rig, "ann", "a@x.org").await;
        taken(Req::post("/users", &body("eve", "A@X.org"))).await;
        make(rig, "eve", "e@x.org").await;
        taken(Req::put("/users/eve", r#"{"email":"a@X.ORG"}"#)).await;
        assert_eq!((who("A@x.org").await, who("e@x.org").await), (vec!["ann".to_owned()], vec!["eve".to_owned()]));
        rig.expect(200, Req::put("/users/ann", r#"{"email":"b@x.org"}"#)).await;
        assert!(who("a@x.org").await.is_empty());
        rig.expect(200, Req::put("/users/eve", r#"{"email":"a@x.org"}"#)).await;
        rig.expect(200, Req::delete("/users/eve")).await;
        assert!(who("a@x.org").await.is_empty());
        make(rig, "max", "a@x.org").await;
        assert_eq!(who("a@x.org").await, ["max"]);
        taken(Req::post("/users", &body("eve", "a@x.org"))).await;
        rig.expect(400, Req::get("/users?email=nobody")).await;
        rig.expect(400, Req::get("/users?email=")).await;
        rig.expect(400, Req::get("/users?email=a@x.org&email=a@x.org")).await;
    });
}

#[test]
fn of_many_at_once_one_has_the_address() {
    on_both(async |backend| {
        let rig = Rig::new(backend, Settings::default());
        let send = async |requests: Vec<Req>| {
            let sent = requests.into_iter().map(|request| {
                let api = rig.api.clone();
                tokio::spawn(async move { api.handle(request.received()).await.status() })
            });
            let mut statuses = Vec::new();
            for answer in sent.collect::<Vec<_>>() {
                statuses.push(answer.await.unwrap());
            }
            statuses.sort_unstable();
            statuses
        };
        let made = send((0..32).map(|n| Req::post("/users", &body(&format!("u{n}"), "a@x.org"))).collect()).await;
        assert_eq!((made[0], made.iter().filter(|status| **status == 409).count()), (201, 31));
        let same = send((0..32).map(|_| Req::post("/users", &body("same", "s@x.org"))).collect()).await;
        assert_eq!((same.iter().filter(|status| **status == 200).count(), same[31]), (31, 201));
        let log = rig.backend.log().await;
        verify_log(&log);
        assert_eq!(log.iter().filter(|event| event.event_type == "user.created").count(), 2);
        assert_eq!(log.len(), 64);
    });
}

#[test]
fn one_who_was_removed_can_be_made_again() {
    with_api(&Settings::default(), async |rig| {
        make(rig, "ann", "a@x.org").await;
        rig.expect(200, Req::delete("/users/ann").later(60)).await;
        let made = json(&rig.expect(201, Req::post("/users", ANN).later(120)).await);
        let expect = (&value!(3), &value!(1_795_167_026 + 120));
        assert_eq!((&made["user"]["version"], &made["user"]["created_at"]), expect);
        assert_eq!(made["user"].get("deleted_at"), None);
        for (moment, status) in [
            ("version=1", 200),
            ("version=2", 404),
            ("version=3", 200),
            ("as_of=2026-11-20T09:31:00Z", 200),
            ("as_of=2026-11-20T09:32:00Z", 404),
            ("as_of=2026-11-20T09:33:00Z", 200),
            ("as_of=2026-11-20T09:00:00Z", 404),
        ] {
            rig.expect(status, Req::get(&format!("/users/ann?{moment}"))).await;
        }
        let history = json(&rig.expect(200, Req::get("/users/ann/history")).await);
        let items = history["items"].as_array().unwrap();
        let operations: Vec<_> = items.iter().map(|item| item["operation"].as_str().unwrap()).collect();
        assert_eq!((operations, &history["complete"]), (vec!["create", "delete", "create"], &value!(true)));
        let changed = |field: &str, from: Value, to: Value| value!({"field": field, "from": from, "to": to});
        assert!(items[2]["changes"].as_array().unwrap().contains(&changed(
            "email",
            "a@x.org".into(),
            "ann@example.org".into()
        )));
        rig.expect(404, Req::get("/users/nobody/history")).await;
    });
}

#[test]
fn pages_are_by_creation() {
    with_api(&Settings::default(), async |rig| {
        for (n, id) in ["m", "b", "z", "a", "y"].iter().enumerate() {
            rig.expect(201, Req::post("/users", &body(id, &format!("{n}@x.org"))).later(n as i64 / 2)).await;
        }
        let (mut target, mut walked) = ("/users?limit=2".to_owned(), Vec::new());
        loop {
            let response = rig.expect(200, Req::get(&target)).await;
            let page = json(&response);
            walked.extend(
                page["items"].as_array().unwrap().iter().map(|user| user["userId"].as_str().unwrap().to_owned()),
            );
            let Some(link) = response.header("link") else { break };
            target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        }
        assert_eq!(walked, ["y", "z", "a", "m", "b"]);
        let token = json(&rig.expect(200, Req::get("/users?limit=2")).await)["next"].as_str().unwrap().to_owned();
        rig.expect(400, Req::get(&format!("/tasks?next={token}"))).await;
        rig.expect(400, Req::get(&format!("/users?email=0@x.org&next={token}"))).await;
    });
}

#[test]
fn tenants_share_nothing() {
    let key = |name: &str, tenant: &str| -> ApiKey {
        format!("{name}:{tenant}:{}", event::sha256_hex(name.as_bytes())).parse().unwrap()
    };
    let keys = vec![key("one", "red"), key("two", "blue")];
    with_api(&Settings { api_keys: keys, ..Settings::default() }, async |rig| {
        let red = |request: Req| request.h("x-api-key", "one");
        let blue = |request: Req| request.h("x-api-key", "two");
        rig.expect(201, red(Req::post("/users", ANN))).await;
        rig.expect(404, blue(Req::get("/users/ann"))).await;
        rig.expect(404, blue(Req::get("/users/ann/history"))).await;
        rig.expect(404, blue(Req::delete("/users/ann"))).await;
        assert_eq!(json(&rig.expect(200, blue(Req::get("/users?email=ann@example.org"))).await)["count"], 0);
        rig.expect(201, blue(Req::post("/users", &ANN.replace("Lee", "Kim")))).await;
        assert_eq!(json(&rig.expect(200, red(Req::get("/users/ann"))).await)["name"], "Ann Lee");
    });
}

/// A body, and the fields that it is refused for.
type Case = (Vec<u8>, &'static [(&'static str, &'static str)]);

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Bodies that make no user.
fn creations() -> Vec<Case> {
    let with = |field: &str, value: Value| {
        let mut body = value!({"userId": "bob", "email": "b@x.org", "name": "Bob"});
        body[field] = value;
        body.to_string().into_bytes()
    };
    let long = |length: usize| Value::from("a".repeat(length));
    vec![
        (text(""), &[("", "malformed")]),
        (text("{"), &[("", "malformed")]),
        (text("null"), &[("", "invalid_type")]),
        (text("[]"), &[("", "invalid_type")]),
        (text("{}"), &[("/userId", "missing"), ("/email", "missing"), ("/name", "missing")]),
        (text(r#"{"userId":"bob","email":"b@x.org"}"#), &[("/name", "missing")]),
        (with("userId", Value::Null), &[("/userId", "invalid_type")]),
        (with("email", Value::Null), &[("/email", "invalid_type")]),
        (with("name", Value::Null), &[("/name", "invalid_type")]),
        (with("userId", value!(7)), &[("/userId", "invalid_type")]),
        (with("email", value!(["b@x.org"])), &[("/email", "invalid_type")]),
        (with("name", value!({})), &[("/name", "invalid_type")]),
        (with("userId", value!("")), &[("/userId", "invalid_value")]),
        (with("email", value!("")), &[("/email", "invalid_value")]),
        (with("name", value!("  ")), &[("/name", "invalid_value")]),
        (with("userId", long(129)), &[("/userId", "too_long")]),
        (with("name", long(257)), &[("/name", "too_long")]),
        (with("email", long(255)), &[("/email", "too_long")]),
        (with("userId", value!("a/b")), &[("/userId", "invalid_value")]),
        (with("userId", value!("..")), &[("/userId", "invalid_value")]),
        (with("userId", value!("é")), &[("/userId", "invalid_value")]),
        (with("userId", value!("a\0")), &[("/userId", "invalid_value")]),
        (with("email", value!("nobody")), &[("/email", "invalid_value")]),
        (with("email", value!("a\0@x.org")), &[("/email", "invalid_value")]),
        (with("name", value!("a\0b")), &[("/name", "invalid_value")]),
        (with("name", value!("a\u{1b}[31m")), &[("/name", "invalid_value")]),
        (with("version", value!(9)), &[("/version", "unknown")]),
        (with("a/b~", value!(9)), &[("/a~1b~0", "unknown")]),
        (text(r#"{"userId":"bob","userId":"eve","email":"b@x.org","name":"Bob"}"#), &[("/userId", "duplicate")]),
        (text(r#"{"userId":"bob","email":"b@x.org","name":"\ud800"}"#), &[("", "malformed")]),
        (b"{\"userId\":\"bob\",\"email\":\"b@x.org\",\"name\":\"\xff\"}".to_vec(), &[("", "malformed")]),
        (b"{\"userId\":\"bob\",\"email\":\"b@x.org\",\"name\":\"a\0b\"}".to_vec(), &[("", "malformed")]),
    ]
}

/// Bodies that change none.
fn updates() -> Vec<Case> {
    vec![
        (text("{}"), &[("", "missing")]),
        (text(r#"{"userId":"eve"}"#), &[("", "missing"), ("/userId", "unknown")]),
        (text(r#"{"email":null}"#), &[("/email", "invalid_type")]),
        (text(r#"{"email":"x"}"#), &[("/email", "invalid_value")]),
        (text(r#"{"name":"a","name":"b"}"#), &[("/name", "duplicate")]),
        (text(r#"{"name":"a","created_at":1}"#), &[("/created_at", "unknown")]),
    ]
}

#[test]
fn bodies_that_are_refused() {
    with_api(&Settings::default(), async |rig| {
        make(rig, "ann", "a@x.org").await;
        let posts = creations().into_iter().map(|(body, expect)| (Req::new("POST", "/users").body(body), expect));
        let puts = updates().into_iter().map(|(body, expect)| (Req::new("PUT", "/users/ann").body(body), expect));
        for (request, expect) in posts.chain(puts) {
            let found = problem(&rig.expect(400, request.clone()).await, "invalid-request");
            let errors = found["errors"].as_array().unwrap();
            let named: Vec<(&str, &str)> = errors
                .iter()
                .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
                .collect();
            assert_eq!(named, expect, "{request:?}");
            let event = rig.last_event().await;
            assert_eq!((event.event_type.as_str(), event.entity_version), ("request.rejected", None));
        }
        for path in ["/users/%00", "/users/a%20b", "/users/%ff", "/users/a%2Fb", &format!("/users/{}", "a".repeat(129))]
        {
            rig.expect(404, Req::get(path)).await;
        }
        rig.expect(415, Req::post("/users", ANN).h("content-type", "text/plain")).await;
        assert_eq!(json(&rig.expect(200, Req::get("/users")).await)["count"], 1);
    });
}
