//! `daybook replay`: the log alone gives the state back.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::Used;
use crate::support::{Server, daybook, raw_objects, rewrite_raw};

fn replay(data: &Path, args: &[&str], code: i32) -> Value {
    let ran = daybook(data, &[&["replay", "--json"], args].concat());
    assert_eq!(ran.code, code, "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

/// What is found without a database being made is what the database that is made shows.
#[track_caller]
fn assert_same(looked: &Value, swapped: &Value) {
    assert_eq!((&looked["swapped"], &swapped["swapped"]), (&json!(false), &json!(true)));
    for name in ["events", "changes", "entities", "submissions", "offender", "present"] {
        assert_eq!(looked[name], swapped[name], "{name}");
    }
}

#[test]
fn the_log_gives_the_state_that_is_there() {
    let used = Used::new();
    let data = used.place.data();
    for _ in 0..2 {
        let report = replay(&data, &[], 0);
        assert_eq!((&report["events"], &report["changes"], &report["submissions"]), (&json!(7), &json!(5), &json!(1)));
        assert_eq!(report["present"], json!({"equal": 2, "missing": 0, "surplus": 0, "different": 0, "first": null}));
        assert_eq!((&report["swapped"], &report["offender"]), (&json!(false), &Value::Null));
        assert!(!data.join("replay").exists());
        daybook(&data, &["compact"]).done();
    }
    let text = daybook(&data, &["replay"]).done();
    assert!(text.contains("The database has the same 2 entities.") && text.contains("Nothing was changed"), "{text}");
}

#[test]
fn a_folder_of_raw_alone_is_served_again() {
    let used = Used::new();
    let data = used.place.data();
    let server = Server::start(&data, &[]);
    let history = server.client().get(&format!("/tasks/{}/history", used.task)).expect(200).json();
    let submissions = server.client().get("/data?user_id=ann").expect(200).json();
    server.terminate();
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.lock", "installation.key"] {
        let _ = fs::remove_file(data.join(name));
    }
    fs::remove_dir_all(data.join("lake")).unwrap();

    let report = replay(&data, &["--swap"], 0);
    assert_eq!((&report["swapped"], &report["present"], &report["kept"]), (&json!(true), &Value::Null, &Value::Null));
    daybook(&data, &["verify"]).done();
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    assert_eq!(client.get(&format!("/tasks/{}/history", used.task)).expect(200).json(), history);
    assert_eq!(client.get("/data?user_id=ann").expect(200).json()["items"], submissions["items"]);
    client.get(&format!("/tasks/{}", used.removed)).expect(404);
    client.put(&format!("/tasks/{}", used.task), r#"{"priority":"high"}"#).expect(200);
    client.post("/tasks", r#"{"task":"new"}"#).expect(201);
    server.terminate();
    daybook(&data, &["verify"]).done();
    daybook(&data, &["compact"]).done();
    daybook(&data, &["verify"]).done();
    assert_eq!(replay(&data, &[], 0)["present"]["equal"], 3);
}

#[test]
fn a_database_that_was_changed_is_found_and_replaced() {
    let used = Used::new();
    let data = used.place.data();
    let store = Connection::open(data.join("store.db")).unwrap();
    store.execute("update states set state = replace(state, 'second', 'forged') where deleted = 0", []).unwrap();
    store.execute("delete from states where deleted = 1", []).unwrap();
    drop(store);
    let report = replay(&data, &[], 1);
    assert_eq!((&report["present"]["different"], &report["present"]["missing"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(daybook(&data, &["verify"]).code, 1);
    let looked = report;
    let report = replay(&data, &["--swap"], 0);
    assert_same(&looked, &report);
    let kept = report["kept"].as_str().unwrap();
    assert!(Path::new(kept).exists() && kept.contains("store.db.replaced-"), "{report}");
    daybook(&data, &["verify"]).done();
    assert_eq!(replay(&data, &[], 0)["present"]["equal"], 2);
}

#[test]
fn a_broken_log_is_not_swapped_in() {
    let used = Used::new();
    let data = used.place.data();
    rewrite_raw(&data, |event| {
        event.entity_version != Some(2) || event.entity_id.as_deref() != Some(used.task.as_str())
    });
    let report = replay(&data, &[], 1);
    assert!(report["offender"].as_str().unwrap().contains("version 2 is missing"), "{report}");
    let ran = daybook(&data, &["replay", "--swap"]);
    assert!(ran.code == 1 && ran.err.contains("nothing was swapped"), "{ran:?}");
    let replaced = |entry: fs::DirEntry| entry.file_name().to_string_lossy().contains("replaced");
    assert!(!fs::read_dir(&data).unwrap().any(|entry| replaced(entry.unwrap())), "it is still the one that was there");
    assert_same(&report, &replay(&data, &["--swap", "--force"], 1));
}

#[test]
fn not_beside_a_server() {
    let used = Used::new();
    let server = Server::start(&used.place.data(), &[]);
    daybook(&used.place.data(), &["replay"]).refuses("in use by another daybook process");
    server.terminate();
    assert!(!raw_objects(&used.place.data()).is_empty());
}
