//! A client of the API: it sends what comes to its mind, and writes all of it down.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event::sha256_hex;
use ingest::http::Response;

use super::{Heard, Ledger, Sent};
use crate::flow::{Flow, Req};
use crate::random::Random;

/// How often a request with a key is sent while it is not known what became of it.
const TRIES: usize = 4;
/// Ids that name nothing.
const NOBODY: &str = "019aa0c5-6f8b-7000-8000-000000000000";

/// One client. Clients of one test share ledger and tasks, so that they meet at the same ones.
#[derive(Debug)]
pub struct Client {
    name: String,
    count: u64,
    random: Random,
    ledger: Arc<Ledger>,
    tasks: Arc<Mutex<Vec<String>>>,
    /// Requests with a key of which it is not known yet what became of them.
    open: Vec<(String, Req)>,
}

impl Client {
    /// A client of this name, which no other client of the ledger may have.
    pub fn new(name: &str, seed: u64, ledger: Arc<Ledger>, tasks: Arc<Mutex<Vec<String>>>) -> Self {
        let random = Random::of(seed, name, 0);
        Self { name: name.to_owned(), count: 0, random, ledger, tasks, open: Vec::new() }
    }

    /// Does one thing.
    pub async fn act(&mut self, flow: &Flow) {
        let purpose = format!("{}-{}", self.name, self.count);
        let keyed = self.random.percent(50);
        match self.random.below(100) {
            0..25 => self.submit(flow, &purpose, keyed).await,
            25..42 => self.create(flow, &purpose, keyed).await,
            42..66 => self.change(flow, &purpose, keyed).await,
            66..70 => self.delete(flow, &purpose, keyed).await,
            70..86 => self.read(flow, &purpose).await,
            _ => self.be_refused(flow, &purpose).await,
        }
    }

    /// Sends one request, once, and writes it down.
    #[expect(clippy::expect_used, reason = "a request that is not given up is answered")]
    pub async fn ask(&mut self, flow: &Flow, request: &Req) -> Response {
        let purpose = format!("{}-{}", self.name, self.count);
        let (_, response) = self.attempt(flow, &purpose, false, request, None).await;
        response.expect("nobody gives it up")
    }

    /// Repeats what is still open under its key, now that nothing fails any more.
    ///
    /// # Errors
    /// One of them is still not answered.
    pub async fn make_sure(&mut self, flow: &Flow) -> Result<(), String> {
        for (purpose, request) in std::mem::take(&mut self.open) {
            let mut last = Heard::Nothing;
            for _ in 0..TRIES {
                last = self.attempt(flow, &purpose, true, &request, None).await.0;
                if last.is_settled() {
                    break;
                }
            }
            if !last.is_settled() {
                return Err(format!("{purpose}: {last:?} though nothing fails any more"));
            }
        }
        Ok(())
    }

