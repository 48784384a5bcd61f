//! How long a store takes to be ready again after a kill, by how much it holds.
//!
//! `restart fill FOLDER EVENTS` fills a store and dies without closing it; `restart open FOLDER` opens it, asks what a
//! server asks before it is ready, and says how long that took and how much memory.

#![expect(clippy::print_stdout, reason = "it says what it has measured")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use event::domain::submission;
use event::domain::task::{self, Command};
use event::{Event, EventId, EventIds, Sealed, Timestamp};
use ingest::System;
use ingest::store::sqlite::SqliteStore;
use ingest::store::{Append, EntityRef, EventSink, EventStore, NewState};

/// Events of one batch, and how many batches are under way at once.
const BATCH: u64 = 1_000;

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> Done<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["fill", folder, events] => {
            runtime.block_on(fill(Path::new(folder), events.parse()?))?;
            std::process::abort();
        }
        ["open", folder] => runtime.block_on(open(Path::new(folder))),
        _ => Err("restart fill FOLDER EVENTS | restart open FOLDER".into()),
    }
}

async fn open(folder: &Path) -> Done<()> {
    let begun = Instant::now();
    let store = SqliteStore::open(folder, [1; 4])?;
    let last = store.reader().last_event_id().await?;
    let relayed = store.reader().relayed_to().await?;
    let took = begun.elapsed();
    let (events, waiting) = store.reader().counts().await?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!("{events} events, {waiting} of them not relayed (to batch {relayed}), last {last:?}");
    println!("open after {took:?}, {peak}");
    Ok(())
}

/// Of a hundred events seventy are reads, twenty submissions, ten changes of tasks.
async fn fill(folder: &Path, events: u64) -> Done<()> {
    let store = SqliteStore::open(folder, [1; 4])?;
    let system = System::real();
    let mut ids = EventIds::default();
    for batch in 0..events / BATCH {
        let mut made = || ids.next((system.now)(), (system.random)());
        let reads = (0..BATCH * 7 / 10).map(|_| Sealed::of(read(made()))).collect();
        let submissions: Vec<Append> = (0..BATCH * 2 / 10).map(|n| submit(made(), batch * 31 + n)).collect();
        let changes: Vec<Append> = (0..BATCH / 10).map(|_| change(made())).collect::<Done<_>>()?;
        let appends = submissions.into_iter().chain(changes).map(|append| store.append(append));
        let (appended, put) = futures::join!(futures::future::try_join_all(appends), store.put(reads));
        appended?;
        put?;
    }
    // As by SIGKILL: nothing is closed, the write-ahead log stays as it is.
    std::mem::forget(store);
    Ok(())
}

fn read(id: EventId) -> Event {
    Event {
        event_id: id,
        event_type: "request.read".to_owned(),
        schema_version: 1,
        received_at: Timestamp::from_micros(i64::try_from(id.as_u128() >> 80).unwrap_or(0) * 1_000),
        tenant: "default".to_owned(),
        request_id: id.to_string(),
        actor_type: "anonymous".to_owned(),
        client_ip: Some("203.0.113.7".to_owned()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)".to_owned()),
        host: Some("api.example.org".to_owned()),
        protocol: Some("HTTP/1.1".to_owned()),
        method: "GET".to_owned(),
        route: Some("/tasks/{id}".to_owned()),
        path: format!("/tasks/{id}"),
        request_headers: Some(r#"{"accept":["*/*"],"content-type":["application/json"]}"#.to_owned()),
        request_body_encoding: "none".to_owned(),
        status: 200,
        duration_ms: 0.4,
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "local".to_owned(),
        ingest_path: "local".to_owned(),
        ..Event::default()
    }
}

fn submit(id: EventId, user: u64) -> Append {
    let user = format!("user-{}", user % 5_000);
    let event = Event {
        event_type: submission::SUBMITTED.to_owned(),
        user_id: Some(user.clone()),
        request_body: Some(format!(r#"{{"user_id":"{user}","message":"a message of {id}"}}"#)),
        request_body_encoding: "json".to_owned(),
        entity_type: Some(submission::ENTITY.to_owned()),
        entity_id: Some(id.to_string()),
        entity_version: Some(1),
        ..read(id)
    };
    let entity = EntityRef { tenant: event.tenant.clone(), kind: submission::ENTITY.to_owned(), id: id.to_string() };
    Append { event: Sealed::of(event), entity, expected: 0, state: None, unique: None, keep: None }
}

fn change(id: EventId) -> Done<Append> {
    let command = Command::parse_create(r#"{"task":"a task"}"#).map_err(|errors| format!("{errors:?}"))?;
    let entity = EntityRef { tenant: "default".to_owned(), kind: task::ENTITY.to_owned(), id: id.to_string() };
    let made = task::decide(None, command, None, &entity.id, read(id).received_at)
        .map_err(|refusal| format!("{refusal:?}"))?;
    let event = Event {
        event_type: made.event_type.to_owned(),
        entity_type: Some(entity.kind.clone()),
        entity_id: Some(entity.id.clone()),
        entity_version: Some(1),
        event_data: Some(made.data.to_string()),
        state_hash: Some(made.state.hash()),
        state_after: Some(made.state.as_str().to_owned()),
        ..read(id)
    };
    let state = Some(NewState { state: made.state, deleted: false });
    Ok(Append { event: Sealed::of(event), entity, expected: 0, state, unique: None, keep: None })
}
