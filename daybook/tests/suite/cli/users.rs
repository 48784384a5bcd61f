//! Users from the log's side: an address goes from hand to hand, and the log alone says whose it is.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Http, Place, Server, daybook};

fn user(id: &str, email: &str) -> String {
    json!({"userId": id, "email": email, "name": id}).to_string()
}

/// Three users, one of them removed and made again; one address has had three owners.
fn fill(client: &mut Http) {
    client.post("/users", &user("ann", "a@x.org")).expect(201);
    client.post("/users", &user("bob", "A@x.org")).expect(409);
    client.put("/users/ann", r#"{"email":"ann@x.org"}"#).expect(200);
    client.post("/users", &user("bob", "a@x.org")).expect(201);
    client.delete("/users/bob").expect(200);
    client.post("/users", &user("carl", "a@x.org")).expect(201);
    client.post("/users", &user("bob", "bob@x.org")).expect(201);
    client.post("/users", &user("bob", "bob@x.org")).expect(200);
}

fn used() -> Place {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    fill(&mut server.client());
    server.terminate();
    place
}

#[test]
fn the_log_tells_a_user_s_life() {
    let place = used();
    for _ in 0..2 {
        daybook(&place.data(), &["verify"]).done();
        let history = daybook(&place.data(), &["history", "user", "bob", "--format", "json"]).json();
        let types: Vec<&Value> = history["rows"].as_array().unwrap().iter().map(|row| &row["event_type"]).collect();
        assert_eq!(types, ["user.created", "user.deleted", "user.created"]);
        let show = |args: &[&str]| daybook(&place.data(), &[&["show", "user", "bob"], args].concat());
        assert_eq!((&show(&[]).json()["email"], &show(&[]).json()["version"]), (&json!("bob@x.org"), &json!(3)));
        assert_eq!(show(&["--version", "1"]).json()["email"], "a@x.org");
        let ran = daybook(&place.data(), &["replay", "--json"]).done();
        let report: Value = serde_json::from_str(&ran).unwrap();
        assert_eq!((&report["changes"], &report["present"]["equal"]), (&json!(6), &json!(3)), "{report}");
        daybook(&place.data(), &["compact"]).done();
    }
}

#[test]
fn the_raw_log_alone_says_whose_an_address_is() {
    let place = used();
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.lock", "installation.key"] {
        let _ = fs::remove_file(place.data().join(name));
    }
    daybook(&place.data(), &["replay", "--swap"]).done();
    daybook(&place.data(), &["verify"]).done();
    let server = Server::start(&place.data(), &[]);
    let mut client = server.client();
    for (email, owner) in [("a@x.org", "carl"), ("ann@x.org", "ann"), ("bob@x.org", "bob")] {
        let found = client.get(&format!("/users?email={email}")).expect(200).json();
        assert_eq!((&found["count"], &found["items"][0]["userId"]), (&json!(1), &json!(owner)));
        client.post("/users", &user("dora", email)).expect(409);
    }
    client.delete("/users/carl").expect(200);
    client.post("/users", &user("dora", "a@x.org")).expect(201);
    assert_eq!(client.get("/users").expect(200).json()["count"], 3);
    server.terminate();
    daybook(&place.data(), &["verify"]).done();
}

#[test]
fn a_forged_address_is_found() {
    let place = used();
    let store = Connection::open(place.data().join("store.db")).unwrap();
    let forged = "update states set state = replace(state, 'bob@x.org', 'eve@x.org') where id = 'bob'";
    assert_eq!(store.execute(forged, []).unwrap(), 1);
    drop(store);
    let ran = daybook(&place.data(), &["verify"]);
    assert!(ran.code == 1 && ran.out.contains("bob"), "{ran:?}");
}
