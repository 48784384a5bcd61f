//! A stand-in for Athena: its API, answered by a real Trino.
//!
//! Queries are started with parameters, awaited, stopped, and their answers read page by page, as text with a heading in
//! the first page. Refusals have Athena's names. What it leaves out: workgroups, results in S3, the reuse of answers and
//! prices; what a query reads is what Trino says it has processed.

mod execution;
mod results;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_types::SdkConfig;
use aws_types::origin::Origin;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::execution::Execution;
use crate::trino::Trino;

/// A running stand-in, on a port of its own. Ends when it is dropped.
#[derive(Debug)]
pub struct Athena {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    trino: Trino,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    executions: Vec<Arc<Execution>>,
    /// What was started with each token: the request, and the id that it got.
    tokens: HashMap<String, (Value, String)>,
    /// The operations that were asked for, in order.
    asked: Vec<String>,
}

/// A request that Athena would not take.
#[derive(Debug)]
struct Refused {
    name: &'static str,
    code: &'static str,
    message: String,
}

impl Refused {
    fn invalid(message: impl Into<String>) -> Self {
        Self { name: "InvalidRequestException", code: "INVALID_INPUT", message: message.into() }
    }
}

impl Athena {
    /// A stand-in over this server, on a free port of this machine.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(trino: Trino) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { trino, state: Mutex::default() });
        let served = Arc::clone(&shared);
        let listener = tokio::spawn(crate::http::serve(listener, move |request| Arc::clone(&served).answer(request)));
        Ok(Self { address, shared, listener })
    }

    /// The same settings, for clients to find the stand-in.
    pub fn config(&self, settings: &SdkConfig) -> SdkConfig {
        let mut builder = settings.clone().into_builder().endpoint_url(format!("http://{}", self.address));
        // Else the variables that name an endpoint would go before it.
        builder.insert_origin("endpoint_url", Origin::shared_config());
        builder.build()
    }

    /// Trino's id of the newest query, once Trino has it.
    pub fn newest(&self) -> Option<String> {
        self.shared.state().executions.last().and_then(|execution| execution.trino_id())
    }

    /// The operations that were asked for since it was asked last.
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().asked)
    }
}

impl Drop for Athena {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Shared {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.strip_prefix("AmazonAthena.")).unwrap_or_default().to_owned();
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let (status, body) = match self.carry_out(&operation, &body) {
            Ok(answer) => (StatusCode::OK, answer),
            Err(Refused { name, code, message }) => {
                (StatusCode::BAD_REQUEST, json!({"__type": name, "AthenaErrorCode": code, "Message": message}))
            }
        };
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        Ok(response)
    }

    fn carry_out(&self, operation: &str, body: &[u8]) -> Result<Value, Refused> {
        self.state().asked.push(operation.to_owned());
        let unread = |error| Refused { name: "SerializationException", code: "", message: format!("{error}") };
        let request: Value = serde_json::from_slice(body).map_err(unread)?;
        match operation {
            "StartQueryExecution" => self.start_query(request),
            "GetQueryExecution" => Ok(self.execution(&request)?.describe()),
            "GetQueryResults" => self.execution(&request)?.results(&request),
            "StopQueryExecution" => {
                self.execution(&request)?.stop();
                Ok(json!({}))
            }
            other => Err(Refused { name: "UnknownOperationException", code: "", message: other.to_owned() }),
        }
    }

    /// A start that is repeated with its token is the same start.
    fn start_query(&self, request: Value) -> Result<Value, Refused> {
        let token = request["ClientRequestToken"].as_str().map(str::to_owned);
        let mut state = self.state();
        if let Some((before, id)) = token.as_ref().and_then(|token| state.tokens.get(token)) {
            return match *before == request {
                true => Ok(json!({"QueryExecutionId": id})),
                false => Err(Refused::invalid("Idempotent parameters do not match")),
            };
        }
        let execution = Execution::start(self.trino.clone(), state.executions.len() + 1, &request)?;
        let id = execution.id.clone();
        state.executions.push(execution);
        if let Some(token) = token {
            state.tokens.insert(token, (request, id.clone()));
        }
        Ok(json!({"QueryExecutionId": id}))
    }

    fn execution(&self, request: &Value) -> Result<Arc<Execution>, Refused> {
        let id = request["QueryExecutionId"].as_str().unwrap_or_default();
        let found = self.state().executions.iter().find(|execution| execution.id == id).cloned();
        found.ok_or_else(|| Refused::invalid(format!("QueryExecution {id} was not found")))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
