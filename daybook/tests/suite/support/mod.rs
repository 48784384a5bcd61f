//! What the tests share: servers, clients, command lines, and what is on disk.
//!
//! Every wait is bounded where it is made, so no test can hang: starts, answers, commands and ends each have a limit
//! of their own. A server that is dropped is killed; a folder that is dropped is removed.

mod command;
mod http;
mod log;
mod random;
mod sender;
mod server;

pub use command::{Ran, bounded, bounded_within, daybook, program, wait};
pub use http::{Http, Lost, Reply, Request};
pub use log::{Logged, raw_events, raw_log, raw_objects, rewrite_raw, table_rows};
pub use random::Random;
pub use sender::a_read;
pub use server::{Server, own_loopback};

use std::io::Write;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A place for one installation, removed at the end.
pub struct Place {
    root: tempfile::TempDir,
}

impl Place {
    /// An empty place.
    pub fn new() -> Self {
        Self { root: tempfile::Builder::new().prefix("daybook-test-").tempdir().unwrap() }
    }

    /// The data folder; it is made by whoever uses it first.
    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// A path beside the data folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}

/// Says that a test was not run, and why: past the test runner, which shows only what failed.
pub fn not_run(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "NOT RUN: {what}: {why}");
}

/// Tries until there is a value, and fails after `limit`.
pub fn eventually<T>(limit: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// The value at a JSON pointer as text.
#[track_caller]
pub fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {pointer} in {value}")).to_owned()
}
