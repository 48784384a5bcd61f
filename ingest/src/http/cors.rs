//! Cross-origin requests: an exact list of origins, nothing by default.

use super::request::Received;

const EXPOSED: &str = "ETag, Location, Link, Retry-After, X-Request-Id, Daybook-Event-Id, Idempotency-Replayed, Server-Timing, \
     Daybook-Seed, RateLimit, RateLimit-Policy, WWW-Authenticate";
const ALLOWED: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Api-Key, traceparent";

/// The request's origin, if it is on the list.
fn allowed<'a>(received: &'a Received, origins: &[String]) -> Option<&'a str> {
    received.header("origin").filter(|origin| origins.iter().any(|allowed| allowed == origin))
}

/// Headers for any answer, errors included. `Vary` is set as soon as any origin is allowed, or caches would mix them.
pub fn headers(received: &Received, origins: &[String]) -> Vec<(&'static str, String)> {
    if origins.is_empty() {
        return Vec::new();
    }
    let mut headers = vec![("vary", "Origin".to_owned())];
    if let Some(origin) = allowed(received, origins) {
        headers.push(("access-control-allow-origin", origin.to_owned()));
        headers.push(("access-control-expose-headers", EXPOSED.to_owned()));
    }
    headers
}

/// Whether this is a preflight: `OPTIONS` with an origin and the method it asks for.
pub fn is_preflight(received: &Received) -> bool {
    received.method == "OPTIONS"
        && received.headers.contains_key("origin")
        && received.headers.contains_key("access-control-request-method")
}

/// What a preflight from an allowed origin is told besides [`headers`].
pub fn preflight(received: &Received, origins: &[String], methods: &str) -> Vec<(&'static str, String)> {
    if allowed(received, origins).is_none() {
        return Vec::new();
    }
    vec![
        ("access-control-allow-methods", methods.to_owned()),
        ("access-control-allow-headers", ALLOWED.to_owned()),
        ("access-control-max-age", "600".to_owned()),
    ]
}
