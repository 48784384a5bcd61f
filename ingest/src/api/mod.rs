//! The API: one request in, one durable event, one response out.

mod admission;
mod assets;
mod change;
#[cfg(feature = "local")]
mod content;
mod data;
mod dispatch;
mod document;
mod entity;
mod history;
mod page;
mod queries;
mod random;
mod tasks;
mod users;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use event::redact::Redactor;
use event::{EventId, EventIds, Sealed};
use futures::FutureExt;

use self::document::Documents;
use crate::assets::AssetStore;
use crate::error::{Error, ErrorKind};
use crate::http::auth::{Credentials, Gate};
use crate::http::cursor::Cursors;
use crate::http::idempotency::InFlight;
use crate::http::rates::{Rates, TooMany};
use crate::http::{Answer, Arrival, Problem, Received, Response, caching, cors, limits};
use crate::receipt::Receipt;
use crate::record::{Kind, Record};
use crate::settings::Settings;
use crate::store::{EventSink, EventStore};
use crate::system::System;

pub use admission::Admission;
pub use queries::{Ask, Form, QueryFn};

/// What the API is made of.
pub struct Parts {
    /// Settings.
    pub settings: Settings,
    /// Masks secrets.
    pub redactor: Redactor,
    /// Makes page tokens.
    pub cursors: Cursors,
    /// Ids so far.
    pub ids: EventIds,
    /// Clock and randomness.
    pub system: System,
    /// Where changes go.
    pub store: Arc<dyn EventStore>,
    /// Where everything else goes.
    pub sink: Arc<dyn EventSink>,
    /// Where the contents of assets lie.
    pub assets: Arc<dyn AssetStore>,
    /// Answers named queries, where this process can.
    pub queries: Option<QueryFn>,
    /// What lets people in besides the configured keys.
    pub credentials: Credentials,
}

/// The API of one installation. Shared by all connections.
pub struct Api {
    settings: Settings,
    gate: Gate,
    rates: Rates,
    redactor: Redactor,
    cursors: Cursors,
    ids: Mutex<EventIds>,
    in_flight: InFlight,
    system: System,
    store: Arc<dyn EventStore>,
    sink: Arc<dyn EventSink>,
    assets: Arc<dyn AssetStore>,
    queries: Option<QueryFn>,
    documents: Documents,
    health: Option<HealthFn>,
}

/// Says what `/health` adds about the server that the API is behind.
pub type HealthFn = Box<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Why a request was not carried out.
enum Unfinished {
    /// A problem, which is recorded as the request's answer.
    Problem(Problem),
    /// One of a flood, of which so much is recorded that this is only counted.
    Flood(Problem),
}

