//! The client: several threads that send what comes to their mind, and write all of it down.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use event::sha256_hex;

use super::ledger::{Attempt, Ledger};
use crate::support::{Http, Lost, Place, Random, Reply, Request, eventually};

/// What makes the test binary a client: `address id seed folder`.
const ORDERS: &str = "DAYBOOK_TEST_LEDGER_CLIENT";
/// Processes that send requests.
const CLIENTS: u64 = 2;
/// Threads of a client.
const THREADS: u64 = 4;
/// How long a client may take to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a request is repeated before the client gives up on the server. Not a time: a machine that was asleep for
/// an hour has not waited for it.
const ATTEMPTS: u32 = 5_000;

/// Not a test: the client's main function. It ends when its standard input does.
#[test]
fn ledger_client() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Vec<&str> = orders.splitn(4, ' ').collect();
    let [address, id, seed, folder] = orders.as_slice() else { panic!("{ORDERS} = {orders:?}") };
    let (address, id): (SocketAddr, u64) = (address.parse().unwrap(), id.parse().unwrap());
    let (seed, folder): (u64, PathBuf) = (seed.parse().unwrap(), folder.into());
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let name = format!("c{id}t{thread}");
            let mut client =
                Client::new(name, address, &folder, Random::new(seed ^ (thread << 32)), Arc::clone(&tasks));
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.act();
                }
            })
        })
        .collect();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Clients in processes of their own; killed when dropped.
pub struct Clients(Vec<Child>);

impl Clients {
    /// Starts them; their ledgers are written beside the data folder of `place`.
    pub fn start(place: &Place, address: SocketAddr, random: &mut Random) -> Self {
        Self((0..CLIENTS).map(|id| start(place, address, id, random.next())).collect())
    }

