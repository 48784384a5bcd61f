//! A request as the gateway's adapter would hand it to the API.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use ingest::http::{Arrival, Received, ReceivedBody};

/// A request under construction.
#[derive(Debug, Clone)]
pub struct Req {
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Req {
    /// A request without a body; the target is path and query.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self { method: method.to_owned(), path: path.to_owned(), query, headers: Vec::new(), body: Bytes::new() }
    }

    /// GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// POST of JSON.
    pub fn post(target: &str, body: &str) -> Self {
        Self { body: Bytes::copy_from_slice(body.as_bytes()), ..Self::new("POST", target) }
    }

    /// PUT of JSON.
    pub fn put(target: &str, body: &str) -> Self {
        Self { body: Bytes::copy_from_slice(body.as_bytes()), ..Self::new("PUT", target) }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Path, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The body, if there is one.
    pub fn body(&self) -> Option<&[u8]> {
        (!self.body.is_empty()).then_some(&self.body)
    }

    /// As the API takes it. A header that is none is left out.
    pub fn received(&self, arrival: Arrival) -> Received {
        let headers = self
            .headers
            .iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)));
        Received {
            arrival,
            method: self.method.clone(),
            mount: String::new(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: headers.collect::<HeaderMap>(),
            body: ReceivedBody::Whole(self.body.clone()),
            client_ip: Some("192.0.2.1".to_owned()),
            protocol: Some("HTTP/1.1".to_owned()),
            request_id: None,
            invocation_id: None,
            cold_start: Some(false),
            vouched: None,
        }
    }
}
