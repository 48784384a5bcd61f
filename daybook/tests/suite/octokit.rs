//! On real input: the example payloads of GitHub's webhooks, posted by 32 clients while the server is killed five times.
//!
//! Needs npm, once: `cargo test -p daybook --test suite -- --ignored octokit --nocapture`. The package is kept in
//! `DAYBOOK_TEST_CACHE`, else in `~/.cache/daybook`.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use event::redact::{Redactor, Rules};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::support::{
    Http, Logged, Place, Request, Server, bounded, daybook, eventually, own_loopback, table_rows, text,
};

const PACKAGE: &str = "@octokit/webhooks-examples@7.6.1";
const CLIENTS: usize = 32;
const KILLS: usize = 5;
/// So many payloads together are one large body, beside the payloads one by one.
const BUNDLE: usize = 12;
const LIMIT: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
struct Webhook {
    name: String,
    examples: Vec<Box<RawValue>>,
}

#[test]
#[ignore = "needs npm and, the first time, its registry"]
fn every_acknowledged_payload_is_in_the_table_once_and_byte_for_byte() {
    let bodies = bodies();
    let place = Place::new();
    let data = place.data();
    let first = Server::start_at(&data, &format!("{}:0", own_loopback()), &["--relay-every", "100ms"]);
    let address = first.address();
    let acknowledged = AtomicUsize::new(0);
    let (server, answers) = thread::scope(|scope| {
        let mut server = first;
        let post = |client| post_share(address, client, &bodies, &acknowledged);
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || post(client))).collect();
        for kill in 1..=KILLS {
            let enough = bodies.len() * kill / (KILLS + 1);
            eventually(LIMIT, "more payloads", || (acknowledged.load(Ordering::Relaxed) >= enough).then_some(()));
            server.kill();
            server = Server::start_at(&data, &address.to_string(), &["--relay-every", "100ms"]);
        }
        let answers: HashMap<_, _> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (server, answers)
    });
    assert_eq!(answers.len(), bodies.len());
    check_answers(&mut server.client(), &answers, &expected(&data, &bodies));
    server.terminate();

    daybook(&data, &["compact"]).done();
    check_table(&data, &bodies, &answers);
    daybook(&data, &["verify"]).done();
}

/// Posts every 32nd body until it is acknowledged; gives the events' ids.
fn post_share(
    address: SocketAddr,
    client: usize,
    bodies: &[String],
    acknowledged: &AtomicUsize,
) -> Vec<(usize, String)> {
    let mut http = Http::to(address);
    let mut answers = Vec::new();
    for (index, body) in bodies.iter().enumerate().skip(client).step_by(CLIENTS) {
        let request = Request::new("POST", "/data").json(body.as_str()).header("idempotency-key", &format!("b{index}"));
        // The server is killed now and then: then nobody answers for a while.
        let reply = eventually(LIMIT, "an answer", || http.send(&request).ok()).expect(201);
        acknowledged.fetch_add(1, Ordering::Relaxed);
        answers.push((index, text(&reply.json(), "/id")));
    }
    answers
}

/// What must be kept of each body, computed here from the installation's key.
fn expected(data: &Path, bodies: &[String]) -> Vec<String> {
    let hex = fs::read_to_string(data.join("installation.key")).unwrap();
    let hex = hex.trim();
    let key = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    let key = Sha256::new().chain_update(key.collect::<Vec<u8>>()).chain_update("redaction").finalize();
    let redactor = Redactor::new(key.into(), Rules::default()).unwrap();
    let masked = |body: &String| redactor.body(Some("application/json"), body.as_bytes()).text.unwrap();
    bodies.iter().map(masked).collect()
}

fn check_answers(client: &mut Http, answers: &HashMap<usize, String>, expected: &[String]) {
    for (index, id) in answers {
        let shown = client.get(&format!("/data/{id}")).expect(200).text();
        assert!(shown.contains(&format!(r#""data":{}}}"#, expected[*index])), "body {index}: {shown}");
    }
}

fn check_table(data: &Path, bodies: &[String], answers: &HashMap<usize, String>) {
    let rows = table_rows(data);
    let submitted: Vec<&Logged> = rows.iter().filter(|row| row.is_change()).collect();
    assert_eq!(submitted.len(), bodies.len(), "one submission a body");
    let by_id: HashMap<&str, &Logged> = submitted.iter().map(|row| (row.event_id.as_str(), *row)).collect();
    let (mut identical, mut set_aside) = (0, 0);
    for ((index, body), expected) in bodies.iter().enumerate().zip(expected(data, bodies)) {
        let row = by_id[answers[&index].as_str()];
        let kept = match &row.body_ref {
            Some(body) => fs::read_to_string(data.join(body)).unwrap(),
            None => row.body.clone().unwrap(),
        };
        assert!(kept == expected, "body {index} became {kept}");
        assert_eq!(row.body_ref.is_some(), expected.len() > 64 << 10, "body {index}");
        assert_eq!(row.body_sha256.as_deref(), Some(event::sha256_hex(body.as_bytes()).as_str()));
        identical += usize::from(kept == *body);
        set_aside += usize::from(row.body_ref.is_some());
    }
    let (all, events) = (bodies.len(), rows.len());
    eprintln!("{all} bodies, {identical} of them without a secret, {set_aside} set aside; {events} events");
    assert!(identical > all / 4 && set_aside > 10, "the examples are not what they were");
}

/// Every example in the form that `/data` takes, and some together.
fn bodies() -> Vec<String> {
    let mut payloads = Vec::new();
    for file in index_files(&examples()) {
        let webhooks: Vec<Webhook> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for webhook in webhooks {
            payloads.extend(webhook.examples.into_iter().map(|example| (webhook.name.clone(), example)));
        }
    }
    let single = payloads.iter().map(|(name, payload)| wrap(&login(payload), name, payload.get()));
    let bundles = payloads.chunks(BUNDLE).map(|bundle| {
        let bundle: Vec<&str> = bundle.iter().map(|(_, payload)| payload.get()).collect();
        wrap("octokit", "bundle", &format!("[{}]", bundle.join(", ")))
    });
    single.chain(bundles).collect()
}

fn wrap(user_id: &str, message: &str, payload: &str) -> String {
    format!(r#"{{"user_id": "{user_id}", "message": "{message}", "payload": {payload}}}"#)
}

fn login(payload: &RawValue) -> String {
    let payload: serde_json::Value = serde_json::from_str(payload.get()).unwrap();
    payload.pointer("/sender/login").and_then(|login| login.as_str()).unwrap_or("octokit").to_owned()
}

/// The unpacked package.
fn examples() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME or DAYBOOK_TEST_CACHE")).join(".cache/daybook");
    let cache = std::env::var_os("DAYBOOK_TEST_CACHE").map_or_else(home, PathBuf::from).join(PACKAGE.replace('/', "-"));
    if !cache.join("package").is_dir() {
        fs::create_dir_all(&cache).unwrap();
        let packed = bounded(Command::new("npm").args(["pack", PACKAGE]).current_dir(&cache)).done();
        let archive = packed.lines().last().expect("npm names the archive").to_owned();
        bounded(Command::new("tar").args(["-xzf", &archive]).current_dir(&cache)).done();
    }
    cache.join("package")
}

fn index_files(package: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(package).unwrap().map(|entry| entry.unwrap().path().join("index.json"));
    let mut files: Vec<PathBuf> = folders.filter(|file| file.is_file()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no examples", package.display());
    files
}
