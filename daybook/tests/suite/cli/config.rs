//! Settings: flags before environment before file; what is wrong is named with its place.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::support::{Place, Ran, Server, bounded, daybook, program};

/// `serve` with a file of settings; everything that is wrong shows before anything is opened.
#[track_caller]
fn check_file(text: &str, reason: &str) {
    let place = Place::new();
    let file = place.beside("settings.toml");
    fs::write(&file, text).unwrap();
    daybook(&place.data(), &["serve", "--config", file.to_str().unwrap()]).refuses(reason);
    assert!(!place.data().exists());
}

#[track_caller]
fn check_flags(flags: &[&str], reason: &str) {
    let place = Place::new();
    daybook(&place.data(), &[&["serve"], flags].concat()).refuses(reason);
}

#[test]
fn a_wrong_file_is_named_with_its_line() {
    check_file("listen = \"127.0.0.1:0\"\n\nlisten-at = 3\n", "settings.toml:3: unknown field `listen-at`");
    check_file("listen = \"127.0.0.1:0\"\nmemory = 5\n", "settings.toml:2: invalid type");
    check_file("# a\n# b\nlisten = [\n", "settings.toml:3");
    check_file("data = 7\n", "settings.toml:1");
    check_file("mask = \"a\"\n", "settings.toml:1");
    check_file("\n[server]\nlisten = \"127.0.0.1:0\"\n", "settings.toml:2: unknown field `server`");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    check_flags(&["--config", "/nowhere/daybook.toml"], "cannot read /nowhere/daybook.toml");
}

#[test]
fn a_wrong_value_is_named_with_a_right_one() {
    check_flags(&["--listen", "nonsense"], "write HOST:PORT, such as 127.0.0.1:3000");
    check_flags(&["--listen", "127.0.0.1:99999"], "write HOST:PORT");
    check_flags(&["--listen", "127.0.0.1:0", "--relay-every", "often"], "write 500ms, 1s, 15m or 1h");
    check_flags(&["--listen", "127.0.0.1:0", "--compact-every", "0s"], "compact-every");
    check_flags(&["--listen", "127.0.0.1:0", "--memory", "lots"], "write 256M or 1GiB");
    check_flags(&["--listen", "127.0.0.1:0", "--max-line", "0"], "max-line must be between 1B and 1GiB");
    check_flags(&["--listen", "127.0.0.1:0", "--max-line", "2GiB"], "max-line must be between");
    check_flags(&["--listen", "127.0.0.1:0", "--max-connections", "0"], "max-connections must be at least 1");
    check_flags(&["--listen", "127.0.0.1:0", "--max-requests", "0"], "max-requests must be at least 1");
    check_flags(&["--listen", "127.0.0.1:0", "--base-path", "v1"], "must begin with a slash");
    check_flags(&["--listen", "127.0.0.1:0", "--api-keys", "a:b:c"], "64 hex digits");
    check_flags(&["--listen", "127.0.0.1:0", "--api-keys", "a"], "id:tenant:sha256");
    check_flags(&["--listen", "127.0.0.1:0", "--key-rate", "0"], "key-rate must be at least 1");
    check_flags(&["--listen", "127.0.0.1:0", "--address-burst", "5"], "address-burst is nothing without address-rate");
    check_flags(&["--listen", "127.0.0.1:0", "--jwt-leeway", "2h"], "write 0s, 30s or 1m");
    check_flags(&["--listen", "127.0.0.1:0", "--jwt-issuer", "https://i.example"], "jwt-jwks is not set");
    check_flags(&["--listen", "127.0.0.1:0", "--jwt-jwks", "/nowhere/jwks.json"], "jwt-issuer is not set");
    let jwt = ["--listen", "127.0.0.1:0", "--jwt-issuer", "https://i.example", "--jwt-audience", "web", "--jwt-jwks"];
    check_flags(&[&jwt[..], &["/nowhere/jwks.json"]].concat(), "cannot read the JWKS /nowhere/jwks.json");
    check_flags(&[&jwt[..], &["http://i.example/jwks"]].concat(), "write an https URL or the name of a file");
    check_flags(
        &["--notify-url", "hooks.example.org"],
        "notify-url: must be such as https://hooks.example.org/daybook",
    );
    check_flags(&["--notify-events", "task.created"], "notify-events is nothing without notify-url");
    let notify = ["--notify-url", "https://hooks.example.org"];
    for (flag, value, reason) in [
        ("--notify-events", "task.complete", "\"task.complete\" is no type of event"),
        ("--notify-attempts", "0", "notify-attempts must be at least 1"),
        ("--notify-timeout", "2m", "write 500ms, 5s or 1m"),
        ("--notify-secret", "s3cret", "notify-secret must be whsec_ and base64"),
    ] {
        check_flags(&[&notify[..], &[flag, value]].concat(), reason);
    }
    for origin in ["*", "nonsense", "https://*.example.org", "https://a.example/", "https://", "https://A.example"] {
        check_flags(&["--listen", "127.0.0.1:0", "--cors-origins", origin], "such as https://app.example.org");
    }
}

