//! The stand-ins behind the proxy, and what they leave out of the services they stand for.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, IF_NONE_MATCH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::operation::Service;
use super::refusal::json_answer;
use crate::http::{Error, exchange};
use crate::plan::Fault;

/// Where the stand-ins listen.
#[derive(Debug, Clone)]
pub struct Upstreams {
    /// DynamoDB and its streams, `host:port`.
    pub dynamodb: String,
    /// Everything else, `host:port`.
    pub others: String,
}

impl Upstreams {
    /// What `rig/emulators/with` says in the SDKs' variables.
    ///
    /// # Errors
    /// A variable is missing: the command is not run by that script.
    #[expect(clippy::disallowed_methods, reason = "where the stand-ins listen is part of a test's environment")]
    pub fn from_environment() -> Result<Self, String> {
        let address = |name: &str| {
            let url = std::env::var(name).map_err(|_| format!("{name} is not set: run it by rig/emulators/with"))?;
            Ok::<_, String>(url.trim_start_matches("http://").trim_end_matches('/').to_owned())
        };
        Ok(Self { dynamodb: address("AWS_ENDPOINT_URL_DYNAMODB")?, others: address("AWS_ENDPOINT_URL")? })
    }

    fn of(&self, service: Service) -> &str {
        match service {
            Service::DynamoDb | Service::Streams => &self.dynamodb,
            _ => &self.others,
        }
    }
}

/// The way to the stand-ins.
#[derive(Debug)]
pub(super) struct Upstream {
    addresses: Upstreams,
    /// moto looks and writes without a lock in between.
    checked_write: Mutex<()>,
}

impl Upstream {
    pub fn new(addresses: Upstreams) -> Self {
        Self { addresses, checked_write: Mutex::new(()) }
    }

    /// Sends a request on, byte for byte but for `Host`, and reads the whole answer.
    ///
    /// A conditional write is one step, as it is on AWS; one of a Glue table also checks `VersionId`, which moto does
    /// not.
    pub async fn send(&self, service: Service, head: &Parts, body: Bytes) -> Result<Response<Bytes>, Error> {
        let updates_table = target(head) == Some("AWSGlue.UpdateTable");
        if !updates_table && !head.headers.contains_key(IF_NONE_MATCH) {
            return self.forward(service, head, body).await;
        }
        let _one_at_a_time = self.checked_write.lock().await;
        if updates_table && let Some(stale) = self.stale(head, &body).await? {
            return Ok(stale);
        }
        self.forward(service, head, body).await
    }

    /// Glue's answer to an update of a version that is not the table's any more.
    async fn stale(&self, head: &Parts, body: &[u8]) -> Result<Option<Response<Bytes>>, Error> {
        let request: Value = serde_json::from_slice(body)?;
        let Some(expected) = request.get("VersionId") else { return Ok(None) };
        let table = json!({ "DatabaseName": request["DatabaseName"], "Name": request["TableInput"]["Name"] });
        let mut head = head.clone();
        head.headers.insert("x-amz-target", HeaderValue::from_static("AWSGlue.GetTable"));
        let found = self.forward(Service::Glue, &head, table.to_string().into()).await?;
        let found: Value = serde_json::from_slice(found.body())?;
        let stale = found["Table"]["VersionId"] != *expected;
        let refusal = || super::refusal::refusal(Fault::Conflict, Service::Glue, "glue:UpdateTable", body);
        Ok(stale.then(refusal).flatten())
    }

    async fn forward(&self, service: Service, head: &Parts, body: Bytes) -> Result<Response<Bytes>, Error> {
        let address = self.addresses.of(service);
        let mut answer = exchange(address, request(address, head, body)?).await?;
        for name in [CONNECTION, TRANSFER_ENCODING] {
            answer.headers_mut().remove(name);
        }
        Ok(answer)
    }
}

/// Whatever was chunked by HTTP is whole by now; `aws-chunked` is a part of the body and stays.
fn request(address: &str, head: &Parts, body: Bytes) -> Result<Request<Full<Bytes>>, Error> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut headers = head.headers.clone();
    for name in [CONNECTION, TRANSFER_ENCODING, EXPECT] {
        headers.remove(name);
    }
    headers.insert(HOST, HeaderValue::from_str(address)?);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = Uri::try_from(target)?;
    *request.headers_mut() = headers;
    Ok(request)
}

fn target(head: &Parts) -> Option<&str> {
    head.headers.get("x-amz-target")?.to_str().ok()
}

/// The answer when a stand-in is gone: no fault of a plan, so a test sees it.
pub(super) fn gone(error: &Error) -> Response<Bytes> {
    json_answer(502, &json!({ "__type": "StandInGone", "message": error.to_string() }))
}
