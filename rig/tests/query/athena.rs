//! A stand-in for Athena that does what moto's does not: queries that take a while, fail or are stopped, answers of
//! several pages with the heading in the first, throttling, and statistics.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the stand-in does with every query.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The states that it tells, one after the other; the last one again and again.
    pub states: Vec<Value>,
    /// Names and types of the answer's columns.
    pub columns: Vec<(&'static str, &'static str)>,
    /// The answer's rows, without the heading.
    pub rows: Vec<Vec<Option<String>>>,
    /// Bytes it says it read.
    pub scanned: u64,
    /// Whether it says that the answer is an older one.
    pub reused: bool,
    /// How many requests are throttled first.
    pub throttled: usize,
    /// Whether it has forgotten every query that was started.
    pub gone: bool,
}

/// What was asked of the stand-in: operation and body.
pub type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Starts the stand-in; it ends with the test's runtime.
pub async fn start(script: Script) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let (script, log) = (Arc::new(script), Arc::clone(&asked));
    let answer = move |request| answer(Arc::clone(&script), Arc::clone(&log), request);
    tokio::spawn(rig::http::serve(listener, answer));
    (address, asked)
}

async fn answer(
    script: Arc<Script>,
    asked: Asked,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers()["x-amz-target"].to_str().unwrap();
    let operation = target.strip_prefix("AmazonAthena.").unwrap().to_owned();
    let body: Value = serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let (nth, polls) = {
        let mut asked = asked.lock().unwrap();
        asked.push((operation.clone(), body.clone()));
        (asked.len(), asked.iter().filter(|(operation, _)| operation == "GetQueryExecution").count())
    };
    let (status, answer) = if nth <= script.throttled {
        (400, json!({"__type": "TooManyRequestsException", "message": "Rate exceeded"}))
    } else if script.gone && operation == "GetQueryExecution" {
        (400, json!({"__type": "InvalidRequestException", "message": "QueryExecution q-1 was not found"}))
    } else {
        (200, script.answer(&operation, &body, polls))
    };
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    Ok(response.body(Full::from(answer.to_string())).unwrap())
}

impl Script {
    fn answer(&self, operation: &str, body: &Value, polls: usize) -> Value {
        match operation {
            "StartQueryExecution" => json!({"QueryExecutionId": "q-1"}),
            "GetQueryExecution" => self.execution(polls),
            "GetQueryResults" => self.page(body["NextToken"].as_str(), body["MaxResults"].as_u64().unwrap()),
            "StopQueryExecution" => json!({}),
            other => panic!("nobody asks for {other}"),
        }
    }

    fn execution(&self, polls: usize) -> Value {
        json!({"QueryExecution": {
            "QueryExecutionId": "q-1",
            "Status": self.states[(polls - 1).min(self.states.len() - 1)],
            "Statistics": {
                "DataScannedInBytes": self.scanned,
                "ResultReuseInformation": {"ReusedPreviousResult": self.reused},
            },
        }})
    }

    fn page(&self, from: Option<&str>, most: u64) -> Value {
        let heading = self.columns.iter().map(|(name, _)| Some((*name).to_owned())).collect();
        let all: Vec<Vec<Option<String>>> = std::iter::once(heading).chain(self.rows.iter().cloned()).collect();
        let from: usize = from.map_or(0, |from| from.parse().unwrap());
        let to = all.len().min(from + usize::try_from(most).unwrap());
        let datum =
            |text: &Option<String>| text.as_ref().map_or_else(|| json!({}), |text| json!({"VarCharValue": text}));
        let row = |row: &Vec<Option<String>>| json!({"Data": row.iter().map(datum).collect::<Vec<_>>()});
        let info = |(name, kind): &(&str, &str)| json!({"Name": name, "Label": name, "Type": kind});
        let mut page = json!({"ResultSet": {
            "Rows": all[from..to].iter().map(row).collect::<Vec<_>>(),
            "ResultSetMetadata": {"ColumnInfo": self.columns.iter().map(info).collect::<Vec<_>>()},
        }});
        if to < all.len() {
            page["NextToken"] = json!(to.to_string());
        }
        page
    }
}