#[test]
fn an_address_that_others_can_reach_needs_a_key() {
    check_flags(&["--listen", "0.0.0.0:0"], "daybook keys create, set api-keys, or listen at 127.0.0.1:0");
    check_flags(&["--listen", "[::]:0"], "set api-keys");
    let place = Place::new();
    let key = format!("a:alpha:{}", event::sha256_hex(b"secret"));
    let server = Server::start_at(&place.data(), "0.0.0.0:0", &["--api-keys", &key]);
    assert!(server.address().ip().is_unspecified());
    server.terminate();
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check_flags(&["--listen", &address], "choose another address with --listen");
}

/// Which address `serve` takes from flag, environment and file: shown by the refusal of a public one.
fn exposed(place: &Place, change: impl FnOnce(&mut Command)) -> Ran {
    fs::write(place.beside("daybook.toml"), "listen = \"0.0.0.0:1003\"\n").unwrap();
    let mut command = program();
    command.current_dir(place.beside("")).args(["serve", "--data"]).arg(place.data());
    change(&mut command);
    bounded(&mut command)
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let place = Place::new();
    exposed(&place, |_| ()).refuses("listen = 0.0.0.0:1003");
    exposed(&place, |command| {
        command.env("DAYBOOK_LISTEN", "0.0.0.0:1002");
    })
    .refuses("listen = 0.0.0.0:1002");
    exposed(&place, |command| {
        command.env("DAYBOOK_LISTEN", "0.0.0.0:1002").args(["--listen", "0.0.0.0:1001"]);
    })
    .refuses("listen = 0.0.0.0:1001");
    let other = place.beside("other.toml");
    fs::write(&other, "listen = \"0.0.0.0:1004\"\n").unwrap();
    exposed(&place, |command| {
        command.env("DAYBOOK_CONFIG", &other);
    })
    .refuses("listen = 0.0.0.0:1004");
}

#[test]
fn every_setting_may_stand_in_the_file() {
    let place = Place::new();
    let file = place.beside("all.toml");
    let text = format!(
        "data = {:?}\nlog = \"warn\"\nlisten = \"127.0.0.1:0\"\nenvironment = \"test\"\nbase-path = \"/v1\"\n\
         cors-origins = [\"https://a.example\"]\napi-keys = [\"a:alpha:{}\"]\nrequire-if-match = true\nclient-caching = true\nmask = [\"zip\"]\n\
         max-connections = 100\nmax-requests = 10\n\
         notify-url = \"http://127.0.0.1:9/\"\nnotify-events = [\"user.*\"]\nnotify-timeout = \"1s\"\n\
         notify-attempts = 3\nnotify-secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n\
         relay-every = \"50ms\"\ncompact-every = \"1h\"\nmemory = \"64MiB\"\nmax-line = \"1MiB\"\n",
        place.data(),
        event::sha256_hex(b"secret"),
    );
    fs::write(&file, text).unwrap();
    let server = Server::start(&place.data(), &["--config", file.to_str().unwrap()]);
    let mut client = server.client().with("x-api-key", "secret");
    let body = r#"{"user_id":"ann","message":"hello","zip":"12345-secret"}"#;
    let id = client.post("/v1/data", body).expect(201).json()["id"].as_str().unwrap().to_owned();
    let seeded = client.get("/v1/random?seed=1").expect(200);
    assert_eq!(seeded.header("cache-control"), Some("private, max-age=86400"));
    client.put("/v1/tasks/019aa0c5-6f8b-7000-8000-000000000000", r#"{"task":"x"}"#).expect(428);
    client.post("/data", body).expect(404);
    server.client().get("/v1/tasks").expect(401);
    server.terminate();
    assert_masked(&place.data(), &id);
}

fn assert_masked(data: &Path, id: &str) {
    let events = super::super::support::raw_events(data);
    let body = events.iter().find(|event| event.event_id == id).unwrap().body.clone().unwrap();
    assert!(body.contains("[redacted:") && !body.contains("12345-secret"), "{body}");
}
