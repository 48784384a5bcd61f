//! Who is told: one POST a notice, bounded in time; redirections are not followed.

use std::time::Duration;

use bytes::Bytes;
use event::{EventId, Timestamp};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::patience;
use crate::error::{Error, ErrorKind, Result};
use crate::notice::Secret;
use crate::system::System;

/// What is read of an answer, so that its connection can be used again: bytes, and for how long.
const ANSWER: usize = 64 << 10;
const ANSWER_TIME: Duration = Duration::from_millis(500);
/// A connection that is idle for longer may have been closed by the receiver.
const IDLE: Duration = Duration::from_secs(20);

/// Where notices go, and with what.
#[derive(Debug, Clone)]
pub struct Settings {
    /// http or https; without a name and password.
    pub url: Uri,
    /// What they are signed with.
    pub secret: Secret,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// A receiver of notices.
#[derive(Debug, Clone)]
pub struct Receiver {
    settings: Settings,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    system: System,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Taken,
    /// It was not taken, for this reason; the receiver may have asked to be left alone for a while.
    Failed(String, Option<Duration>),
    /// The receiver does not want it, and will not.
    Refused(String),
}

/// Reads where notices go to.
///
/// # Errors
/// It is no http or https URL, or holds a name and password, which would not be sent.
pub fn url(text: &str) -> std::result::Result<Uri, String> {
    let uri: Option<Uri> = text.parse().ok();
    let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    let uri = uri.filter(|uri| uri.authority().is_some_and(|authority| !authority.as_str().contains('@')));
    // The text may hold a token: it is not repeated.
    uri.ok_or_else(|| "must be such as https://hooks.example.org/daybook, without a name and password".to_owned())
}

impl Receiver {
    /// A receiver; nothing is sent yet.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(settings: Settings, system: System) -> Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| {
                Error::new(ErrorKind::Unusable, "cannot read the system's certificates").with_source(error)
            })?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { settings, client, system })
    }

    /// Sends a message once.
    pub async fn send(&self, id: EventId, body: &str) -> Outcome {
        let now = (self.system.now)();
        let request = match self.request(id, body, now) {
            Ok(request) => request,
            Err(error) => return Outcome::Failed(error.to_string(), None),
        };
        let answer = match tokio::time::timeout(self.settings.timeout, self.client.request(request)).await {
            Err(_) => return Outcome::Failed(format!("no answer within {:?}", self.settings.timeout), None),
            Ok(Err(error)) => return Outcome::Failed(chain(&error), None),
            Ok(Ok(answer)) => answer,
        };
        let (status, after) = (answer.status(), answer.headers().get(header::RETRY_AFTER).cloned());
        // What it says besides its status is of no use to anyone here.
        let _ = tokio::time::timeout(ANSWER_TIME, Limited::new(answer.into_body(), ANSWER).collect()).await;
        match status {
            status if status.is_success() => Outcome::Taken,
            StatusCode::GONE => Outcome::Refused(format!("the answer is {status}")),
            status => {
                let after = patience::asked_for(after.as_ref(), (self.system.now)());
                Outcome::Failed(format!("the answer is {status}"), after)
            }
        }
    }

    fn request(&self, id: EventId, body: &str, now: Timestamp) -> http::Result<Request<Full<Bytes>>> {
        let id = id.to_string();
        Request::post(self.settings.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("daybook/", env!("CARGO_PKG_VERSION")))
            .header("webhook-signature", self.settings.secret.sign(&id, now, body))
            .header("webhook-timestamp", now.seconds())
            .header("webhook-id", id)
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
    }
}

/// An error and what caused it: the client's own says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_http_and_holds_no_password() {
        for text in ["http://127.0.0.1:80", "https://hooks.example.org/a?b=c"] {
            assert!(url(text).is_ok(), "{text}");
        }
        for text in ["", "/hooks", "hooks.example.org", "ftp://a.example", "https://s3cret:x@a.example/", "https://"] {
            assert!(url(text).is_err_and(|error| !error.contains("s3cret")), "{text}");
        }
    }
}
