//! The event of a request that nothing but the gateway bears witness of.

use sha2::{Digest, Sha256};

use super::line::Line;
use crate::bounds::{PATH, TEXT, cut, method};
use crate::codec::SCHEMA_VERSION;
use crate::envelope::Event;
use crate::id::{EventId, EventIds};
use crate::redact::{Encoding, Redactor};

/// Whose requests the log is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name of the service, for the log.
    pub service: String,
    /// Its version, for the log.
    pub service_version: String,
    /// `production`, `local` …
    pub environment: String,
    /// Cloud region.
    pub region: Option<String>,
}

impl Line {
    /// The event that stands for the request, which has none of its own.
    ///
    /// The same line always makes the same event, so that a line that was delivered twice is one event. Nothing in it
    /// is a secret that `redactor` knows.
    pub fn to_event(&self, source: &Source, redactor: &Redactor) -> Event {
        let value = |name: &str| self.values.get(name).map(str::to_owned);
        let number = |name: &str| self.values.get(name).and_then(|text| text.parse::<u32>().ok());
        let text = |name: &str| self.values.get(name).map(|text| cut(&redactor.text(text), TEXT).to_owned());
        let api_key_id = value("apiKeyId");
        let problem = self.problem();
        Event {
            event_id: self.event_id(),
            event_type: self.event_type().to_owned(),
            schema_version: SCHEMA_VERSION,
            received_at: self.requested_at,
            tenant: "default".to_owned(),
            request_id: cut(&self.request_id, TEXT).to_owned(),
            trace_id: self.values.get("xrayTraceId").and_then(trace_id),
            actor_type: if api_key_id.is_some() { "api_key" } else { "anonymous" }.to_owned(),
            actor_id: api_key_id.clone(),
            api_key_id,
            client_ip: value("ip"),
            user_agent: text("userAgent"),
            host: text("domainName"),
            protocol: value("protocol"),
            method: method(self.values.get("httpMethod").unwrap_or_default()).to_owned(),
            route: self.values.get("routeKey").and_then(route),
            path: cut(&redactor.path(self.path()), PATH).to_owned(),
            request_body_encoding: Encoding::Omitted.as_str().to_owned(),
            status: i32::from(self.status),
            duration_ms: f64::from(number("responseLatency").or_else(|| number("integrationLatency")).unwrap_or(0)),
            response_bytes: number("responseLength").map(i64::from),
            error_type: problem.map(str::to_owned),
            error_detail: problem.map(|_| cut(&redactor.text(&self.detail()), TEXT).to_owned()),
            service: source.service.clone(),
            service_version: source.service_version.clone(),
            environment: source.environment.clone(),
            region: source.region.clone(),
            invocation_id: value("integrationRequestId"),
            ingest_path: "gateway".to_owned(),
            ..Event::default()
        }
        .sealed()
    }

    /// The event's id: a UUIDv7 of the request's time, its other bits from the request's ids.
    pub fn event_id(&self) -> EventId {
        let ids = [self.extended_request_id.as_deref().unwrap_or_default(), &self.request_id].join("\0");
        let digest = Sha256::digest(["gateway", &ids].join("\0"));
        let mut bits = [0; 16];
        bits.copy_from_slice(&digest[..16]);
        EventIds::default().next(self.requested_at, bits)
    }

    /// What happened: the gateway refused; something broke; or the gateway answered by itself, such as from a cache.
    fn event_type(&self) -> &'static str {
        match self.status {
            _ if self.reached_integration() => "request.failed",
            500.. => "request.failed",
            400.. => "gateway.rejected",
            _ => "request.read",
        }
    }

    /// The slug of the problem that comes closest.
    fn problem(&self) -> Option<&'static str> {
        if self.event_type() == "request.read" {
            return None;
        }
        let needs_key = ["INVALID_API_KEY", "MISSING_AUTHENTICATION_TOKEN", "EXPIRED_TOKEN", "INVALID_SIGNATURE"];
        Some(match self.status {
            401 => "unauthenticated",
            403 if self.values.get("responseType").is_some_and(|kind| needs_key.contains(&kind)) => "unauthenticated",
            403 => "forbidden",
            404 => "not-found",
            405 => "method-not-allowed",
            406 => "not-acceptable",
            413 => "content-too-large",
            414 => "uri-too-long",
            415 => "unsupported-media-type",
            429 => "too-many-requests",
            431 => "headers-too-large",
            400..500 => "invalid-request",
            503 => "unavailable",
            504 => "outcome-unknown",
            _ => "internal-error",
        })
    }

    /// All that the gateway says about it, in its own words.
    fn detail(&self) -> String {
        let named = ["responseType", "wafResponseCode", "errorMessage", "authorizerError", "integrationErrorMessage"];
        let mut said: Vec<&str> = named.iter().filter_map(|name| self.values.get(name)).collect();
        said.retain(|text| *text != "WAF_ALLOW");
        if self.reached_integration() && self.status < 500 {
            said.push("The request was handled, but no event of it is in the log.");
        }
        if said.is_empty() { format!("The gateway answered {}.", self.status) } else { said.join(": ") }
    }

    /// The path without the stage, which is part of it where the gateway is asked by its own name.
    fn path(&self) -> &str {
        let path = self.values.get("path").unwrap_or_default();
        let own_name = self.values.get("domainName").is_some_and(|domain| domain.contains(".execute-api."));
        let Some(stage) = self.values.get("stage").filter(|_| own_name) else { return path };
        match path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)) {
            Some("") => "/",
            Some(inner) if inner.starts_with('/') => inner,
            _ => path,
        }
    }
}

/// The route template, without the method that HTTP APIs put before it; a route that takes everything is none.
fn route(key: &str) -> Option<String> {
    let template = key.rsplit(' ').next().unwrap_or(key);
    (template.starts_with('/') && !template.contains("+}")).then(|| template.to_owned())
}

/// 32 hex digits from `1-<8>-<24>`, which may come behind `Root=`.
fn trace_id(value: &str) -> Option<String> {
    let root = value.split(';').next().unwrap_or_default();
    let (time, unique) = root.strip_prefix("Root=").unwrap_or(root).strip_prefix("1-")?.split_once('-')?;
    let hex = |text: &str, length| text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (hex(time, 8) && hex(unique, 24)).then(|| format!("{time}{unique}"))
}
