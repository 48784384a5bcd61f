//! Refusals and failures as RFC 9457 problem details.

use event::domain::{FieldError, Refusal};
use serde::Serialize;

use super::response::Answer;

/// Why a request was not carried out: an answer like any other, recorded like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// A word that programs can switch on; the `type` is `urn:daybook:problem:<slug>`.
    pub slug: &'static str,
    /// The kind of problem, the same for all of its kind.
    pub title: &'static str,
    /// This occurrence, for people.
    pub detail: String,
    /// What is wrong with which field.
    pub errors: Vec<FieldError>,
    /// Headers that belong to the problem, such as `Allow`.
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    message: &'a str,
}

/// What all problems of one kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemKind {
    /// HTTP status.
    pub status: u16,
    /// The last part of the `type`.
    pub slug: &'static str,
    /// The title.
    pub title: &'static str,
    /// When it is answered.
    pub when: &'static str,
}

macro_rules! problems {
    ($( #[doc = $doc:literal] $name:ident = $status:literal $slug:literal $title:literal; )+) => {
        impl Problem {
            /// Every kind of problem; `when` begins with the status.
            pub const KINDS: &'static [ProblemKind] =
                &[$( ProblemKind { status: $status, slug: $slug, title: $title, when: $doc }, )+];

            $( #[doc = $doc] pub fn $name(detail: impl Into<String>) -> Self {
                Self::of($status, $slug, $title, detail)
            } )+
        }
    };
}

problems! {
    /// 400: what the request says cannot be read or is not allowed.
    invalid = 400 "invalid-request" "Invalid request";
    /// 400: the answer is larger than can be carried.
    answer_too_large = 400 "answer-too-large" "Answer too large";
    /// 401: no credential, or not a valid one.
    unauthenticated = 401 "unauthenticated" "Authentication required";
    /// 403: a signed URL that was altered, has expired, or is for something else.
    url_refused = 403 "url-not-valid" "URL not valid";
    /// 403: the credential is good, and does not reach this far.
    out_of_scope = 403 "insufficient-scope" "Insufficient scope";
    /// 403: the credential is good, and does not say whose data it opens.
    no_tenant = 403 "no-tenant" "No tenant";
    /// 404: no such thing, or not this tenant's.
    not_found = 404 "not-found" "Not found";
    /// 405: the path exists, the method does not.
    method_not_allowed = 405 "method-not-allowed" "Method not allowed";
    /// 406: no representation that the client accepts.
    not_acceptable = 406 "not-acceptable" "Not acceptable";
    /// 408: head or body did not come in time.
    late = 408 "request-timeout" "Request timeout";
    /// 409: the change does not go with what is there.
    conflict = 409 "conflict" "Conflict";
    /// 409: a request with the same idempotency key is not finished.
    in_flight = 409 "idempotency-key-in-flight" "Idempotency key in flight";
    /// 412: the entity is not at the version the client named.
    stale = 412 "precondition-failed" "Precondition failed";
    /// 413: the body is over the limit.
    too_large = 413 "content-too-large" "Content too large";
    /// 414: path or query are over the limit.
    uri_too_long = 414 "uri-too-long" "URI too long";
    /// 415: the body is of a type the route does not take.
    unsupported_type = 415 "unsupported-media-type" "Unsupported media type";
    /// 416: the content has none of the bytes asked for.
    no_such_range = 416 "range-not-satisfiable" "Range not satisfiable";
    /// 422: the idempotency key was used with another request.
    key_reused = 422 "idempotency-key-reused" "Idempotency key reused";
    /// 428: the change must name the version it is made for.
    precondition_required = 428 "precondition-required" "Precondition required";
    /// 429: more requests than the rate allows.
    too_many = 429 "too-many-requests" "Too many requests";
    /// 431: the headers are over the limit.
    headers_too_large = 431 "headers-too-large" "Request header fields too large";
    /// 500: a fault of the server.
    internal = 500 "internal-error" "Internal error";
    /// 503: the store cannot take the request now.
    unavailable_now = 503 "unavailable" "Service unavailable";
    /// 503: the server has as much in work as it takes on.
    overloaded_now = 503 "overloaded" "Server overloaded";
    /// 503: it is not known whether the change was made.
    unknown_outcome = 503 "outcome-unknown" "Outcome unknown";
    /// 504: a query took too long.
    query_timeout = 504 "query-timeout" "Query timeout";
}

impl Problem {
    fn of(status: u16, slug: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, slug, title, detail: detail.into(), errors: Vec::new(), headers: Vec::new() }
    }

    /// 503 with `Retry-After`.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::unavailable_now(detail).with("retry-after", "1")
    }

    /// 503 for want of room, with `Retry-After`.
    pub fn overloaded(detail: impl Into<String>) -> Self {
        Self::overloaded_now(detail).with("retry-after", "1")
    }

    /// 400 that names the fields.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join(" ");
        Self { errors, ..Self::invalid(detail) }
    }

    /// 400 that names a query parameter or header.
    pub fn parameter(name: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::parameter(name, code, detail)])
    }

    /// 400 for a parameter of a named query: the detail begins with `parameter` and its name, the pointer is for programs.
    pub fn of_query_parameter(detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let name = detail.strip_prefix("parameter ").and_then(|rest| rest.split(':').next()).unwrap_or_default();
        Self::parameter(name, "invalid_value", detail.clone())
    }

    /// A refusal of the domain; `what` names the kind of entity, as in "Task not found".
    pub fn refusal(refusal: Refusal, what: &str, condition: bool) -> Self {
        match refusal {
            Refusal::Invalid(errors) => Self::fields(errors),
            Refusal::NotFound => Self::not_found(format!("{what} not found")),
            Refusal::Exists => Self::conflict(format!("{what} exists already, with other content.")),
            Refusal::Stale { current } if condition => {
                Self::stale(format!("{what} is at version {current}.")).with("etag", format!("\"{current}\""))
            }
            Refusal::Stale { current } => Self::conflict(format!("{what} is at version {current}.")),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The problem as an answer. `message` repeats `detail`, as the task contract has it.
    pub fn to_answer(&self, request_id: &str, instance: &str) -> Answer {
        let details = Details {
            r#type: format!("urn:daybook:problem:{}", self.slug),
            title: self.title,
            status: self.status,
            detail: &self.detail,
            instance,
            request_id,
            errors: &self.errors,
            message: &self.detail,
        };
        let mut answer = Answer::json(self.status, &details);
        answer.headers = vec![("content-type", "application/problem+json".to_owned())];
        answer.headers.extend(self.headers.iter().cloned());
        answer
    }
}
