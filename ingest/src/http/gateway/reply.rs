//! The answer as each gateway wants it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::http::response::Response;
use crate::json::Members;

/// What kind of gateway an event is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A REST API, or an HTTP API with the payload 1.0.
    Rest,
    /// An HTTP API with the payload 2.0, or a function URL.
    HttpApi,
    /// An application load balancer.
    LoadBalancer,
}

impl Kind {
    /// The kind that an event most likely is. REST, where nothing tells.
    pub(super) fn of(event: &Members<'_>, context: &Members<'_>) -> Self {
        let version = event.get("version").text();
        if version.as_deref() == Some("2.0") || !context.get("http").is_nothing() {
            Self::HttpApi
        } else if !context.get("elb").is_nothing() {
            Self::LoadBalancer
        } else {
            Self::Rest
        }
    }
}

/// How to answer an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    kind: Kind,
    /// Whether the load balancer takes several values of a header.
    multiple: bool,
    /// Whether the client wants no body.
    head: bool,
}

impl Shape {
    pub(super) fn new(kind: Kind, multiple: bool, method: &str) -> Self {
        Self { kind, multiple, head: method == "HEAD" }
    }

    /// The kind of gateway that is answered.
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// The response in this shape.
    pub fn reply(self, response: Response) -> Reply {
        Reply { shape: self, response }
    }
}

/// A response in a gateway's shape; its JSON is what the function returns.
#[derive(Debug)]
pub struct Reply {
    shape: Shape,
    response: Response,
}

/// Headers that belong to one connection: the gateway has its own.
const HOP_BY_HOP: [&str; 3] = ["connection", "keep-alive", "transfer-encoding"];

impl Reply {
    /// The headers' values by name. One that is not fit for HTTP is left out.
    fn headers(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut headers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in self.response.headers() {
            if !HOP_BY_HOP.contains(name) && HeaderValue::from_str(value).is_ok() {
                headers.entry(name).or_default().push(value);
            }
        }
        headers
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut headers = self.headers();
        let mut reply = serializer.serialize_map(None)?;
        reply.serialize_entry("statusCode", &self.response.status())?;
        match self.shape.kind {
            Kind::LoadBalancer => reply.serialize_entry("statusDescription", &description(self.response.status()))?,
            Kind::HttpApi => reply.serialize_entry("cookies", &headers.remove("set-cookie").unwrap_or_default())?,
            Kind::Rest => {}
        }
        if self.shape.kind == Kind::Rest || self.shape.kind == Kind::LoadBalancer && self.shape.multiple {
            reply.serialize_entry("multiValueHeaders", &headers)?;
        } else {
            let joined: BTreeMap<&str, String> =
                headers.into_iter().map(|(name, values)| (name, values.join(", "))).collect();
            reply.serialize_entry("headers", &joined)?;
        }
        let body: &[u8] = if self.shape.head { b"" } else { self.response.body() };
        let text = std::str::from_utf8(body);
        reply.serialize_entry("isBase64Encoded", &text.is_err())?;
        match text {
            Ok(text) => reply.serialize_entry("body", text)?,
            Err(_) => reply.serialize_entry("body", &STANDARD.encode(body))?,
        }
        reply.end()
    }
}

/// `404 Not Found`.
fn description(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    format!("{status} {}", reason.unwrap_or("Unknown"))
}
