//! A machine and a client that keeps a ledger, for faults that a script decides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ingest::http::Response;
use rig::flow::{Flow, Req};
use rig::oracle::{Client, Evidence, Ledger, Sums, audit};
use rig::plan::Plan;
use rig::proxy::Traffic;
use serde_json::Value;

/// A machine and its clients.
pub struct World {
    pub flow: Flow,
    ledger: Arc<Ledger>,
    client: tokio::sync::Mutex<Client>,
}

impl World {
    pub async fn new() -> Self {
        let (flow, ledger) = (Flow::new().await, Arc::new(Ledger::default()));
        let client = Client::new("client", 1, Arc::clone(&ledger), Arc::new(Mutex::new(Vec::new())));
        flow.proxy.take();
        Self { flow, ledger, client: tokio::sync::Mutex::new(client) }
    }

    /// Another client that keeps the same ledger.
    pub fn client(&self, name: &str) -> Client {
        Client::new(name, 1, Arc::clone(&self.ledger), Arc::new(Mutex::new(Vec::new())))
    }

    /// Sends a request and expects a status.
    pub async fn send(&self, status: u16, request: Req) -> Response {
        let response = self.client.lock().await.ask(&self.flow, &request).await;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        assert_eq!(response.status(), status, "{request:?}: {text:.600}\n{}", self.flow.proxy.take());
        response
    }

    /// Makes a task and gives its path.
    pub async fn task(&self) -> String {
        let made = self.send(201, Req::post("/tasks", r#"{"task":"a"}"#)).await;
        let made: Value = serde_json::from_slice(made.body()).unwrap();
        format!("/tasks/{}", made["id"].as_str().unwrap())
    }

    /// Sends a request under a plan, and gives what went through meanwhile.
    pub async fn under(&self, plan: Plan, status: u16, request: Req) -> (Response, Traffic) {
        self.flow.proxy.play(plan);
        self.flow.proxy.take();
        let response = self.send(status, request).await;
        self.flow.proxy.heal().await;
        (response, self.flow.proxy.take())
    }

    /// Lets everything heal, and judges by all that was sent.
    pub async fn judge(&self) -> (Sums, Evidence) {
        self.flow.settle().await;
        let evidence = self.flow.evidence().await;
        match audit(&self.ledger.attempts(), &evidence) {
            Ok(sums) => (sums, evidence),
            Err(finding) => panic!("{finding}"),
        }
    }
}

/// Asserts how many requests of each operation went through, and that there were no others.
#[track_caller]
pub fn expect(traffic: &Traffic, counts: &[(&str, u64)]) {
    let expect: BTreeMap<&str, u64> = counts.iter().copied().collect();
    assert_eq!(traffic.counts(), expect, "{traffic}");
}

/// What a request that is recorded through Firehose costs.
pub const PUT: (&str, u64) = ("firehose:PutRecordBatch", 1);
/// A change of an entity.
pub const TRANSACTION: &str = "dynamodb:TransactWriteItems";
