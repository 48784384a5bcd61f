//! Users and assets whose end has come: the server, the log and the store agree, though nothing was written at the end.

use std::fs;
use std::sync::Arc;

use event::redact::{Redactor, Rules};
use event::{EventIds, Timestamp};
use ingest::assets::memory::MemoryAssets;
use ingest::http::auth::Credentials;
use ingest::http::cursor::Cursors;
use ingest::http::{Received, ReceivedBody};
use ingest::store::sqlite::SqliteStore;
use ingest::{Api, Parts, Settings, System};
use serde_json::{Value, json};

use crate::support::{Place, Server, daybook};

const A_HUNDRED_DAYS_AGO: System = System { now: || days_ago(100), ..System::real() };
const EIGHTY_DAYS_AGO: System = System { now: || days_ago(80), ..System::real() };

fn days_ago(days: i64) -> Timestamp {
    Timestamp::from_micros((System::real().now)().micros() - days * Timestamp::DAY)
}

fn user(id: &str, email: &str) -> String {
    json!({"userId": id, "email": email, "name": id}).to_string()
}

/// Sends requests as clients of another day did, and expects that each is carried out.
fn send(place: &Place, system: System, requests: &[(&str, &str, String)]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Arc::new(SqliteStore::open(&place.data(), [7; 4]).unwrap());
        let api = Api::new(Parts {
            settings: Settings::default(),
            redactor: Redactor::new([7; 32], Rules::default()).unwrap(),
            cursors: Cursors::new([9; 32]),
            ids: EventIds::default(),
            system,
            store: Arc::clone(&store) as _,
            sink: store,
            assets: Arc::new(MemoryAssets::default()),
            queries: None,
            credentials: Credentials::default(),
        });
        for (method, path, body) in requests {
            let received = Received {
                arrival: api.arrival(),
                method: (*method).to_owned(),
                mount: String::new(),
                path: (*path).to_owned(),
                query: None,
                headers: http::HeaderMap::new(),
                body: ReceivedBody::Whole(body.clone().into()),
                client_ip: None,
                protocol: None,
                request_id: None,
                invocation_id: None,
                cold_start: None,
                vouched: None,
            };
            let answer = api.handle(received).await;
            assert!(answer.status() < 300, "{method} {path}: {}", String::from_utf8_lossy(answer.body()));
        }
    });
}

/// Ann, who has ended, Bob, who was changed since, and a cat that has ended; all of the same days.
fn of_long_ago() -> Place {
    let place = Place::new();
    Server::start(&place.data(), &[]).terminate();
    let cat = json!({"assetId": "cat", "fileName": "cat.png", "contentType": "image/png"}).to_string();
    send(
        &place,
        A_HUNDRED_DAYS_AGO,
        &[
            ("POST", "/users", user("ann", "ann@x.org")),
            ("POST", "/users", user("bob", "bob@x.org")),
            ("POST", "/assets", cat),
        ],
    );
    send(&place, EIGHTY_DAYS_AGO, &[("PUT", "/users/bob", json!({"name": "Bob"}).to_string())]);
    place
}

fn replayed(place: &Place) -> Value {
    serde_json::from_str(&daybook(&place.data(), &["replay", "--json"]).done()).unwrap()
}

#[test]
fn the_log_and_the_store_agree_on_what_has_ended() {
    let place = of_long_ago();
    daybook(&place.data(), &["verify"]).done();
    let server = Server::start(&place.data(), &["--relay-every", "20ms"]);
    let mut client = server.client();
    client.get("/users/ann").expect(404);
    client.get("/assets/cat").expect(404);
    assert_eq!(client.get("/users/bob").expect(200).json()["version"], 2);
    assert_eq!(client.get("/users").expect(200).json()["count"], 1);
    client.post("/users", &user("eve", "bob@x.org")).expect(409);
    client.post("/users", &user("eve", "ann@x.org")).expect(201);
    client.post("/users", &user("ann", "ann@x.org")).expect(409);
    assert_eq!(client.post("/users", &user("ann", "a@x.org")).expect(201).json()["user"]["version"], 2);
    server.terminate();
    for _ in 0..2 {
        daybook(&place.data(), &["verify"]).done();
        let report = replayed(&place);
        assert_eq!((&report["changes"], &report["offender"]), (&json!(6), &Value::Null), "{report}");
        assert_eq!(report["present"], json!({"equal": 4, "missing": 0, "surplus": 0, "different": 0, "first": null}));
        let show = |args: &[&str]| daybook(&place.data(), &[&["show"], args].concat());
        assert_eq!(show(&["user", "ann"]).json()["email"], "a@x.org");
        assert_eq!(show(&["user", "ann", "--version", "1"]).json()["email"], "ann@x.org");
        show(&["user", "ann", "--as-of", "now - 5d"]).refuses("was not there then");
        assert_eq!(show(&["user", "ann", "--as-of", "now - 95d"]).json()["email"], "ann@x.org");
        show(&["asset", "cat"]).refuses("has expired; daybook history asset cat");
        daybook(&place.data(), &["compact"]).done();
    }
}

#[test]
fn the_raw_log_alone_says_who_has_ended() {
    let place = of_long_ago();
    let server = Server::start(&place.data(), &["--relay-every", "20ms"]);
    server.client().post("/users", &user("eve", "ann@x.org")).expect(201);
    server.terminate();
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.lock", "installation.key"] {
        let _ = fs::remove_file(place.data().join(name));
    }
    daybook(&place.data(), &["replay", "--swap"]).done();
    daybook(&place.data(), &["verify"]).done();
    let server = Server::start(&place.data(), &[]);
    let mut client = server.client();
    client.get("/users/ann").expect(404);
    let found = client.get("/users?email=ann@x.org").expect(200).json();
    assert_eq!((&found["count"], &found["items"][0]["userId"]), (&json!(1), &json!("eve")));
    assert_eq!(client.post("/users", &user("ann", "a@x.org")).expect(201).json()["user"]["version"], 2);
    server.terminate();
    daybook(&place.data(), &["verify"]).done();
}

#[test]
fn the_settings_are_the_server_s() {
    let place = Place::new();
    let server = Server::start(&place.data(), &["--user-expiry-days", "0", "--asset-expiry-days", "7"]);
    let mut client = server.client();
    assert_eq!(client.post("/users", &user("ann", "ann@x.org")).expect(201).json()["user"].get("expires_at"), None);
    let cat = json!({"assetId": "cat", "fileName": "cat.png", "contentType": "image/png"}).to_string();
    let asset = client.post("/assets", &cat).expect(201).json()["asset"].clone();
    let lifetime = asset["expires_at"].as_i64().unwrap() - asset["created_at"].as_i64().unwrap();
    assert_eq!(lifetime, 7 * 24 * 60 * 60);
    server.terminate();
    daybook(&place.data(), &["serve", "--user-expiry-days", "soon"]).is_misused("--user-expiry-days");
}