    /// Lets them end; each finishes what it is doing first, for which a server must be there.
    pub fn finish(mut self) {
        for client in &mut self.0 {
            drop(client.stdin.take());
        }
        for client in &mut self.0 {
            let code = eventually(PATIENCE, "the client ends", || client.try_wait().unwrap());
            assert!(code.success(), "a client failed: {code}");
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        for client in &mut self.0 {
            // Gone already, unless the test has failed.
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

/// The test binary once more, as a client: see [`ledger_client`].
fn start(place: &Place, address: SocketAddr, id: u64, seed: u64) -> Child {
    let orders = format!("{address} {id} {seed} {}", place.beside("").display());
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::client::ledger_client", "--nocapture", "--test-threads=1"])
        .env(ORDERS, orders)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

struct Client {
    name: String,
    count: u64,
    http: Http,
    ledger: Ledger,
    random: Random,
    /// Tasks that the threads of this process know of, so that they meet.
    tasks: Arc<Mutex<Vec<String>>>,
}

impl Client {
    fn new(name: String, address: SocketAddr, folder: &Path, random: Random, tasks: Arc<Mutex<Vec<String>>>) -> Self {
        let ledger = Ledger::create(folder, &name);
        Self { name, count: 0, http: Http::to(address), ledger, random, tasks }
    }

    /// Does one thing.
    fn act(&mut self) {
        let purpose = format!("{}-{}", self.name, self.count);
        let keyed = self.random.between(0, 2) == 0;
        match self.random.between(0, 100) {
            0..30 => self.submit(&purpose, keyed),
            30..50 => self.create(&purpose, keyed),
            50..70 => self.change(&purpose, keyed),
            70..74 => self.delete(&purpose, keyed),
            74..86 => self.read(&purpose),
            _ => self.be_refused(&purpose),
        }
    }

    fn submit(&mut self, purpose: &str, keyed: bool) {
        // Some are so long that their bodies are set aside.
        let filler = if self.random.between(0, 25) == 0 { "x".repeat(70_000) } else { "x".repeat(40) };
        let body = format!(r#"{{"user_id":"{}","message":"{purpose}","filler":"{filler}"}}"#, self.name);
        self.send(purpose, keyed, Request::new("POST", "/data").json(body));
    }

    fn create(&mut self, purpose: &str, keyed: bool) {
        let body = format!(r#"{{"task":"{purpose}","priority":"high"}}"#);
        if let Some(reply) = self.send(purpose, keyed, Request::new("POST", "/tasks").json(body))
            && reply.status == 201
        {
            let id = reply.json()["id"].as_str().unwrap().to_owned();
            self.tasks.lock().unwrap().push(id);
        }
    }

    fn change(&mut self, purpose: &str, keyed: bool) {
        let Some(id) = self.any_task() else { return self.create(purpose, keyed) };
        let mut request = Request::new("PUT", &format!("/tasks/{id}"))
            .json(format!(r#"{{"task":"{purpose}","status":"in_progress"}}"#));
        if self.random.between(0, 4) == 0 {
            request = request.header("if-match", "\"1\"");
        }
        self.send(purpose, keyed, request);
    }

    fn delete(&mut self, purpose: &str, keyed: bool) {
        let Some(id) = self.any_task() else { return };
        self.send(purpose, keyed, Request::new("DELETE", &format!("/tasks/{id}")));
    }

    fn read(&mut self, purpose: &str) {
        let id = self.any_task().unwrap_or_default();
        let paths = [format!("/tasks/{id}"), format!("/tasks/{id}/history"), "/tasks".to_owned(), "/health".to_owned()];
        let path = self.random.choice(&paths).unwrap().clone();
        self.send(purpose, false, Request::new("GET", &path));
    }

    fn be_refused(&mut self, purpose: &str) {
        let refusals = [
            Request::new("POST", "/tasks").json(format!(r#"{{"task":"","status":"{purpose}"}}"#)),
            Request::new("POST", "/data").json(format!(r#"{{"user_id":"{purpose}""#)),
            Request::new("PATCH", "/tasks"),
            Request::new("GET", &format!("/nothing/{purpose}")),
            Request::new("DELETE", "/tasks/019aa0c5-6f8b-7000-8000-000000000000"),
            Request {
                body: Some(b"a=b".to_vec()),
                ..Request::new("POST", "/data").header("content-type", "text/plain")
            },
        ];
        let request = self.random.choice(&refusals).unwrap().clone();
        self.send(purpose, false, request);
    }

    fn any_task(&mut self) -> Option<String> {
        let tasks = self.tasks.lock().unwrap();
        // The last few, so that threads meet at the same task.
        let recent = &tasks[tasks.len().saturating_sub(6)..];
        self.random.choice(recent).cloned()
    }

    /// Sends a request; one with a key is repeated until it is known what became of it.
    fn send(&mut self, purpose: &str, keyed: bool, request: Request) -> Option<Reply> {
        let request = if keyed { request.header("idempotency-key", purpose) } else { request };
        for _ in 0..ATTEMPTS {
            let outcome = self.attempt(purpose, keyed, &request);
            if let Err(lost) = outcome {
                // The server is down, or about to be.
                thread::sleep(Duration::from_millis(10));
                if !keyed && lost == Lost::Unknown {
                    return None;
                }
            }
            match outcome {
                Ok(reply) if reply.status < 500 => return Some(reply),
                Ok(reply) if !keyed => return Some(reply),
                Ok(_) => thread::sleep(Duration::from_millis(10)),
                Err(_) => {}
            }
        }
        panic!("the server does not come back")
    }

    fn attempt(&mut self, purpose: &str, keyed: bool, request: &Request) -> Result<Reply, Lost> {
        let name = format!("{}-{}", self.name, self.count);
        self.count += 1;
        self.ledger.sending(&Attempt {
            name: name.clone(),
            purpose: purpose.to_owned(),
            key: keyed,
            method: request.method.clone(),
            path: request.path.clone(),
            body_sha256: request.body.as_deref().map(sha256_hex),
        });
        let outcome = self.http.send(&request.clone().header("user-agent", &name));
        self.ledger.heard(&name, &outcome);
        outcome
    }
}
