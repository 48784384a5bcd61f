//! A store or sink that fails: no answer without a durable event, and no half change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use event::{Event, Sealed, Timestamp};
use ingest::store::{Append, Appended, EntityRef, EventSink, EventStore, Kept, ListQuery, Listed, Stored};
use ingest::{Error, ErrorKind, Receipt, Result, Settings};
use tokio::sync::Semaphore;

use crate::problems::problem;
use crate::rig::{Backend, Req, Rig, json, on_both};

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    Works,
    AppendUnavailable,
    /// The change is made, but nobody learns of it.
    AppendAnswerLost,
    AppendPanics,
    AppendWaits,
    AppendConflicts,
    ReadUnavailable,
    ReadCorrupt,
    PutUnavailable,
    PutPanics,
    AsideUnavailable,
    AllUnavailable,
    /// Another process keeps the answer between the look-up and the append.
    KeptLate,
}

const MODES: [Mode; 13] = [
    Mode::Works,
    Mode::AppendUnavailable,
    Mode::AppendAnswerLost,
    Mode::AppendPanics,
    Mode::AppendWaits,
    Mode::AppendConflicts,
    Mode::ReadUnavailable,
    Mode::ReadCorrupt,
    Mode::PutUnavailable,
    Mode::PutPanics,
    Mode::AsideUnavailable,
    Mode::AllUnavailable,
    Mode::KeptLate,
];

/// A store and sink before another one.
pub struct Faulty {
    store: Arc<dyn EventStore>,
    sink: Arc<dyn EventSink>,
    mode: AtomicU8,
    arrived: Semaphore,
    gate: Semaphore,
}

impl Faulty {
    pub fn before(backend: &Backend) -> Arc<Self> {
        let (store, sink) = (backend.store(), backend.sink());
        Arc::new(Self { store, sink, mode: AtomicU8::new(0), arrived: Semaphore::new(0), gate: Semaphore::new(0) })
    }

    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// Until an append waits.
    pub async fn waiting(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    pub fn go_on(&self) {
        self.set(Mode::Works);
        self.gate.add_permits(1);
    }

    fn is(&self, mode: Mode) -> bool {
        MODES[usize::from(self.mode.load(Ordering::SeqCst))] == mode
    }

    fn fails(&self, mode: Mode, kind: ErrorKind) -> Result<()> {
        match self.is(mode) || self.is(Mode::AllUnavailable) {
            true => Err(Error::new(kind, "made to fail; /home/secret/path")),
            false => Ok(()),
        }
    }

    fn read(&self) -> Result<()> {
        self.fails(Mode::ReadUnavailable, ErrorKind::Unavailable)?;
        self.fails(Mode::ReadCorrupt, ErrorKind::Corrupt)
    }
}

#[async_trait]
impl EventStore for Faulty {
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>> {
        self.read()?;
        self.store.load(entity).await
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        self.fails(Mode::AppendUnavailable, ErrorKind::Unavailable)?;
        assert!(!self.is(Mode::AppendPanics), "made to panic");
        if self.is(Mode::AppendConflicts) {
            return Ok(Appended::Conflict);
        }
        if self.is(Mode::AppendWaits) {
            self.arrived.add_permits(1);
            self.gate.acquire().await.unwrap().forget();
        }
        let appended = self.store.append(append).await;
        self.fails(Mode::AppendAnswerLost, ErrorKind::Unknown)?;
        appended
    }

