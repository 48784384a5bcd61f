//! A small HTTP client: one request, one answer.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends requests to one server over connections that are kept.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    inner: HyperClient<HttpConnector, Full<Bytes>>,
}

/// A request to send.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub status: u16,
    pub event_id: Option<String>,
    pub body: serde_json::Value,
}

impl Outgoing {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), ..Self::default() }
    }

    /// Adds a body, as JSON.
    pub fn json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with("content-type", "application/json")
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Client {
    /// A client of the server at `address`.
    pub fn of(address: SocketAddr) -> Self {
        Self { address, inner: HyperClient::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends a request; `None` if no whole answer came, so that nobody knows what became of it.
    pub async fn send(&self, request: &Outgoing) -> Option<Incoming> {
        let uri = format!("http://{}{}", self.address, request.path);
        let mut builder = Request::builder().method(request.method.clone()).uri(uri);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let request = builder.body(Full::new(Bytes::from(request.body.clone()))).ok()?;
        let exchange = async {
            let (head, body) = self.inner.request(request).await.ok()?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            let event_id = head.headers.get("daybook-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Some(Incoming { status: head.status.as_u16(), event_id, body })
        };
        timeout(PATIENCE, exchange).await.ok().flatten()
    }
}
