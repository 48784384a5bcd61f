//! The event of a request, from its first byte to its answer.

use event::bounds::{TEXT, cut, method};
use event::domain::{Change, Operation};
use event::redact::{Body, Encoding, Redactor};
use event::{Event, EventId, SCHEMA_VERSION, Sealed, key, sha256_hex};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::auth::Identity;
use crate::http::request::{Received, ReceivedBody};
use crate::http::{Answer, Problem, limits, trace};
use crate::settings::Settings;

/// An event under way: what the request says is there, what came of it is not yet.
#[derive(Debug)]
pub struct Record {
    event: Box<Event>,
    /// The `ingest_path`, should it become a change.
    change_path: String,
    started: u64,
    body: Option<String>,
    set_aside: bool,
}

/// What the log calls a request that changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was answered.
    Read,
    /// It was answered as an earlier request with the same idempotency key had been.
    Replayed,
}

impl Record {
    /// Takes down a request. From here on nothing holds a secret that the mask list knows.
    pub fn begin(settings: &Settings, redactor: &Redactor, received: &Received, event_id: EventId) -> Self {
        let fits = limits::headers_size(received) <= limits::HEADERS;
        let headers = received.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        // Masked first, cut then: half a secret is no longer known as one.
        let header = |name: &str| received.header(name).map(|value| cut(&redactor.text(value), TEXT).to_owned());
        let mut event = Box::new(Event {
            event_id,
            schema_version: SCHEMA_VERSION,
            received_at: received.arrival.received_at,
            request_id: received.request_id.clone().unwrap_or_else(|| event_id.to_string()),
            trace_id: trace::trace_id(received),
            client_ip: received.client_ip.clone(),
            user_agent: header("user-agent"),
            host: header("host"),
            protocol: received.protocol.clone(),
            method: method(&received.method).to_owned(),
            path: cut(&redactor.path(&received.path), limits::PATH).to_owned(),
            query_string: received
                .query
                .as_deref()
                .and_then(|query| redactor.query(query))
                .map(|query| cut(&query, limits::QUERY).to_owned()),
            request_content_type: header("content-type"),
            request_headers: if fits { redactor.headers(headers) } else { None },
            request_bytes: i64::try_from(received.body_size()).unwrap_or(i64::MAX),
            service: settings.service.clone(),
            service_version: settings.service_version.clone(),
            environment: settings.environment.clone(),
            region: settings.region.clone(),
            invocation_id: received.invocation_id.clone(),
            cold_start: received.cold_start,
            ingest_path: settings.ingest_path.clone(),
            ..Event::default()
        });
        let body = keep_body(&mut event, redactor, received);
        let mut record = Self {
            event,
            change_path: settings.change_path.clone(),
            started: received.arrival.started,
            body: None,
            set_aside: false,
        };
        record.place_body(body);
        record.identify(&Identity::anonymous());
        record
    }

    /// A body over the inline limit becomes an object of its own, named by the event.
    fn place_body(&mut self, body: Body) {
        self.event.request_body_encoding = body.encoding.as_str().to_owned();
        self.event.user_id = body.text.as_deref().and_then(who);
        match body.text {
            Some(text) if text.len() > limits::INLINE_BODY => {
                self.event.request_body_ref = Some(key::body(self.event.received_at, self.event.event_id));
                self.event.request_body_encoding = Encoding::Ref.as_str().to_owned();
                self.set_aside = true;
                self.body = Some(text);
            }
            text => {
                self.body.clone_from(&text);
                self.event.request_body = text;
            }
        }
    }

    /// Leaves the body out, but for its length and hash: who is not let in gets no room in the log to fill.
    pub fn omit_body(&mut self) {
        if self.body.take().is_some() {
            (self.event.request_body, self.event.request_body_ref, self.set_aside) = (None, None, false);
            Encoding::Omitted.as_str().clone_into(&mut self.event.request_body_encoding);
        }
    }

    /// Says who is asking.
    pub fn identify(&mut self, identity: &Identity) {
        self.event.tenant.clone_from(&identity.tenant);
        identity.actor_type.clone_into(&mut self.event.actor_type);
        self.event.actor_id.clone_from(&identity.actor_id);
        self.event.api_key_id.clone_from(&identity.api_key_id);
        // A submission belongs to whom its body names: lists are by that.
        if identity.actor_type == "jwt" && self.event.user_id.is_none() {
            self.event.user_id.clone_from(&identity.actor_id);
        }
    }

    /// Says which route it is.
    pub fn route(&mut self, template: &str) {
        self.event.route = Some(template.to_owned());
    }

    /// Says what the request is about, whether or not it changes it.
    pub fn about(&mut self, kind: &str, id: Option<&str>, operation: Operation) {
        self.event.entity_type = Some(kind.to_owned());
        self.event.entity_id = id.map(str::to_owned);
        self.event.operation = Some(operation.as_str().to_owned());
    }

