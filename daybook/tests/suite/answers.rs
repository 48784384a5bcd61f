//! Questions over HTTP: forms, freshness, tenants.

use std::path::Path;
use std::time::{Duration, Instant};

use event::sha256_hex;
use serde_json::Value;

use crate::support::{Http, Place, Request, Server, daybook, eventually, text};

/// After an answer its event is seen within this time.
const FRESH: Duration = Duration::from_secs(2);

fn submissions(client: &mut Http, user: &str) -> u64 {
    let answer = client.get("/queries/submissions_by_user").expect(200).json();
    let rows = answer["rows"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["user_id"] == user);
    row.map_or(0, |row| row["submissions"].as_u64().unwrap())
}

#[test]
fn an_event_is_seen_within_two_seconds_of_its_answer() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let mut client = server.client();
    submissions(&mut client, "nobody");
    let mut slowest = Duration::ZERO;
    for round in 1..=5 {
        client.post("/data", r#"{"user_id":"ann","message":"hello"}"#).expect(201);
        let answered = Instant::now();
        eventually(FRESH, "the event is seen", || (submissions(&mut client, "ann") == round).then_some(()));
        slowest = slowest.max(answered.elapsed());
        if round == 3 {
            // In the table or not yet: a reader cannot tell.
            daybook(&place.data(), &["compact"]).done();
            assert_eq!(submissions(&mut client, "ann"), 3);
        }
    }
    eprintln!("seen at the latest {slowest:?} after the answer");
}

#[test]
fn answers_come_as_json_csv_and_ndjson() {
    let place = Place::new();
    let server = Server::start(&place.data(), &["--relay-every", "50ms"]);
    let mut client = server.client();
    for user in ["ann", "=cmd()"] {
        client.post("/data", &format!(r#"{{"user_id":"{user}","message":"a, \"b\"\n"}}"#)).expect(201);
    }
    eventually(FRESH, "both are seen", || (submissions(&mut client, "=cmd()") == 1).then_some(()));

    let json = client.get("/queries/submissions_by_user?format=json").expect(200);
    assert_eq!(json.header("content-type"), Some("application/json"));
    let json = json.json();
    assert_eq!((&json["query"], &json["count"]), (&"submissions_by_user".into(), &2.into()));
    assert!(json["bytes_read"].is_u64() && json["elapsed_ms"].as_f64().unwrap() > 0.0, "{json}");
    let expected = json["rows"].as_array().unwrap();

    let lines = client.get("/queries/submissions_by_user?format=ndjson").expect(200);
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&lines, expected);

    let accept = Request::new("GET", "/queries/submissions_by_user").header("accept", "text/csv");
    let csv = client.send(&accept).unwrap().expect(200);
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    let took = |name: &str| csv.header(name).unwrap().parse::<f64>().unwrap();
    assert!(took("daybook-bytes-read") >= 0.0 && took("daybook-elapsed-ms") > 0.0);
    let csv = csv.text();
    assert!(csv.starts_with("user_id,submissions,"), "{csv}");
    assert!(csv.contains(r#""a, ""b"""#), "{csv}");
    assert!(!csv.lines().any(|line| line.starts_with('=')), "a formula: {csv}");
}

#[test]
fn questions_are_listed_and_wrong_ones_refused() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let mut client = server.client();
    let list = client.get("/queries").expect(200).json();
    let items = list["items"].as_array().unwrap();
    assert!(items.len() >= 24 && list["count"] == items.len(), "{list}");
    for item in items {
        let params = item["params"].as_array().unwrap();
        let required: Vec<String> = params
            .iter()
            .filter(|param| param["required"] == true)
            .map(|param| format!("{}=019aa0c5-6f8b-7000-8000-000000000000", text(param, "/name")))
            .collect();
        client.get(&format!("/queries/{}?{}", text(item, "/name"), required.join("&"))).expect(200);
    }
    client.get("/queries/nonsense").expect(404);
    client.get("/queries/traffic?format=xml").expect(400);
    client.get("/queries/traffic?nonsense=1").expect(400);
    let wrong = client.get("/queries/traffic?from=yesterday-ish").expect(400).json();
    assert!(text(&wrong, "/detail").contains("from"), "{wrong}");
    client.get("/queries/entity_history").expect(400);
    client.send(&Request::new("GET", "/queries/traffic").header("accept", "image/png")).unwrap().expect(406);
}

/// A server with two tenants, and a client for each.
fn two_tenants(data: &Path) -> (Server, Http, Http) {
    let keys = format!("a:alpha:{},b:beta:{}", sha256_hex(b"secret-a"), sha256_hex(b"secret-b"));
    let server = Server::start(data, &["--api-keys", &keys, "--relay-every", "50ms"]);
    let (alpha, beta) = (server.client().with("x-api-key", "secret-a"), server.client().with("x-api-key", "secret-b"));
    (server, alpha, beta)
}

#[test]
fn tenants_see_only_their_own() {
    let place = Place::new();
    let (server, mut alpha, mut beta) = two_tenants(&place.data());
    server.client().get("/tasks").expect(401);
    server.client().with("x-api-key", "secret-c").get("/tasks").expect(401);
    server.client().get("/health").expect(200);

    let task = text(&alpha.post("/tasks", r#"{"task":"alpha's"}"#).expect(201).json(), "/id");
    let data = text(&alpha.post("/data", r#"{"user_id":"ann","message":"alpha's"}"#).expect(201).json(), "/id");
    beta.post("/data", r#"{"user_id":"bob","message":"beta's"}"#).expect(201);
    eventually(FRESH, "alpha's is seen", || (submissions(&mut alpha, "ann") == 1).then_some(()));
    eventually(FRESH, "beta's is seen", || (submissions(&mut beta, "bob") == 1).then_some(()));

    assert_eq!(submissions(&mut alpha, "bob"), 0);
    assert_eq!(submissions(&mut beta, "ann"), 0);
    for path in [format!("/tasks/{task}"), format!("/tasks/{task}/history"), format!("/data/{data}")] {
        alpha.get(&path).expect(200);
        beta.get(&path).expect(404);
    }
    assert_eq!(beta.get("/tasks").expect(200).json()["count"], 0);
    assert_eq!(beta.get("/data?user_id=ann").expect(200).json()["count"], 0);
    let history = format!("/queries/entity_history?entity_id={task}");
    assert_eq!(alpha.get(&history).expect(200).json()["count"], 1);
    assert_eq!(beta.get(&history).expect(200).json()["count"], 0);
    let cursor = format!("/queries/entity_history?entity_id={task}&tenant=alpha");
    beta.get(&cursor).expect(400);
    beta.delete(&format!("/tasks/{task}")).expect(404);
    server.terminate();

    // The operator sees all of them, or one.
    let rows = |args: &[&str]| daybook(&place.data(), args).json()["rows"].as_array().unwrap().len();
    assert_eq!(rows(&["query", "submissions_by_user", "--format", "json"]), 2);
    assert_eq!(rows(&["query", "submissions_by_user", "--tenant", "beta", "--format", "json"]), 1);
    daybook(&place.data(), &["history", "task", &task, "--tenant", "beta"]).refuses("no change of task");
    let shown = daybook(&place.data(), &["show", "task", &task]).json();
    assert_eq!(shown["task"], "alpha's");
    let everything = std::fs::read(place.data().join("store.db")).unwrap();
    assert!(!everything.windows(8).any(|bytes| bytes == b"secret-a"), "a key stands in the store");
    daybook(&place.data(), &["verify"]).done();
}
