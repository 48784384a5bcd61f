//! What goes out. A response is made from an answer and the receipt of its event, in that order.

use bytes::Bytes;
use event::EventId;

use crate::receipt::Receipt;

/// What to tell the client, before the event of it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Bytes,
    /// The body as it may be kept, where it has secrets.
    open: Option<Bytes>,
    /// What goes out in the place of the body, where it is a stored content.
    content: Option<Part>,
}

/// A part of an asset's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where the content lies.
    pub key: String,
    /// The part's first byte.
    pub start: u64,
    /// Its bytes.
    pub length: u64,
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        // Answers are made of maps with string keys, strings and numbers: they have a JSON form.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self::of(status, "application/json", body)
    }

    /// An answer with a body of any type.
    pub fn of(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
            ..Self::empty(status)
        }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), open: None, content: None }
    }

    /// An answer whose body is a part of a stored content.
    pub fn content(status: u16, part: Part) -> Self {
        let length = part.length.to_string();
        Self { content: Some(part), ..Self::empty(status) }.with("content-length", length)
    }

    /// The same with a body that has secrets besides what it had: what may be kept of it is what it was.
    #[must_use]
    pub fn with_secrets(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), open: Some(self.body), ..self }
    }

    /// The body as it may be kept.
    pub fn without_secrets(&self) -> &Bytes {
        self.open.as_ref().unwrap_or(&self.body)
    }

    /// Bytes of the body.
    pub fn size(&self) -> u64 {
        self.content.as_ref().map_or(self.body.len() as u64, |part| part.length)
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of a header that was set.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// What goes to the client.
///
/// It can be built from an answer only with the [`Receipt`] of the event that records it: no response leaves before
/// its event is durable (I1). The one exception says just that nothing was recorded.
#[derive(Debug)]
pub struct Response {
    answer: Answer,
    event_id: Option<EventId>,
}

impl Response {
    /// The answer to a request whose event is durable.
    #[must_use]
    pub fn new(answer: Answer, receipt: &Receipt) -> Self {
        let event_id = receipt.event_id();
        Self { answer: answer.with("daybook-event-id", event_id.to_string()), event_id: Some(event_id) }
    }

    /// 503: the event could not be made durable. `problem` says whether anything may have changed.
    #[must_use]
    pub fn unrecorded(problem: &super::Problem, request_id: &str, instance: &str) -> Self {
        Self::without_event(503, problem, request_id, instance)
    }

    /// 429 to one of a flood, of which so much is recorded that this one is only counted. Nothing has changed.
    #[must_use]
    pub fn of_flood(problem: &super::Problem, request_id: &str, instance: &str) -> Self {
        Self::without_event(429, problem, request_id, instance)
    }

    /// The status is no other, whatever the problem is: no answer that says that something was done is without an event.
    fn without_event(status: u16, problem: &super::Problem, request_id: &str, instance: &str) -> Self {
        Self { answer: Answer { status, ..problem.to_answer(request_id, instance) }, event_id: None }
    }

    /// The event that records the request; `None` if it could not be recorded.
    pub fn event_id(&self) -> Option<EventId> {
        self.event_id
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.answer.status
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.header(name)
    }

    /// Headers; names in lower case.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.answer.headers
    }

    /// Body.
    pub fn body(&self) -> &Bytes {
        &self.answer.body
    }

    /// The stored content that goes out in the place of the body.
    pub fn content(&self) -> Option<&Part> {
        self.answer.content.as_ref()
    }

    /// Adds a header that belongs to the connection rather than to the answer.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.answer = self.answer.with(name, value);
        self
    }

    /// As the `http` crate has it. A header value that is not fit for HTTP is left out.
    pub fn into_http<B: From<Bytes>>(self) -> http::Response<B> {
        let mut response = http::Response::new(B::from(self.answer.body));
        *response.status_mut() =
            http::StatusCode::from_u16(self.answer.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.answer.headers {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
