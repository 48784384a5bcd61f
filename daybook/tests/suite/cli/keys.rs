//! `daybook keys`: made and revoked beside a running server, logged, and nowhere to be found again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::support::{Http, Place, Server, bounded, daybook, eventually, program, raw_log, text};

/// A change to the keys takes effect in a running server within this; twice what is promised, on a busy machine.
const SOON: Duration = Duration::from_secs(2);

fn create(data: &Path, args: &[&str]) -> String {
    let ran = daybook(data, &[&["keys", "create"], args].concat());
    assert!(ran.err.contains("it is not shown again"), "{ran:?}");
    ran.done().trim().to_owned()
}

fn client(server: &Server, key: &str) -> Http {
    server.client().with("x-api-key", key)
}

#[track_caller]
fn becomes(server: &Server, key: &str, status: u16) {
    eventually(SOON, &format!("{status} for a key"), || {
        (client(server, key).get("/tasks").status == status).then_some(())
    });
}

#[test]
fn a_running_server_takes_over_what_is_made_and_revoked() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    server.client().get("/tasks").expect(200);
    let red = create(&place.data(), &["red-1", "--tenant", "red"]);
    assert!(red.starts_with("dbk_red-1_") && red.len() == 58, "{red}");
    becomes(&server, &red, 200);
    // Now that there is a key, nobody comes in without one.
    server.client().get("/tasks").expect(401);
    server.client().get("/health").expect(200);
    let task = text(&client(&server, &red).post("/tasks", r#"{"task":"t"}"#).expect(201).json(), "/id");
    let blue = create(&place.data(), &["--tenant", "blue", "--scope", "read", "--expires", "2h"]);
    becomes(&server, &blue, 200);
    client(&server, &blue).get(&format!("/tasks/{task}")).expect(404);
    let refused = client(&server, &blue).post("/tasks", r#"{"task":"t"}"#).expect(403);
    assert_eq!(text(&refused.json(), "/type"), "urn:daybook:problem:insufficient-scope");
    daybook(&place.data(), &["keys", "revoke", "red-1"]).done();
    becomes(&server, &red, 401);
    let revoked = client(&server, &red).get("/tasks").expect(401);
    assert_eq!(text(&revoked.json(), "/detail"), "The API key was revoked.");
    server.terminate();

    let events = raw_log(&place.data());
    let of = |event_type: &str| events.iter().filter(|event| event.event_type == event_type).collect::<Vec<_>>();
    let (made, gone) = (of("api_key.created"), of("api_key.revoked"));
    assert_eq!((made.len(), gone.len()), (2, 1));
    assert_eq!((made[0].api_key_id.as_deref(), made[0].tenant.as_str()), (Some("red-1"), "red"));
    let again = of("request.rejected").into_iter().filter(|event| event.api_key_id.as_deref() == Some("red-1"));
    let again: Vec<_> = again.map(|event| (event.status, event.tenant.as_str(), event.actor_id.as_deref())).collect();
    assert!(!again.is_empty() && again.iter().all(|used| *used == (401, "red", None)), "{again:?}");
    // Neither the keys nor their hashes are in the log, and it holds together.
    let hashes = [&red, &blue].map(|key| event::sha256_hex(key.as_bytes()));
    for event in &events {
        let line = String::from_utf8(event.to_line()).unwrap();
        assert!([&red, &blue, &hashes[0], &hashes[1]].into_iter().all(|secret| !line.contains(secret)), "{line}");
    }
    daybook(&place.data(), &["compact"]).done();
    daybook(&place.data(), &["verify"]).done();
    daybook(&place.data(), &["replay"]).done();
}

#[test]
fn keys_may_come_before_the_first_server_and_open_a_public_address() {
    let place = Place::new();
    daybook(&place.data(), &["serve", "--listen", "0.0.0.0:0"]).refuses("daybook keys create");
    let key = create(&place.data(), &["ops"]);
    let server = Server::start_at(&place.data(), "0.0.0.0:0", &[]);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    Http::to(address).get("/tasks").expect(401);
    Http::to(address).with("x-api-key", &key).get("/tasks").expect(200);
    // Who takes the file away takes the keys away, and opens nothing.
    fs::remove_file(place.data().join("keys.json")).unwrap();
    eventually(SOON, "the key is gone", || {
        (Http::to(address).with("x-api-key", &key).get("/tasks").status == 401).then_some(())
    });
    Http::to(address).get("/tasks").expect(401);
    server.terminate();
}

#[test]
fn configured_keys_and_made_ones_open_one_server() {
    let place = Place::new();
    let hash = event::sha256_hex(b"old");
    let keys = format!("old:red:{hash},reader:red:{}:read", event::sha256_hex(b"reader"));
    let server = Server::start(&place.data(), &["--api-keys", &keys]);
    client(&server, "old").post("/tasks", r#"{"task":"t"}"#).expect(201);
    client(&server, "reader").get("/tasks").expect(200);
    client(&server, "reader").post("/tasks", r#"{"task":"t"}"#).expect(403);
    client(&server, "reader").get("/queries").expect(403);
    let made = create(&place.data(), &["--tenant", "red", "--scope", "write"]);
    becomes(&server, &made, 200);
    client(&server, &made).post("/tasks", r#"{"task":"t"}"#).expect(201);
    client(&server, &made).get("/queries").expect(403);
    client(&server, "old").get("/queries").expect(200);
    server.terminate();
}

#[test]
fn the_list_says_what_became_of_each() {
    let place = Place::new();
    let data = place.data();
    // A slip of the pen is no new installation.
    for args in [&["keys", "list"][..], &["keys", "revoke", "a"]] {
        daybook(&data, args).refuses("there is no data folder");
        assert!(!data.exists());
    }
    let shown = daybook(&data, &["keys", "create", "a", "--scope", "write", "--json"]).json();
    assert_eq!((&shown["id"], &shown["scope"], &shown["expires_at"]), (&json!("a"), &json!("write"), &Value::Null));
    create(&data, &["b", "--expires", "1ms"]);
    create(&data, &["c", "--expires", "2099-01-01T00:00:00Z"]);
    let first = daybook(&data, &["keys", "revoke", "a"]).done();
    assert_eq!(daybook(&data, &["keys", "revoke", "a"]).done(), first, "the first revocation counts");
    let rows = daybook(&data, &["keys", "list", "--json"]).json()["rows"].clone();
    let states: Vec<_> = rows.as_array().unwrap().iter().map(|row| (text(row, "/id"), text(row, "/state"))).collect();
    let expect =
        [("a", "revoked"), ("b", "expired"), ("c", "good")].map(|(id, state)| (id.to_owned(), state.to_owned()));
    assert_eq!(states, expect);
    let kept = fs::read_to_string(data.join("keys.json")).unwrap();
    assert!(!kept.contains(&text(&shown, "/key")) && !kept.contains("dbk_"), "{kept}");
    for (args, reason) in [
        (&["create", "a"][..], "there is a key a already"),
        (&["create", "a_b"], "can be no key's id"),
        (&["create", "--tenant", "a b"], "can be no tenant"),
        (&["create", "--expires", "soon"], "write a duration such as 90d"),
        (&["create", "--expires", "2020-01-01T00:00:00Z"], "would have expired already"),
        (&["revoke", "nobody"], "no key nobody was made here"),
    ] {
        daybook(&data, &[&["keys"], args].concat()).refuses(reason);
    }
    daybook(&data, &["keys", "create", "--scope", "root"]).is_misused("write read, write or admin");
}

#[test]
fn many_programs_at_once_lose_no_key() {
    let place = Place::new();
    create(&place.data(), &["first"]);
    let made: Vec<Command> = (0..6)
        .map(|n| {
            let mut command = program();
            command.arg("--data").arg(place.data()).args(["keys", "create", &format!("k{n}")]);
            command
        })
        .collect();
    std::thread::scope(|scope| {
        for mut command in made {
            scope.spawn(move || bounded(&mut command).done());
        }
    });
    let rows = daybook(&place.data(), &["keys", "list", "--json"]).json()["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 7);
}

#[test]
fn of_those_who_make_the_same_key_at_once_one_is_logged() {
    let place = Place::new();
    create(&place.data(), &["first"]);
    let made = |_| {
        let mut command = program();
        command.arg("--data").arg(place.data()).args(["keys", "create", "web"]);
        command
    };
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..5).map(made).map(|mut one| scope.spawn(move || bounded(&mut one).code)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    let events = raw_log(&place.data());
    let logged = events.iter().filter(|event| event.api_key_id.as_deref() == Some("web")).count();
    assert_eq!(logged, 1);
}

#[cfg(unix)]
#[test]
fn another_user_s_keys_are_not_changed() {
    let place = Place::new();
    let data = place.data();
    create(&data, &["a"]);
    // Only the superuser can make files another's.
    if std::os::unix::fs::chown(data.join("installation.key"), Some(12_345), None).is_err() {
        return;
    }
    let before = fs::read(data.join("keys.json")).unwrap();
    for args in [&["keys", "revoke", "a"][..], &["keys", "create", "b"]] {
        daybook(&data, args).refuses("belongs to the user 12345");
    }
    assert_eq!(fs::read(data.join("keys.json")).unwrap(), before);
    // Before the first server it is the folder's owner that counts.
    fs::remove_file(data.join("installation.key")).unwrap();
    std::os::unix::fs::chown(&data, Some(12_345), None).unwrap();
    daybook(&data, &["keys", "create", "b"]).refuses("belongs to the user 12345");
}

#[test]
fn a_damaged_file_stops_a_start_and_is_found_by_doctor() {
    let place = Place::new();
    create(&place.data(), &["a"]);
    fs::write(place.data().join("keys.json"), "{").unwrap();
    daybook(&place.data(), &["serve", "--listen", "127.0.0.1:0"]).refuses("cannot understand");
    let ran = daybook(&place.data(), &["doctor", "--json"]);
    assert!(ran.code == 1 && ran.out.contains("api-keys") && ran.out.contains("cannot understand"), "{ran:?}");
}

#[test]
fn a_rate_is_kept_by_the_server_and_told_by_health() {
    let place = Place::new();
    let server = Server::start(&place.data(), &["--address-rate", "1", "--address-burst", "40"]);
    let mut client = server.client();
    let (mut refused, mut recorded) = (0, 0);
    for _ in 0..200 {
        let reply = client.get("/tasks");
        if reply.status == 429 {
            assert!(reply.header("retry-after").is_some() && reply.header("ratelimit-policy").is_some(), "{reply:?}");
            refused += 1;
            recorded += u32::from(reply.header("daybook-event-id").is_some());
        }
    }
    assert!(refused >= 100 && recorded < refused, "{refused} refused, {recorded} of them recorded");
    server.terminate();
    let events = raw_log(&place.data());
    assert_eq!(events.iter().filter(|event| event.status == 429).count(), recorded as usize);
}

/// A token of an issuer whose keys are in a file: nobody here can sign one, so all that is shown is that it is asked for.
#[test]
fn tokens_are_asked_for_once_an_issuer_is_known() {
    let place = Place::new();
    let jwks = place.beside("jwks.json");
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    fs::write(&jwks, json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}).to_string()).unwrap();
    let flags = ["--jwt-jwks", jwks.to_str().unwrap(), "--jwt-issuer", "https://i.example", "--jwt-audience", "web"];
    let server = Server::start_at(&place.data(), "0.0.0.0:0", &flags);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let asked = Http::to(address).get("/tasks").expect(401);
    assert!(asked.header("www-authenticate").is_some_and(|it| it.starts_with("Bearer")), "{asked:?}");
    Http::to(address).with("authorization", "Bearer x.y.z").get("/tasks").expect(401);
    let key = create(&place.data(), &[]);
    eventually(SOON, "the key is known", || {
        (Http::to(address).with("x-api-key", &key).get("/tasks").status == 200).then_some(())
    });
    server.terminate();
}