    /// Takes back the id of an entity that was not made after all.
    pub fn made_nothing(&mut self) {
        self.event.entity_id = None;
    }

    /// Says which version of the entity was read.
    pub fn version(&mut self, version: i64) {
        self.event.entity_version = Some(version);
    }

    /// Says what became of the idempotency key.
    pub fn idempotency(&mut self, key: &str, outcome: &str) {
        self.event.idempotency_key = Some(key.to_owned());
        self.event.idempotency_outcome = Some(outcome.to_owned());
    }

    /// The event's id.
    pub fn event_id(&self) -> EventId {
        self.event.event_id
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.event.request_id
    }

    /// The path, masked: fit to be shown in a problem.
    pub fn path(&self) -> &str {
        &self.event.path
    }

    /// When the request came.
    pub fn received_at(&self) -> event::Timestamp {
        self.event.received_at
    }

    /// The body's text after redaction: what `decide` sees.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// Key and content of the body, where it is to be set aside before the event is durable.
    pub fn body_aside(&self) -> Option<(&str, &str)> {
        self.event.request_body_ref.as_deref().zip(self.body.as_deref()).filter(|_| self.set_aside)
    }

    /// The event of a request that changed nothing and was answered.
    pub fn answered(mut self, kind: Kind, answer: &Answer, now: u64) -> Sealed {
        self.event.event_type = match kind {
            Kind::Read => "request.read",
            Kind::Replayed => "request.replayed",
        }
        .to_owned();
        seal(self.event, self.started, answer, now)
    }

    /// The event of a request that was refused or failed.
    pub fn refused(mut self, redactor: &Redactor, problem: &Problem, answer: &Answer, now: u64) -> Sealed {
        self.event.event_type = if problem.status < 500 { "request.rejected" } else { "request.failed" }.to_owned();
        self.event.error_type = Some(problem.slug.to_owned());
        self.event.error_detail = Some(redactor.text(&problem.detail).into_owned());
        seal(self.event, self.started, answer, now)
    }

    /// The event of a submission: its content is its body, it has no state.
    pub fn submitted(&self, event_type: &str, answer: &Answer, now: u64) -> Sealed {
        let mut event = self.change(event_type);
        event.entity_version = Some(1);
        seal(event, self.started, answer, now)
    }

    /// The event of a change, chained to the entity's previous one (I4).
    pub fn changed(&self, change: &Change, previous: Option<String>, answer: &Answer, now: u64) -> Sealed {
        let mut event = self.change(change.event_type);
        event.operation = Some(change.operation.as_str().to_owned());
        event.entity_version = Some(change.version);
        event.event_data = Some(change.data.to_string());
        event.state_hash = Some(change.state.hash());
        event.state_after = Some(change.state.as_str().to_owned());
        event.prev_event_hash = previous;
        seal(event, self.started, answer, now)
    }

    /// The event as it becomes a change's.
    fn change(&self, event_type: &str) -> Box<Event> {
        let (event_type, ingest_path) = (event_type.to_owned(), self.change_path.clone());
        Box::new(Event { event_type, ingest_path, ..Event::clone(&self.event) })
    }
}

/// Closes the event of a request that was taken up at `started` and has its answer at `now`, both microseconds.
fn seal(mut event: Box<Event>, started: u64, answer: &Answer, now: u64) -> Sealed {
    event.status = i32::from(answer.status);
    event.response_bytes = i64::try_from(answer.size()).ok();
    let micros = u32::try_from(now.saturating_sub(started)).unwrap_or(u32::MAX);
    event.duration_ms = f64::from(micros) / 1_000.0;
    Sealed::of(event)
}

fn keep_body(event: &mut Event, redactor: &Redactor, received: &Received) -> Body {
    if let ReceivedBody::Kept { sha256, .. } = &received.body {
        event.request_body_sha256 = Some(sha256.clone());
    }
    let ReceivedBody::Whole(bytes) = &received.body else {
        return Body { text: None, encoding: Encoding::Omitted };
    };
    if !bytes.is_empty() {
        event.request_body_sha256 = Some(sha256_hex(bytes));
        // What is compressed cannot be searched for secrets.
        if limits::is_encoded(received) {
            return Body { text: None, encoding: Encoding::Omitted };
        }
    }
    redactor.body(event.request_content_type.as_deref(), bytes)
}

/// `user_id`, else `userId`, of a JSON body.
fn who(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Who<'a> {
        #[serde(borrow)]
        user_id: Option<&'a RawValue>,
        #[serde(borrow, rename = "userId")]
        camel: Option<&'a RawValue>,
    }
    let who: Who<'_> = serde_json::from_str(body).ok()?;
    // As for a submission: `userId` counts only where there is no `user_id`, and nothing but a string is an id.
    let id: String = serde_json::from_str(who.user_id.or(who.camel)?.get()).ok()?;
    Some(id).filter(|id| id.chars().count() <= event::domain::submission::USER_ID_MAX)
}
