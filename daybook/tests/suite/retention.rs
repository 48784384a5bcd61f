//! An installation whose store keeps only what is young: verified, queried and served as before.

use std::time::Duration;

use event::Timestamp;
use ingest::local::retention::{Retention, remove};
use ingest::store::sqlite::SqliteStore;

use crate::support::{Place, Server, daybook, text};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// As a server of forty days later removes.
fn remove_as_later(place: &Place) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&place.data(), [7; 4]).unwrap();
        let last = store.reader().last_event_id().await.unwrap().unwrap();
        let received = i64::try_from(last.as_u128() >> 80).unwrap() * 1_000;
        let now = Timestamp::from_micros(received + 40 * i64::try_from(DAY.as_micros()).unwrap());
        let retention = Retention { events: Some(30 * DAY), submissions: Some(35 * DAY) };
        remove(&store, retention, now).await.unwrap().events
    })
}

#[test]
fn what_left_the_store_is_in_the_log_and_everything_holds() {
    let place = Place::new();
    let server = Server::start(&place.data(), &["--relay-every", "20ms"]);
    let mut client = server.client();
    let task = text(&client.post("/tasks", r#"{"task":"first"}"#).expect(201).json(), "/id");
    client.put(&format!("/tasks/{task}"), r#"{"task":"second"}"#).expect(200);
    let submission = client.post("/data", r#"{"user_id":"ann","message":"m"}"#).expect(201).event_id();
    client.get("/health").expect(200);
    server.terminate();
    assert_eq!(remove_as_later(&place), 3);
    daybook(&place.data(), &["verify"]).done();
    daybook(&place.data(), &["compact"]).done();
    daybook(&place.data(), &["verify"]).done();

    let server = Server::start(&place.data(), &["--event-retention-days", "1"]);
    let mut client = server.client();
    let history = client.get(&format!("/tasks/{task}/history")).expect(200).json();
    assert_eq!((&history["complete"], &history["query"]), (&false.into(), &"entity_history".into()));
    client.get(&format!("/data/{submission}")).expect(404);
    assert_eq!(text(&client.get(&format!("/tasks/{task}")).expect(200).json(), "/task"), "second");
    client.put(&format!("/tasks/{task}"), r#"{"task":"third"}"#).expect(200);
    server.terminate();
    let rows = daybook(&place.data(), &["history", "task", &task, "--format", "json"]).json();
    assert!(rows.to_string().matches("entity_version").count() >= 1, "{rows}");
    let shown = daybook(&place.data(), &["show", "task", &task, "--version", "1"]).done();
    assert!(shown.contains("first"), "the log has what the store has not: {shown}");
    daybook(&place.data(), &["verify"]).done();
}