    async fn submit(&mut self, flow: &Flow, purpose: &str, keyed: bool) {
        // Some are so long that their bodies are set aside.
        let filler = "x".repeat(if self.random.percent(8) { 70_000 } else { 40 });
        let body = format!(r#"{{"user_id":"{}","message":"{purpose}","filler":"{filler}"}}"#, self.name);
        self.send(flow, purpose, keyed, Req::post("/data", &body)).await;
    }

    async fn create(&mut self, flow: &Flow, purpose: &str, keyed: bool) {
        let body = format!(r#"{{"task":"{purpose}","priority":"high"}}"#);
        let Some(response) = self.send(flow, purpose, keyed, Req::post("/tasks", &body)).await else { return };
        let made: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if let (201, Some(id)) = (response.status(), made["id"].as_str()) {
            self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
        }
    }

    async fn change(&mut self, flow: &Flow, purpose: &str, keyed: bool) {
        let Some(id) = self.any_task() else { return self.create(flow, purpose, keyed).await };
        let body = format!(r#"{{"task":"{purpose}","status":"in_progress"}}"#);
        let request = Req::put(&format!("/tasks/{id}"), &body);
        let request = if self.random.percent(20) { request.header("if-match", "\"1\"") } else { request };
        self.send(flow, purpose, keyed, request).await;
    }

    async fn delete(&mut self, flow: &Flow, purpose: &str, keyed: bool) {
        let Some(id) = self.any_task() else { return };
        self.send(flow, purpose, keyed, Req::new("DELETE", &format!("/tasks/{id}"))).await;
    }

    async fn read(&mut self, flow: &Flow, purpose: &str) {
        let id = self.any_task().unwrap_or_else(|| NOBODY.to_owned());
        let list = format!("/data?user_id={}", self.name);
        let paths = [format!("/tasks/{id}"), format!("/tasks/{id}/history"), "/tasks?limit=3".to_owned(), list];
        let path = self.random.choice(&paths).cloned().unwrap_or_default();
        self.send(flow, purpose, false, Req::get(&path)).await;
    }

    async fn be_refused(&mut self, flow: &Flow, purpose: &str) {
        let refusals = [
            Req::post("/tasks", &format!(r#"{{"task":"","status":"{purpose}"}}"#)),
            Req::post("/data", &format!(r#"{{"user_id":"{purpose}""#)),
            Req::new("PATCH", "/tasks"),
            Req::get(&format!("/nothing/{purpose}")),
            Req::new("DELETE", &format!("/tasks/{NOBODY}")),
            Req::post("/data", "a=b").header("content-type", "text/plain"),
        ];
        let Some(request) = self.random.choice(&refusals).cloned() else { return };
        self.send(flow, purpose, false, request).await;
    }

    fn any_task(&mut self) -> Option<String> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // The last few, so that clients meet.
        let recent = &tasks[tasks.len().saturating_sub(4)..];
        self.random.choice(recent).cloned()
    }

    /// Sends a request; one with a key is repeated while it is not known what became of it.
    async fn send(&mut self, flow: &Flow, purpose: &str, keyed: bool, request: Req) -> Option<Response> {
        let request = if keyed { request.header("idempotency-key", purpose) } else { request };
        for _ in 0..TRIES {
            // Now and then whoever carries it out is gone in the middle of it.
            let gone = self.random.percent(4).then(|| Duration::from_millis(self.random.below(40)));
            let (heard, response) = self.attempt(flow, purpose, keyed, &request, gone).await;
            if heard.is_settled() {
                return response;
            }
            if !keyed {
                return None;
            }
        }
        self.open.push((purpose.to_owned(), request));
        None
    }

    async fn attempt(
        &mut self,
        flow: &Flow,
        purpose: &str,
        keyed: bool,
        request: &Req,
        gone: Option<Duration>,
    ) -> (Heard, Option<Response>) {
        let name = format!("{}-{}", self.name, self.count);
        self.count += 1;
        let number = self.ledger.sending(Sent {
            name: name.clone(),
            purpose: purpose.to_owned(),
            keyed,
            method: request.method().to_owned(),
            path: request.path().to_owned(),
            body_sha256: request.body().map(sha256_hex),
        });
        // One of several servers, as on Lambda.
        let server = usize::try_from(self.random.below(8)).unwrap_or_default();
        let request = request.clone().header("user-agent", &name);
        let answer = flow.send(server, &request);
        let response = match gone {
            None => Some(answer.await),
            Some(after) => tokio::time::timeout(after, answer).await.ok(),
        };
        let heard = response.as_ref().map(heard).unwrap_or_default();
        self.ledger.heard(number, heard.clone());
        (heard, response)
    }
}

fn heard(response: &Response) -> Heard {
    let status = response.status();
    match response.event_id() {
        Some(event_id) => Heard::Recorded { status, event_id: event_id.to_string() },
        None => Heard::Unrecorded { status },
    }
}
