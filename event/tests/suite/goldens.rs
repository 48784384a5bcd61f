//! Bytes that outlive a process. What a version has written loads for ever and is written again to the byte.

use std::fs;
use std::path::PathBuf;

use event::domain::asset::{self, Asset, Content, NewAsset};
use event::domain::task::{self, Command, Task};
use event::domain::user::{self, NewUser, Patch, User};
use event::domain::{self, Change, Lifetime, State};
use event::redact::{Redactor, Rules};
use event::{Event, EventId, Timestamp, key};

use crate::support::{golden, testdata};

const NAMES: [&str; 24] = [
    "data.submitted",
    "task.created",
    "task.updated",
    "task.deleted",
    "request.read",
    "request.rejected",
    "request.failed",
    "request.replayed",
    "gateway.rejected",
    "request.imported",
    "large-body",
    "unknown-fields",
    "user.created",
    "user.updated",
    "user.deleted",
    "asset.created",
    "asset.uploaded",
    "asset.deleted",
    "user.created.ending",
    "user.updated.ending",
    "user.deleted.ending",
    "asset.created.ending",
    "asset.uploaded.ending",
    "asset.deleted.ending",
];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_763_631_026_123_456 + seconds * 1_000_000)
}

fn base(name: &str, number: u128) -> Event {
    let text = |text: &str| Some(text.to_owned());
    Event {
        event_id: EventId::from_u128(0x019a_a0c5_6f8b_7000_8000_0000_0000_0000 + number),
        event_type: name.to_owned(),
        schema_version: 1,
        received_at: at(i64::try_from(number).unwrap()),
        tenant: "default".to_owned(),
        request_id: format!("019aa0c5-6f8b-7000-8000-{number:012x}"),
        actor_type: "anonymous".to_owned(),
        client_ip: text("203.0.113.7"),
        user_agent: text("curl/8.5.0"),
        host: text("127.0.0.1:3000"),
        protocol: text("HTTP/1.1"),
        method: "GET".to_owned(),
        path: "/tasks".to_owned(),
        request_headers: text(r#"{"accept":["*/*"]}"#),
        request_body_encoding: "none".to_owned(),
        status: 200,
        duration_ms: 1.234,
        response_bytes: Some(42),
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "local".to_owned(),
        ingest_path: "local".to_owned(),
        ..Event::default()
    }
}

/// The three events of a task's life, as ingest makes them.
fn task_life() -> Vec<Event> {
    let id = "019aa0c5-6f8b-7000-8000-000000000001";
    let commands = [
        Command::parse_create(r#"{"task":"Zeile \u2028 \"zwei\" 😀"}"#).unwrap(),
        Command::parse_update(r#"{"status":"completed","priority":"urgent"}"#).unwrap(),
        Command::Delete,
    ];
    life("task", id, 1, commands, |before, command, now| {
        let task: Option<Task> = before.map(|state| serde_json::from_str(state.as_str()).unwrap());
        task::decide(task.as_ref(), command, None, id, now).unwrap()
    })
}

/// The three events of a user's life, from the n-th on.
fn user_life(first: u128, lifetime: Lifetime) -> Vec<Event> {
    let new = NewUser::parse(r#"{"userId":"ann","email":"Änn@Example.org","name":"Ann 😀"}"#).unwrap();
    let commands = [
        user::Command::Create(new, lifetime),
        user::Command::Update(Patch::parse(r#"{"email":"ann@example.org"}"#).unwrap(), lifetime),
        user::Command::Delete,
    ];
    life("user", "ann", first, commands, |before, command, now| {
        let user: Option<User> = before.map(|state| serde_json::from_str(state.as_str()).unwrap());
        user::decide(user.as_ref(), command, None, "ann", now).unwrap()
    })
}

/// The three events of an asset's life, from the n-th on.
fn asset_life(first: u128, lifetime: Lifetime) -> Vec<Event> {
    let body = r#"{"assetId":"cat_1","fileName":"Kätzchen 😀.png","contentType":"image/png","contentLength":70000}"#;
    let content = Content { size: 70_000, checksum: format!("sha256:{}", event::sha256_hex(b"a cat")) };
    let commands = [
        asset::Command::Create(NewAsset::parse(body).unwrap(), "assets/default/cat_1/1".to_owned(), lifetime),
        asset::Command::Upload(content),
        asset::Command::Delete,
    ];
    life("asset", "cat_1", first, commands, |before, command, now| {
        let asset: Option<Asset> = before.map(|state| serde_json::from_str(state.as_str()).unwrap());
        asset::decide(asset.as_ref(), command, None, "cat_1", now).unwrap()
    })
}

/// The lives of all kinds, and of those that end by themselves; by the names of their files.
fn lives() -> impl Iterator<Item = (String, Event)> {
    let endless = task_life().into_iter();
    let endless = endless.chain(user_life(101, Lifetime::UNBOUNDED)).chain(asset_life(201, Lifetime::UNBOUNDED));
    let ending = user_life(121, Lifetime::of_days(90)).into_iter().chain(asset_life(221, Lifetime::of_days(30)));
    let endless = endless.map(|event| (event.event_type.clone(), event));
    endless.chain(ending.map(|event| (format!("{}.ending", event.event_type), event)))
}

/// An entity's events from the n-th on, as ingest makes them of its commands.
fn life<C>(
    kind: &str,
    id: &str,
    first: u128,
    commands: [C; 3],
    decide: impl Fn(Option<&State>, C, Timestamp) -> Change,
) -> Vec<Event> {
    let (mut state, mut events) = (None::<State>, Vec::<Event>::new());
    for (number, command) in (first..).zip(commands) {
        let change = decide(state.as_ref(), command, at(i64::try_from(number).unwrap()));
        let event = Event {
            entity_type: Some(kind.to_owned()),
            entity_id: Some(id.to_owned()),
            entity_version: Some(change.version),
            operation: Some(change.operation.as_str().to_owned()),
            event_data: Some(change.data.to_string()),
            state_after: Some(change.state.as_str().to_owned()),
            state_hash: Some(change.state.hash()),
            prev_event_hash: events.last().map(|event| event.event_hash.clone()),
            ..base(change.event_type, number)
        };
        events.push(event.sealed());
        state = Some(change.state);
    }
    events
}

fn sample(name: &str, number: u128) -> Event {
    let text = |text: &str| Some(text.to_owned());
    let event = base(name, number);
    match name {
        "data.submitted" => Event {
            method: "POST".to_owned(),
            path: "/data".to_owned(),
            route: text("/data"),
            user_id: text("1234"),
            request_content_type: text("application/json"),
            request_bytes: 87,
            request_body: text(
                r#"{"user_id":"1234","message":"<b>\u2028</b>","n":123456789012345678901234567890,"n":2}"#,
            ),
            request_body_encoding: "json".to_owned(),
            request_body_sha256: Some(event::sha256_hex(b"the bytes received")),
            status: 201,
            idempotency_key: text("key-1"),
            idempotency_outcome: text("first"),
            entity_type: text("data"),
            entity_id: Some(event.event_id.to_string()),
            entity_version: Some(1),
            operation: text("create"),
            ..event
        },
        "request.rejected" => Event {
            status: 404,
            path: "/\u{1b}[31m".to_owned(),
            error_type: text("not-found"),
            error_detail: text("There is nothing at this path."),
            ..event
        },
        "request.failed" => {
            Event { status: 500, error_type: text("internal-error"), error_detail: text("…"), ..event }
        }
        "request.replayed" => Event { idempotency_key: text("key-1"), idempotency_outcome: text("replayed"), ..event },
        "gateway.rejected" => {
            Event { status: 429, ingest_path: "gateway".to_owned(), region: text("eu-central-1"), ..event }
        }
        "request.imported" => {
            Event { ingest_path: "import".to_owned(), received_at: Timestamp::from_micros(-1), ..event }
        }
        "large-body" => Event {
            request_bytes: 70_000,
            request_body_encoding: "ref".to_owned(),
            request_body_ref: Some(key::body(event.received_at, event.event_id)),
            cold_start: Some(true),
            invocation_id: text("7d6b0c4e"),
            trace_id: text("4bf92f3577b34da6a3ce929d0e0e4736"),
            ..event
        },
        "unknown-fields" => {
            let raw = |json: &str| serde_json::value::RawValue::from_string(json.to_owned()).unwrap();
            Event {
                extra: vec![
                    ("zeta".to_owned(), raw("{ \"b\" : 1e400, \"a\":\t[] }")),
                    ("alpha \"q\"".to_owned(), raw("123456789012345678901234567890")),
                ],
                ..event
            }
        }
        _ => event,
    }
}

fn event_of(name: &str) -> Event {
    match lives().find(|(known, _)| known == name) {
        Some((_, event)) => event,
        None => sample(name, 16 + NAMES.iter().position(|known| *known == name).unwrap() as u128).sealed(),
    }
}

#[test]
fn lines_and_hashes_of_this_version() {
    let mut hashes = String::new();
    for name in NAMES {
        let event = event_of(name);
        golden(&format!("v1/events/{name}.json"), &format!("{}\n", String::from_utf8(event.to_line()).unwrap()));
        hashes.push_str(&format!("{} {name}\n", event.event_hash));
    }
    golden("v1/hashes.txt", &hashes);
}

#[test]
fn states_keys_and_masks_of_this_version() {
    for (name, event) in lives() {
        let state = State::from_canonical(event.state_after.unwrap());
        let name = format!("v1/states/{name}.json");
        golden(&name, &format!("{}\n{}\n", state.as_str(), state.hash()));
    }
    let id = EventId::from_u128(0x019a_a0c5_6f8b_7000_8000_0000_0000_0000);
    let keys = [
        key::raw(at(0), "5eed0001-000000000001-000000000009"),
        key::quarantine(at(0), "5eed0001"),
        key::body(at(0), id),
        key::asset("default", "cat_1", id),
        key::asset("Ünï/../%", "a.b-c_D", id),
        key::raw(Timestamp::from_micros(0), "x"),
    ];
    golden("v1/keys.txt", &format!("{}\n", keys.join("\n")));
    // Masks are joined with those of years ago.
    let redactor = Redactor::new([7; 32], Rules::default()).unwrap();
    let masks: Vec<String> = ["hunter2", "", "é\u{2028}"].map(|secret| redactor.mask(secret)).to_vec();
    golden("v1/masks.txt", &format!("{}\n", masks.join("\n")));
}

/// The files of a folder in every version's folder.
fn of_every_version(folder: &str) -> Vec<PathBuf> {
    let versions = fs::read_dir(testdata()).unwrap().map(|entry| entry.unwrap().path());
    let versions: Vec<PathBuf> = versions
        .filter(|path| {
            path.file_name().unwrap().to_str().unwrap().strip_prefix('v').is_some_and(|v| v.parse::<u32>().is_ok())
        })
        .collect();
    assert!(!versions.is_empty());
    let files = versions.iter().flat_map(|version| fs::read_dir(version.join(folder)).unwrap());
    files.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_version_s_lines_load_and_are_written_to_the_byte() {
    for file in of_every_version("events") {
        let bytes = fs::read(&file).unwrap();
        let event =
            Event::from_line(bytes.trim_ascii_end()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!([event.to_line(), b"\n".to_vec()].concat(), bytes, "{}", file.display());
        assert!(event.hash_holds(), "{}", file.display());
        let hashes = fs::read_to_string(file.parent().unwrap().with_file_name("hashes.txt")).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(hashes.lines().any(|line| line == format!("{} {name}", event.event_hash)), "{}", file.display());
    }
}

#[test]
fn every_version_s_states_are_what_its_events_fold_to() {
    for file in of_every_version("states") {
        let text = fs::read_to_string(&file).unwrap();
        let (state, hash) = text.trim_end().split_once('\n').unwrap();
        let read = match file.file_stem().unwrap().to_str().unwrap().split_once('.').unwrap().0 {
            "task" => State::of(&serde_json::from_str::<Task>(state).unwrap()),
            "user" => State::of(&serde_json::from_str::<User>(state).unwrap()),
            "asset" => State::of(&serde_json::from_str::<Asset>(state).unwrap()),
            kind => panic!("states of {kind}"),
        };
        assert_eq!((read.as_str(), read.hash().as_str()), (state, hash), "{}", file.display());
    }
    let v1 = testdata().join("v1/events");
    for (kind, change, ending) in [
        ("task", "updated", ""),
        ("user", "updated", ""),
        ("user", "updated", ".ending"),
        ("asset", "uploaded", ""),
        ("asset", "uploaded", ".ending"),
    ] {
        let mut before = None;
        for operation in ["created", change, "deleted"] {
            let line = fs::read(v1.join(format!("{kind}.{operation}{ending}.json"))).unwrap();
            let event = Event::from_line(line.trim_ascii_end()).unwrap();
            let state = domain::evolve(before.as_ref(), &event).unwrap();
            assert_eq!(Some(state.hash()), event.state_hash);
            before = Some(state);
        }
    }
}
