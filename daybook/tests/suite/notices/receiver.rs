//! A receiver of notices that answers as it is told, each connection once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{eventually, text};

/// A connection that gets no answer is held for so long.
const HELD: Duration = Duration::from_secs(30);
/// A notice comes within this, on a machine that does other things as well.
const SOON: Duration = Duration::from_secs(20);

/// A notice as it came.
#[derive(Debug, Clone)]
pub struct Told {
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub at: Instant,
}

/// What a notice is answered with.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// A status, and one more header.
    With(u16, &'static str),
    /// Nothing, while the connection stays open.
    Never,
    /// Nothing; the connection is closed.
    Closed,
}

pub const TAKEN: Answer = Answer::With(204, "");

/// A server of one route.
pub struct Receiver {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Told {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.headers), |(_, value)| value)
    }

    /// The message's id.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn message(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Type, entity and version.
    pub fn what(&self) -> (String, String, i64) {
        let message = self.message();
        let version = message["data"]["version"].as_i64().unwrap_or(0);
        (text(&message, "/type"), text(&message, "/data/entity_id"), version)
    }
}

impl Receiver {
    /// Takes everything.
    pub fn start() -> Self {
        Self::answering(|_, _| TAKEN)
    }

    /// Answers each notice by what it is and how many came before.
    pub fn answering(answer: impl Fn(&Told, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, told) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (answer, kept) = (Arc::new(answer), Arc::clone(&told));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    let Some(told) = read(&mut reader) else { return };
                    let before = {
                        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                        kept.push(told.clone());
                        kept.len() - 1
                    };
                    reply(reader.into_inner(), answer(&told, before));
                });
            }
        });
        Self { address, told }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hooks?from=daybook", self.address)
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it was told once there are so many.
    #[track_caller]
    pub fn await_told(&self, count: usize) -> Vec<Told> {
        eventually(SOON, &format!("{count} notices"), || Some(self.told()).filter(|told| told.len() >= count))
    }
}

fn read(from: &mut BufReader<TcpStream>) -> Option<Told> {
    let mut headers = Vec::new();
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    assert_eq!(line.trim_end(), "POST /hooks?from=daybook HTTP/1.1");
    loop {
        line.clear();
        from.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some(Told { headers, body: String::from_utf8(body).ok()?, at: Instant::now() })
}

fn reply(mut stream: TcpStream, answer: Answer) {
    match answer {
        Answer::Closed => {}
        Answer::Never => thread::sleep(HELD),
        Answer::With(status, header) => {
            let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n{header}\r\n");
            // Whoever does not hear it sends it again.
            let _ = stream.write_all(head.as_bytes());
        }
    }
}
