//! The ledger: what a client was about to send, and what it heard.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::support::{Lost, Place, Reply};

/// A line of a ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Line {
    /// Durable before the request is sent.
    Sent(Attempt),
    /// The answer.
    Answered { name: String, status: u16, event_id: String },
    /// The answer said that the request could not be recorded, or that it is not known whether it was.
    Unrecorded { name: String },
    /// There was none: nobody was there to send to, or it is not known what became of the request.
    Lost { name: String, sent: bool },
}

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// Its own name, sent as `User-Agent`.
    pub name: String,
    /// What it is meant to do; the same for all attempts with one idempotency key.
    pub purpose: String,
    /// Whether it carries an idempotency key.
    pub key: bool,
    pub method: String,
    pub path: String,
    /// SHA-256 of the body; none without one.
    pub body_sha256: Option<String>,
}

/// A client's ledger on disk.
pub struct Ledger {
    file: File,
}

impl Ledger {
    /// A new ledger.
    pub fn create(folder: &Path, name: &str) -> Self {
        let path = folder.join(format!("{name}.ledger"));
        Self { file: File::options().create_new(true).append(true).open(path).unwrap() }
    }

    /// Notes a request durably, before it is sent.
    pub fn sending(&mut self, attempt: &Attempt) {
        self.write(&Line::Sent(attempt.clone()));
        self.file.sync_data().unwrap();
    }

    /// Notes what came of it.
    pub fn heard(&mut self, name: &str, outcome: &Result<Reply, Lost>) {
        let name = name.to_owned();
        self.write(&match outcome {
            Ok(reply) if reply.status == 503 && reply.header("daybook-event-id").is_none() => Line::Unrecorded { name },
            Ok(reply) => Line::Answered { name, status: reply.status, event_id: reply.event_id() },
            Err(lost) => Line::Lost { name, sent: *lost == Lost::Unknown },
        });
    }

    fn write(&mut self, line: &Line) {
        self.file.write_all(format!("{}\n", serde_json::to_string(line).unwrap()).as_bytes()).unwrap();
    }
}

/// All lines of all ledgers, each ledger's in order.
pub fn read_all(place: &Place) -> Vec<Line> {
    let entries = fs::read_dir(place.beside("")).unwrap().map(|entry| entry.unwrap().path());
    let ledgers = entries.filter(|path| path.extension().is_some_and(|extension| extension == "ledger"));
    let texts: Vec<String> = ledgers.map(|path| fs::read_to_string(path).unwrap()).collect();
    texts.iter().flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap())).collect()
}
