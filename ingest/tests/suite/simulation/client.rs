//! A client that does what comes to its mind, and writes down what it sent and heard.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ingest::http::Response;

use super::server::Server;
use super::world::{below, chance, pause};
use crate::rig::{Req, json};

/// How often a request with a key is repeated.
const PATIENCE: usize = 12;

/// One request, and what was heard.
#[derive(Debug)]
pub struct Attempt {
    pub name: String,
    /// The same for all attempts with one key.
    pub purpose: Option<String>,
    pub heard: Heard,
}

/// What became of an attempt, as far as its client knows.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Answer {
        status: u16,
        event_id: String,
    },
    /// 503 without an event.
    Unrecorded,
    Nothing,
}

/// What all clients of a run share.
#[derive(Debug, Default)]
pub struct Ledger {
    pub attempts: Vec<Attempt>,
    /// Tasks that were answered to exist.
    tasks: Vec<String>,
    /// The highest version of each that was acknowledged.
    acknowledged: BTreeMap<String, i64>,
}

pub struct Client {
    name: usize,
    count: usize,
    servers: Vec<Rc<Server>>,
    ledger: Rc<RefCell<Ledger>>,
}

impl Client {
    pub fn new(name: usize, servers: &[Rc<Server>], ledger: &Rc<RefCell<Ledger>>) -> Self {
        Self { name, count: 0, servers: servers.to_vec(), ledger: Rc::clone(ledger) }
    }

    /// Sends so many requests.
    pub async fn act(mut self, requests: usize) {
        for _ in 0..requests {
            pause(below(10)).await;
            match below(20) {
                0..4 => self.create().await,
                4..10 => self.change().await,
                10..14 => self.read().await,
                14..16 => self.submit().await,
                16 => self.remove().await,
                _ => self.look_around().await,
            }
        }
    }

    async fn create(&mut self) {
        let answer = self.send(Req::post("/tasks", r#"{"task":"a"}"#), true).await;
        if let Some(answer) = answer.filter(|answer| answer.status() == 201) {
            let id = json(&answer)["id"].as_str().unwrap().to_owned();
            self.note(&id, 1);
            self.ledger.borrow_mut().tasks.push(id);
        }
    }

    async fn change(&mut self) {
        let Some(id) = self.any_task() else { return };
        let mut request = Req::put(&format!("/tasks/{id}"), &format!(r#"{{"task":"{}-{}"}}"#, self.name, self.count));
        if chance(300) {
            request = request.h("if-match", format!("\"{}\"", 1 + below(4)));
        }
        let answer = self.send(request, true).await;
        if let Some(answer) = answer.filter(|answer| answer.status() == 200) {
            let version = json(&answer)["task"]["version"].as_i64().unwrap();
            self.note(&id, version);
        }
    }

    /// A read shows what was acknowledged before it was sent, or what came later.
    async fn read(&mut self) {
        let Some(id) = self.any_task() else { return };
        let before = self.ledger.borrow().acknowledged.get(&id).copied().unwrap_or(0);
        let answer = self.send(Req::get(&format!("/tasks/{id}")), false).await;
        match answer {
            Some(answer) if answer.status() == 200 => {
                let version = json(&answer)["version"].as_i64().unwrap();
                assert!(version >= before, "version {before} of {id} was acknowledged, then {version} was read");
                self.note(&id, version);
            }
            Some(answer) => assert!(matches!(answer.status(), 404 | 503), "{}", answer.status()),
            None => {}
        }
    }

    async fn submit(&mut self) {
        let filler = if chance(100) { 70_000 } else { 10 };
        let body = format!(r#"{{"user_id":"u{}","message":"{}"}}"#, self.name, "x".repeat(filler));
        if let Some(answer) = self.send(Req::post("/data", &body), true).await
            && answer.status() == 201
        {
            let id = json(&answer)["id"].as_str().unwrap().to_owned();
            let shown = self.send(Req::get(&format!("/data/{id}")), false).await;
            assert!(shown.is_none_or(|shown| matches!(shown.status(), 200 | 503)), "{id} was acknowledged");
        }
    }

    async fn remove(&mut self) {
        let Some(id) = self.any_task() else { return };
        self.send(Req::delete(&format!("/tasks/{id}")), true).await;
    }

    async fn look_around(&mut self) {
        let id = self.any_task().unwrap_or_default();
        let requests = [
            Req::get("/tasks"),
            Req::get(&format!("/tasks/{id}/history")),
            Req::get("/nothing"),
            Req::post("/tasks", r#"{"task":""}"#),
            Req::new("PATCH", "/tasks"),
        ];
        let request = requests[below(requests.len())].clone();
        self.send(request, false).await;
    }

    fn any_task(&self) -> Option<String> {
        let ledger = self.ledger.borrow();
        // The last few, so that clients meet.
        let recent = &ledger.tasks[ledger.tasks.len().saturating_sub(3)..];
        recent.get(below(recent.len())).cloned()
    }

    fn note(&self, id: &str, version: i64) {
        let mut ledger = self.ledger.borrow_mut();
        let known = ledger.acknowledged.entry(id.to_owned()).or_default();
        *known = version.max(*known);
    }

    /// Sends a request; one with a key is repeated until it is known what became of it, or patience ends.
    async fn send(&mut self, request: Req, may_have_key: bool) -> Option<Response> {
        let purpose = (may_have_key && chance(500)).then(|| format!("{}-{}", self.name, self.count));
        let request = match &purpose {
            Some(key) => request.h("idempotency-key", key),
            None => request,
        };
        for _ in 0..if purpose.is_some() { PATIENCE } else { 1 } {
            let answer = self.attempt(&request, purpose.clone()).await;
            match answer {
                Some(answer) if answer.status() < 500 && answer.status() != 409 => return Some(answer),
                Some(answer) if purpose.is_none() => return Some(answer),
                _ => pause(below(20)).await,
            }
        }
        None
    }

    async fn attempt(&mut self, request: &Req, purpose: Option<String>) -> Option<Response> {
        let name = format!("{}-{}", self.name, self.count);
        self.count += 1;
        let server = Rc::clone(&self.servers[below(self.servers.len())]);
        // Noted before it is sent.
        let index = self.ledger.borrow().attempts.len();
        self.ledger.borrow_mut().attempts.push(Attempt { name: name.clone(), purpose, heard: Heard::Nothing });
        let answer = server.send(&request.clone().h("user-agent", &name)).await;
        // The answer, too, may be lost.
        let answer = answer.filter(|_| !chance(20))?;
        let heard = match answer.event_id() {
            Some(id) => Heard::Answer { status: answer.status(), event_id: id.to_string() },
            None => {
                assert_eq!(answer.status(), 503, "only a store that fails is no event");
                Heard::Unrecorded
            }
        };
        self.ledger.borrow_mut().attempts[index].heard = heard;
        Some(answer)
    }
}