impl From<Problem> for Unfinished {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<TooMany> for Unfinished {
    fn from(TooMany { problem, recorded }: TooMany) -> Self {
        if recorded { Self::Problem(problem) } else { Self::Flood(problem) }
    }
}

/// A request that was carried out.
enum Finished {
    /// It changed something, and its event is durable.
    Changed { answer: Answer, receipt: Receipt, log_micros: u64 },
    /// It changed nothing; its event is still to be put.
    Answered { answer: Answer, kind: Kind },
}

impl Api {
    /// The API of these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            gate: Gate::new(&parts.settings, parts.credentials),
            rates: Rates::new(parts.settings.rates, parts.system),
            settings: parts.settings,
            redactor: parts.redactor,
            cursors: parts.cursors,
            ids: Mutex::new(parts.ids),
            in_flight: InFlight::default(),
            system: parts.system,
            store: parts.store,
            sink: parts.sink,
            assets: parts.assets,
            queries: parts.queries,
            documents: Documents::default(),
            health: None,
        }
    }

    /// The same, with word of its server in `/health`.
    #[must_use]
    pub fn with_health(self, health: HealthFn) -> Self {
        Self { health: Some(health), ..self }
    }

    /// What comes before every route; empty for nothing.
    pub fn base_path(&self) -> &str {
        &self.settings.base_path
    }

    /// Takes the time at the first byte of a request.
    pub fn arrival(&self) -> Arrival {
        Arrival { received_at: (self.system.now)(), started: (self.system.monotonic)() }
    }

    /// Answers a request, whatever it is.
    ///
    /// Every request has exactly one event (I6), durable before the response exists (I1). A panic in a handler is a
    /// recorded 500 (I9). Where the event cannot be made durable, the response is 503 and nothing has changed.
    pub async fn handle(&self, received: Received) -> Response {
        self.respond(received, None, Admission::default()).await
    }

    /// Answers a request with a problem that its server has found, and records it like any other.
    pub async fn refuse(&self, received: Received, problem: Problem) -> Response {
        self.respond(received, Some(problem), Admission::default()).await
    }

    /// Answers a request, as [`handle`](Self::handle) or [`refuse`](Self::refuse) do, of which this was found out before.
    pub async fn respond(&self, received: Received, refusal: Option<Problem>, mut admission: Admission) -> Response {
        let event_id = self.next_id(&received.arrival);
        let mut record = Record::begin(&self.settings, &self.redactor, &received, event_id);
        let request_id = record.request_id().to_owned();
        let instance = record.path().to_owned();
        let finished = self.finish(&received, refusal, &mut record, &mut admission).await;
        let finished = finished.and_then(|finished| Ok(self.fitting(finished)?));
        let response = match finished {
            Ok(Finished::Changed { answer, receipt, log_micros }) => {
                Response::new(answer, &receipt).with("server-timing", timing(log_micros))
            }
            Ok(Finished::Answered { answer, kind }) => {
                let now = (self.system.monotonic)();
                self.put(record, &request_id, &instance, answer, |record, answer| record.answered(kind, answer, now))
                    .await
            }
            Err(Unfinished::Flood(problem)) => Response::of_flood(&problem, &request_id, &instance),
            Err(Unfinished::Problem(problem)) if problem.slug == Problem::unknown_outcome("").slug => {
                Response::unrecorded(&problem, &request_id, &instance)
            }
            Err(Unfinished::Problem(problem)) => {
                if matches!(problem.status, 401 | 429) {
                    record.omit_body();
                }
                let now = (self.system.monotonic)();
                let answer = problem.to_answer(&request_id, &instance);
                self.put(record, &request_id, &instance, answer, |record, answer| {
                    record.refused(&self.redactor, &problem, answer, now)
                })
                .await
            }
        };
        let caching = match self.settings.client_caching {
            true => caching::headers(&received, &response),
            false => vec![("cache-control", caching::NOTHING)],
        };
        let response = response.with("x-request-id", request_id);
        let cors = cors::headers(&received, &self.settings.cors_origins);
        let response = caching.into_iter().fold(response, |response, (name, value)| response.with(name, value));
        cors.into_iter()
            .chain(admission.meter.headers())
            .fold(response, |response, (name, value)| response.with(name, value))
    }

    async fn finish(
        &self,
        received: &Received,
        refusal: Option<Problem>,
        record: &mut Record,
        admission: &mut Admission,
    ) -> Result<Finished, Unfinished> {
        let work = AssertUnwindSafe(async {
            if !admission.is_metered
                && let Err(too_many) = self.rates.take_address(received.client_ip.as_deref(), &mut admission.meter)
            {
                return Err(self.identify_too_many(received, too_many, record).await);
            }
            match refusal {
                Some(problem) if admission.is_flood => Err(Unfinished::Flood(problem)),
                Some(problem) => Err(self.identify_refused(received, problem, record, admission).await),
                None => self.dispatch(received, record, admission).await,
            }
        });
        work.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(path = record.path(), "a handler panicked");
            Err(Problem::internal("The server failed to handle the request.").into())
        })
    }

    /// Refuses an answer that cannot be carried, before its event exists. What a change answers with is small.
    fn fitting(&self, finished: Finished) -> Result<Finished, Problem> {
        if let (Finished::Answered { answer, .. }, Some(_)) = (&finished, self.settings.largest_answer) {
            self.carry(limits::size_in_json(&answer.body))?;
        }
        Ok(finished)
    }

    /// Refuses an answer of so many bytes if it cannot be carried.
    fn carry(&self, bytes: usize) -> Result<(), Problem> {
        match self.settings.largest_answer {
            Some(most) if bytes > most => {
                let detail = format!("The answer has {bytes} bytes, more than can be carried; ask for fewer entries.");
                Err(Problem::answer_too_large(detail))
            }
            _ => Ok(()),
        }
    }

    /// Makes the event of a request that changed nothing durable, and the response from its receipt.
    async fn put(
        &self,
        record: Record,
        request_id: &str,
        instance: &str,
        answer: Answer,
        event: impl FnOnce(Record, &Answer) -> Sealed,
    ) -> Response {
        let begun = (self.system.monotonic)();
        let put = AssertUnwindSafe(async {
            self.keep_body(&record).await?;
            self.sink.put(vec![event(record, &answer)]).await
        });
        let panicked = |_| Err(Error::new(ErrorKind::Unknown, "recording a request panicked"));
        let receipt = put.catch_unwind().await.unwrap_or_else(panicked).and_then(|receipts| {
            let missing = || Error::new(ErrorKind::Unknown, "the sink gave no receipt");
            receipts.into_iter().next().ok_or_else(missing)
        });
        match receipt {
            Ok(receipt) => {
                let micros = (self.system.monotonic)().saturating_sub(begun);
                Response::new(answer, &receipt).with("server-timing", timing(micros))
            }
            Err(error) => {
                tracing::error!(%error, "a request could not be recorded");
                let problem = Problem::unavailable("The request could not be recorded; nothing has changed.");
                Response::unrecorded(&problem, request_id, instance)
            }
        }
    }

    async fn keep_body(&self, record: &Record) -> Result<(), Error> {
        match record.body_aside() {
            Some((key, body)) => self.store.set_aside(key, body.as_bytes()).await,
            None => Ok(()),
        }
    }

    fn next_id(&self, arrival: &Arrival) -> EventId {
        let random = (self.system.random)();
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).next(arrival.received_at, random)
    }
}

/// `Server-Timing`: how long the log took, milliseconds.
fn timing(micros: u64) -> String {
    format!("log;dur={}.{:03}", micros / 1_000, micros % 1_000)
}

/// A store's error as the client sees it. What went wrong inside stays inside.
fn unavailable(error: &Error) -> Problem {
    tracing::error!(%error, "the store failed");
    match error.kind() {
        ErrorKind::Unknown => Problem::unknown_outcome(
            "It is not known whether the change was made; read the entity before you repeat the request.",
        ),
        ErrorKind::TooLarge => Problem::too_large("The request makes more than the store can keep in one place."),
        ErrorKind::Corrupt => Problem::internal("What is stored for this request is damaged."),
        ErrorKind::Unavailable | ErrorKind::InUse | ErrorKind::Unusable => {
            Problem::unavailable("The store cannot take the request now.")
        }
    }
}
