//! What the clients send: submissions, tasks, conflicts, replays, and things no client should send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::client::{Client, Incoming, Outgoing};
use super::ledger::Ledger;

/// What every secret that is sent contains, and nothing else.
pub const SECRETS: [&str; 2] = ["correct-horse-", "swordfish-"];

/// Requests that must be refused and recorded like any other.
const HOSTILE: &[(&str, &str, &str)] = &[
    ("POST", "/data", "{\"user_id\": \"mallory\", \"message\": "),
    ("POST", "/data", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
    ("POST", "/tasks", "{\"task\": \"\", \"status\": \"lost\", \"tenant\": \"other\", \"version\": 9}"),
    ("PUT", "/tasks/not-a-uuid", "{\"status\": \"completed\"}"),
    ("GET", "/tasks/%2e%2e/%2e%2e/etc/passwd", ""),
    ("GET", "/tasks?limit=1000000", ""),
    ("GET", "/tasks?next=forged", ""),
    ("GET", "/.env", ""),
    ("GET", "/?q=%00%0d%0aevil%1b%5b31m&token=swordfish-1234", ""),
    ("BREW", "/coffee", ""),
    ("DELETE", "/data", ""),
];

/// Sends `count` requests from `clients` clients at once; each goes on when the server is back after a crash.
pub async fn send(address: SocketAddr, count: usize, clients: usize, ledger: Arc<Ledger>) {
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..clients).map(|number| {
        let worker = Worker {
            number,
            client: Client::of(address),
            ledger: Arc::clone(&ledger),
            tasks: Vec::new(),
            dice: Dice(number as u64 + 1),
        };
        tokio::spawn(worker.run(Arc::clone(&next), count))
    });
    for worker in workers.collect::<Vec<_>>() {
        // A worker that panicked has sent less; the ledger tells.
        let _ = worker.await;
    }
}

struct Worker {
    number: usize,
    client: Client,
    ledger: Arc<Ledger>,
    tasks: Vec<String>,
    dice: Dice,
}

impl Worker {
    async fn run(mut self, next: Arc<AtomicUsize>, count: usize) {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= count {
                return;
            }
            match self.dice.roll(100) {
                0..40 => self.submit(turn).await,
                40..52 => self.create_task(turn).await,
                52..76 => self.update_task().await,
                76..80 => self.delete_task().await,
                80..86 => self.read().await,
                86..90 => self.submit_twice(turn, next.as_ref()).await,
                90..93 => self.submit_secret(turn).await,
                _ => self.attack(turn).await,
            }
        }
    }

    /// Sends one request. After a crash it waits for the server; what was lost on the way is not sent again.
    async fn exchange(&self, request: Outgoing) -> Option<Incoming> {
        self.ledger.sent();
        let holds =
            |secret: &&str| request.path.contains(secret) || String::from_utf8_lossy(&request.body).contains(secret);
        if SECRETS.iter().any(holds) {
            self.ledger.sent_secret();
        }
        let answer = self.client.send(&request).await;
        self.ledger.answered(answer.as_ref());
        if answer.is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        answer
    }

    fn user(&mut self) -> String {
        format!("user-{:02}", self.dice.roll(8) * self.dice.roll(8))
    }

    fn submission(&mut self, turn: usize) -> String {
        let user = self.user();
        json!({"user_id": user, "message": format!("Record {turn}"), "amount": self.dice.roll(10_000)}).to_string()
    }

    async fn submit(&mut self, turn: usize) {
        let body = self.submission(turn);
        self.exchange(Outgoing::new(Method::POST, "/data").json(body)).await;
    }

    async fn submit_twice(&mut self, turn: usize, next: &AtomicUsize) {
        next.fetch_add(1, Ordering::Relaxed);
        let request = Outgoing::new(Method::POST, "/data")
            .json(self.submission(turn))
            .with("idempotency-key", format!("demo-{}-{turn}", self.number));
        self.exchange(request.clone()).await;
        self.exchange(request).await;
    }

    async fn submit_secret(&mut self, turn: usize) {
        let secret = format!("{}{turn}", SECRETS[0]);
        let body = json!({"user_id": self.user(), "message": "Signing in", "login": {"Password": secret}});
        let answer = self.exchange(Outgoing::new(Method::POST, "/data").json(body.to_string())).await;
        if let Some(id) = answer.as_ref().and_then(|answer| answer.body["id"].as_str()) {
            self.ledger.submitted_secret(id, &secret);
        }
    }

    async fn create_task(&mut self, turn: usize) {
        let body = json!({"task": format!("Do thing {turn}"), "priority": self.dice.pick(&["low", "high", "urgent"])});
        let answer = self.exchange(Outgoing::new(Method::POST, "/tasks").json(body.to_string())).await;
        if let Some(id) = answer.as_ref().and_then(|answer| answer.body["id"].as_str()) {
            self.ledger.changed(id);
            self.tasks.push(id.to_owned());
        }
    }

    /// Changes one of the latest tasks; every fourth time for a version that has passed, which must be refused.
    async fn update_task(&mut self) {
        let Some(id) = self.recent_task() else { return self.submit(0).await };
        let status = self.dice.pick(&["new", "in_progress", "completed"]);
        let mut request =
            Outgoing::new(Method::PUT, format!("/tasks/{id}")).json(json!({"status": status}).to_string());
        if self.dice.roll(4) == 0 {
            request = request.with("if-match", "\"0\"");
        }
        if self.exchange(request).await.is_some_and(|answer| answer.status == 200) {
            self.ledger.changed(&id);
        }
    }

    async fn delete_task(&mut self) {
        let Some(id) = self.tasks.first().cloned() else { return self.submit(0).await };
        self.tasks.remove(0);
        self.exchange(Outgoing::new(Method::DELETE, format!("/tasks/{id}"))).await;
    }

    async fn read(&mut self) {
        let path = match self.recent_task() {
            Some(id) if self.dice.roll(2) == 0 => format!("/tasks/{id}/history"),
            Some(id) => format!("/tasks/{id}"),
            None => "/tasks?status=new&limit=5".to_owned(),
        };
        self.exchange(Outgoing::new(Method::GET, path)).await;
    }

    async fn attack(&mut self, turn: usize) {
        let (method, path, body) = HOSTILE[turn % HOSTILE.len()];
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let request = Outgoing::new(method, path);
        self.exchange(if body.is_empty() { request } else { request.json(body) }).await;
    }

    fn recent_task(&mut self) -> Option<String> {
        let latest = self.tasks.len().min(3);
        let back = self.dice.roll(latest.max(1) as u64);
        self.tasks.iter().rev().nth(usize::try_from(back).unwrap_or(0)).cloned()
    }
}

/// Repeatable chance (xorshift): the same traffic every time, but for who comes first.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides.max(1)
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let index = self.roll(of.len() as u64);
        usize::try_from(index).ok().and_then(|index| of.get(index)).copied().unwrap_or_default()
    }
}
