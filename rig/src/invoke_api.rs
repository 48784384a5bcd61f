//! Lambda's `Invoke` for tests: functions that call each other by name, each behind a Runtime API of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::runtime_api::{Answer, RuntimeApi};

/// What becomes of an invocation instead of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The function is not invoked: there are too many.
    Throttled,
    /// The function is invoked; its answer is lost.
    Lost,
}

/// The API, at an address of its own. Ends with the test's runtime.
pub struct InvokeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    functions: HashMap<String, RuntimeApi>,
    /// What becomes of the next invocations, the next one last.
    troubles: Mutex<Vec<Trouble>>,
    questions: Mutex<Vec<Value>>,
}

impl InvokeApi {
    /// Starts the API with functions by their names.
    pub async fn start<const N: usize>(functions: [(&str, &RuntimeApi); N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let functions = functions.map(|(name, api)| (name.to_owned(), api.clone())).into();
        let shared = Arc::new(Shared { functions, troubles: Mutex::default(), questions: Mutex::default() });
        let served = Arc::clone(&shared);
        tokio::spawn(crate::http::serve(listener, move |request| serve(Arc::clone(&served), request)));
        Self { address, shared }
    }

    /// For the variable `AWS_ENDPOINT_URL_LAMBDA`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the next invocations end so.
    pub fn trouble(&self, trouble: Trouble, times: usize) {
        *self.shared.troubles.lock().unwrap() = vec![trouble; times];
    }

    /// Takes what functions were asked since the last time.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.shared.questions.lock().unwrap())
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let name = path.strip_prefix("/2015-03-31/functions/").and_then(|rest| rest.strip_suffix("/invocations"));
    let Some(api) = name.and_then(|name| shared.functions.get(name)) else {
        return Ok(refused(404, "ResourceNotFoundException"));
    };
    let event = request.into_body().collect().await.unwrap().to_bytes();
    shared.questions.lock().unwrap().push(serde_json::from_slice(&event).unwrap());
    let trouble = shared.troubles.lock().unwrap().pop();
    if trouble == Some(Trouble::Throttled) {
        return Ok(refused(429, "TooManyRequestsException"));
    }
    let answer = api.invoke(std::str::from_utf8(&event).unwrap()).await;
    Ok(match (trouble, answer) {
        (Some(_), _) => refused(500, "ServiceException"),
        (None, Answer::Success(value)) => Response::new(Full::from(value.to_string())),
        (None, Answer::Failure(error)) => {
            let failed = Response::builder().header("x-amz-function-error", "Unhandled");
            failed.body(Full::from(error.to_string())).unwrap()
        }
    })
}

fn refused(status: u16, code: &str) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header("x-amzn-errortype", code);
    response.body(Full::from(json!({"Type": "User", "message": "made to fail"}).to_string())).unwrap()
}
