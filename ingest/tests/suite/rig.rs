//! An API on a store of any kind, and the promises that hold after every request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use event::redact::{Redactor, Rules};
use event::{Event, EventIds, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};
use ingest::api::QueryFn;
use ingest::http::auth::Credentials;
use ingest::http::cursor::Cursors;
use ingest::http::{Arrival, Received, ReceivedBody, Response, Vouched};
use ingest::store::{EventSink, EventStore};
use ingest::{Api, Parts, Settings, System};
use serde_json::Value;

pub use crate::backend::{Backend, on_both};
use crate::contract;

/// The time of every request that names no other.
pub const NOW: &str = "2026-11-20T09:30:26.123456Z";

/// Runs a test of the API on both stores, and checks the log at its end.
pub fn with_api(settings: &Settings, test: impl AsyncFn(&Rig)) {
    on_both(async |backend| {
        let rig = Rig::new(backend, settings.clone());
        test(&rig).await;
        rig.verify().await;
    });
}

pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

pub fn redactor() -> Redactor {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new([7; 32], Rules::default()).unwrap());
    REDACTOR.clone()
}

pub struct Rig {
    pub api: Arc<Api>,
    pub backend: Backend,
    sent: AtomicUsize,
}

impl Rig {
    pub fn new(backend: Backend, settings: Settings) -> Self {
        let (store, sink) = (backend.store(), backend.sink());
        Self::on(backend, store, sink, settings)
    }

    /// With somebody who answers queries.
    #[allow(dead_code, reason = "not every store's suite asks for it")]
    pub fn asking(backend: Backend, settings: Settings, queries: QueryFn) -> Self {
        let (store, sink) = (backend.store(), backend.sink());
        Self::of(backend, store, sink, settings, Some(queries), Credentials::default())
    }

    /// With more to be let in by than the configured keys.
    pub fn trusting(backend: Backend, settings: Settings, credentials: Credentials) -> Self {
        let (store, sink) = (backend.store(), backend.sink());
        Self::of(backend, store, sink, settings, None, credentials)
    }

    /// With a store or sink that stands before the backend's.
    pub fn on(backend: Backend, store: Arc<dyn EventStore>, sink: Arc<dyn EventSink>, settings: Settings) -> Self {
        Self::of(backend, store, sink, settings, None, Credentials::default())
    }

    fn of(
        backend: Backend,
        store: Arc<dyn EventStore>,
        sink: Arc<dyn EventSink>,
        settings: Settings,
        queries: Option<QueryFn>,
        credentials: Credentials,
    ) -> Self {
        let parts = Parts { queries, credentials, ..parts(&backend, store, sink, settings) };
        Self { api: Arc::new(Api::new(parts)), backend, sent: AtomicUsize::new(0) }
    }

    /// Another API on the same store, with settings of its own. What it answers is not counted here.
    #[allow(dead_code, reason = "not every store's suite asks for it")]
    pub fn another(&self, settings: Settings) -> Api {
        Api::new(parts(&self.backend, self.backend.store(), self.backend.sink(), settings))
    }

    /// Sends a request and checks what holds for every one: one event more, it is this one's (I6), and the document tells of
    /// the answer.
    pub async fn send(&self, request: Req) -> Response {
        let response = self.api.handle(request.received()).await;
        let sent = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let log = self.backend.log().await;
        assert_eq!(log.len(), sent, "events after {request:?}");
        let event = log.last().unwrap();
        assert_eq!(Some(event.event_id), response.event_id());
        assert_eq!(event.status, i32::from(response.status()), "{request:?}");
        assert_eq!(response.header("daybook-event-id"), Some(event.event_id.to_string().as_str()));
        assert_eq!(response.header("x-request-id"), Some(event.request_id.as_str()));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert!(response.header("server-timing").is_some_and(|timing| timing.starts_with("log;dur=")), "{request:?}");
        contract::check(&request, event, &response);
        response
    }

    /// Sends a request and expects a status.
    #[track_caller]
    pub fn expect(&self, status: u16, request: Req) -> impl Future<Output = Response> {
        let caller = std::panic::Location::caller();
        async move {
            let shown = format!("{request:?}");
            let response = self.send(request).await;
            let body = String::from_utf8_lossy(response.body()).into_owned();
            assert_eq!(response.status(), status, "at {caller}: {shown:.300} answered {body:.600}");
            response
        }
    }