    async fn kept(&self, scope: &str, now: Timestamp) -> Result<Option<Kept>> {
        self.read()?;
        if self.is(Mode::KeptLate) {
            return Ok(None);
        }
        self.store.kept(scope, now).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>> {
        self.read()?;
        self.store.list(query).await
    }

    async fn history(&self, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
        self.read()?;
        self.store.history(entity, after, limit).await
    }

    async fn set_aside(&self, key: &str, body: &[u8]) -> Result<()> {
        self.fails(Mode::AsideUnavailable, ErrorKind::Unavailable)?;
        self.store.set_aside(key, body).await
    }

    async fn read_aside(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.store.read_aside(key).await
    }
}

#[async_trait]
impl EventSink for Faulty {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        self.fails(Mode::PutUnavailable, ErrorKind::Unavailable)?;
        assert!(!self.is(Mode::PutPanics), "made to panic");
        self.sink.put(events).await
    }
}

/// What a request is answered with under a fault, and how many events it leaves.
async fn check(rig: &Rig, request: &Req, expect: (u16, &str, usize)) {
    let before = rig.backend.log().await.len();
    let response = rig.api.handle(request.received()).await;
    let (status, slug, events) = expect;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    assert_eq!(response.status(), status, "{request:?}: {text}");
    problem(&response, slug);
    assert!(!text.contains("secret/path"), "the inside stays inside: {text}");
    assert_eq!(response.header("retry-after").is_some(), status == 503 && slug == "unavailable", "{text}");
    let log = rig.backend.log().await;
    assert_eq!(log.len() - before, events, "{request:?}: {text}");
    if slug == "unavailable" && events == 1 {
        assert_eq!(log.last().unwrap().event_type, "request.failed");
    }
    assert_eq!(response.event_id().is_some(), events == 1 && slug != "outcome-unknown");
}

#[test]
fn faults() {
    on_both(async |backend| {
        let faulty = Faulty::before(&backend);
        let rig = Rig::on(backend, faulty.clone(), faulty.clone(), Settings::default());
        let id = {
            let made = rig.api.handle(Req::post("/tasks", r#"{"task":"a"}"#).received()).await;
            json(&made)["id"].as_str().unwrap().to_owned()
        };
        let path = format!("/tasks/{id}");
        let (create, update) = (Req::post("/tasks", r#"{"task":"b"}"#), Req::put(&path, r#"{"task":"c"}"#));
        let submit = Req::post("/data", r#"{"user_id":"u","message":"m"}"#);
        let large = Req::post("/data", &format!(r#"{{"user_id":"u","message":"{}"}}"#, "x".repeat(70_000)));
        let key = create.clone().h("idempotency-key", "k");
        let (get, list, none) = (Req::get(&path), Req::get("/tasks"), Req::get("/nothing"));
        let unavailable = (503, "unavailable", 1);
        let unrecorded = (503, "unavailable", 0);
        for (mode, request, expect) in [
            (Mode::AppendUnavailable, &create, unavailable),
            (Mode::AppendUnavailable, &update, unavailable),
            (Mode::AppendUnavailable, &submit, unavailable),
            (Mode::AppendPanics, &create, (500, "internal-error", 1)),
            (Mode::AppendPanics, &submit, (500, "internal-error", 1)),
            (Mode::AppendConflicts, &update, (409, "conflict", 1)),
            (Mode::AppendConflicts, &create, (500, "internal-error", 1)),
            (Mode::ReadUnavailable, &get, unavailable),
            (Mode::ReadUnavailable, &list, unavailable),
            (Mode::ReadUnavailable, &update, unavailable),
            (Mode::ReadUnavailable, &key, unavailable),
            (Mode::ReadCorrupt, &get, (500, "internal-error", 1)),
            (Mode::PutUnavailable, &get, unrecorded),
            (Mode::PutUnavailable, &none, unrecorded),
            (Mode::PutPanics, &get, unrecorded),
            (Mode::PutPanics, &none, unrecorded),
            (Mode::AsideUnavailable, &large, unrecorded),
            (Mode::AllUnavailable, &create, unrecorded),
            (Mode::AllUnavailable, &get, unrecorded),
            (Mode::AllUnavailable, &none, unrecorded),
        ] {
            faulty.set(mode);
            let conflict = expect.1 == "conflict";
            if conflict {
                let response = rig.api.handle(request.received()).await;
                assert_eq!((response.status(), response.header("retry-after")), (409, Some("1")));
                continue;
            }
            check(&rig, request, expect).await;
        }
        faulty.set(Mode::Works);
        let now = rig.api.handle(get.received()).await;
        assert_eq!((json(&now)["version"].clone(), json(&now)["task"].clone()), (1.into(), "a".into()));
        let list = rig.api.handle(list.received()).await;
        assert_eq!(json(&list)["count"], 1, "nothing was made by halves");
        rig.verify().await;
    });
}

#[test]
fn a_lost_answer_leaves_one_event_and_no_second_one() {
    on_both(async |backend| {
        let faulty = Faulty::before(&backend);
        let rig = Rig::on(backend, faulty.clone(), faulty.clone(), Settings::default());
        faulty.set(Mode::AppendAnswerLost);
        let create = Req::post("/tasks", r#"{"task":"a"}"#).h("idempotency-key", "k");
        check(&rig, &create, (503, "outcome-unknown", 1)).await;
        faulty.set(Mode::Works);
        let again = rig.api.handle(create.received()).await;
        assert_eq!((again.status(), again.header("idempotency-replayed")), (201, Some("true")));
        rig.verify().await;
    });
}

#[test]
fn a_key_that_another_process_used_meanwhile_is_replayed() {
    on_both(async |backend| {
        let faulty = Faulty::before(&backend);
        let rig = Rig::on(backend, faulty.clone(), faulty.clone(), Settings::default());
        let create = |task: &str| Req::post("/tasks", &format!(r#"{{"task":"{task}"}}"#)).h("idempotency-key", "k");
        let first = rig.expect(201, create("a")).await;
        faulty.set(Mode::KeptLate);
        let again = rig.expect(201, create("a")).await;
        assert_eq!((again.body(), again.header("idempotency-replayed")), (first.body(), Some("true")));
        let event = rig.last_event().await;
        assert_eq!(
            (event.event_type.as_str(), event.entity_id, event.entity_version),
            ("request.replayed", None, None)
        );
        problem(&rig.expect(422, create("b")).await, "idempotency-key-reused");
        rig.verify().await;
    });
}