    pub async fn last_event(&self) -> Event {
        self.backend.log().await.pop().unwrap()
    }

    /// Makes a task and gives its id.
    pub async fn task(&self, text: &str) -> String {
        let made = self.expect(201, Req::post("/tasks", &format!(r#"{{"task":"{text}"}}"#))).await;
        json(&made)["id"].as_str().unwrap().to_owned()
    }

    /// What holds of the whole log, whatever was sent.
    pub async fn verify(&self) {
        verify_log(&self.backend.log().await);
    }
}

fn parts(backend: &Backend, store: Arc<dyn EventStore>, sink: Arc<dyn EventSink>, settings: Settings) -> Parts {
    Parts {
        settings,
        redactor: redactor(),
        cursors: Cursors::new([9; 32]),
        ids: EventIds::default(),
        system: System::real(),
        store,
        sink,
        assets: backend.assets(),
        queries: None,
        credentials: Credentials::default(),
    }
}

/// Each line is read as it was written, hashes are right, versions have no gap and their chain is intact (I4).
pub fn verify_log(log: &[Event]) {
    let mut entities: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
    let mut ids = std::collections::HashSet::new();
    for event in log {
        assert_eq!(Event::from_line(&event.to_line()).unwrap(), *event);
        assert!(event.hash_holds(), "{}", event.event_id);
        assert!(ids.insert(event.event_id), "{} stands twice", event.event_id);
        if event.state_after.is_some() {
            let entity = (event.tenant.clone(), event.entity_type.clone(), event.entity_id.clone());
            entities.entry(entity).or_default().push(event);
        }
    }
    for events in entities.values() {
        let (mut previous, mut state) = (None, None);
        for (index, event) in events.iter().enumerate() {
            assert_eq!(event.entity_version, Some(index as i64 + 1));
            assert_eq!(event.prev_event_hash.as_ref(), previous);
            let next = event::domain::evolve(state.as_ref(), event).unwrap();
            assert_eq!(Some(next.hash()), event.state_hash);
            (previous, state) = (Some(&event.event_hash), Some(next));
        }
    }
}

pub fn json(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// A request under construction.
#[derive(Debug, Clone)]
pub struct Req {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: ReceivedBody,
    at: Timestamp,
    vouched: Option<Vouched>,
    client_ip: String,
}

impl Req {
    pub fn new(method: &str, target: &str) -> Self {
        let at = Timestamp::parse(NOW).unwrap();
        let body = ReceivedBody::Whole(Bytes::new());
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body,
            at,
            vouched: None,
            client_ip: "127.0.0.1".to_owned(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    pub fn post(target: &str, body: &str) -> Self {
        Self::new("POST", target).body(body)
    }

    pub fn put(target: &str, body: &str) -> Self {
        Self::new("PUT", target).body(body)
    }

    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        self.received_body(ReceivedBody::Whole(Bytes::copy_from_slice(body.as_ref())))
    }

    pub fn received_body(self, body: ReceivedBody) -> Self {
        Self { body, ..self }
    }

    /// Adds a header.
    pub fn h(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Comes through a gateway that knows who sends it.
    #[allow(dead_code, reason = "not every store's suite asks for it")]
    pub fn vouched(self, vouched: Vouched) -> Self {
        Self { vouched: Some(vouched), ..self }
    }

    /// Comes from this address.
    #[allow(dead_code, reason = "not every store's suite asks for it")]
    pub fn from(self, client_ip: &str) -> Self {
        Self { client_ip: client_ip.to_owned(), ..self }
    }

    /// Comes so many seconds later.
    pub fn later(self, seconds: i64) -> Self {
        Self { at: Timestamp::from_micros(self.at.micros() + seconds * 1_000_000), ..self }
    }

    pub fn received(&self) -> Received {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let value = HeaderValue::from_bytes(value).unwrap();
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (self.target.as_str(), None),
        };
        Received {
            arrival: Arrival { received_at: self.at, started: 0 },
            method: self.method.clone(),
            mount: String::new(),
            path: path.to_owned(),
            query,
            headers,
            body: self.body.clone(),
            client_ip: Some(self.client_ip.clone()),
            protocol: Some("HTTP/1.1".to_owned()),
            request_id: None,
            invocation_id: None,
            cold_start: None,
            vouched: self.vouched.clone(),
        }
    }
}
