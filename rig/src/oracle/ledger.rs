//! The ledger: what a client was about to send, what it heard, and in which order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One request, written down before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its own name, sent as `User-Agent`.
    pub name: String,
    /// What it is meant to do; the same for all attempts with one idempotency key.
    pub purpose: String,
    /// Whether it carries an idempotency key.
    pub keyed: bool,
    /// Method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// SHA-256 of the body, hex; none without one.
    pub body_sha256: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Heard {
    /// An answer that names its event.
    Recorded {
        /// HTTP status.
        status: u16,
        /// The event.
        event_id: String,
    },
    /// An answer that says that nothing could be recorded.
    Unrecorded {
        /// HTTP status.
        status: u16,
    },
    /// Nothing: the client, or whoever worked for it, was gone before.
    #[default]
    Nothing,
}

impl Heard {
    /// Whether the request was carried out, as far as the client knows.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Recorded { status, .. } if *status < 400)
    }

    /// Whether there is no reason to send it again.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Recorded { status, .. } if *status < 500)
    }

    /// Whether the client knows what became of it.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Recorded { .. })
    }
}

/// A request with what came of it. `begun` and `ended` are places in the order of everything that all clients did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The request.
    pub sent: Sent,
    /// What came back.
    pub heard: Heard,
    /// Before it was sent.
    pub begun: u64,
    /// After it was answered, or given up.
    pub ended: u64,
}

/// The ledger of all clients of one test.
#[derive(Debug, Default)]
pub struct Ledger {
    attempts: Mutex<Vec<Attempt>>,
    clock: AtomicU64,
}

impl Ledger {
    /// Notes a request before it is sent. As long as nothing else is noted, nothing was heard.
    pub fn sending(&self, sent: Sent) -> usize {
        let begun = self.tick();
        let mut attempts = self.lock();
        attempts.push(Attempt { sent, heard: Heard::Nothing, begun, ended: u64::MAX });
        attempts.len() - 1
    }

    /// Notes what came of it.
    pub fn heard(&self, number: usize, heard: Heard) {
        let ended = self.tick();
        if let Some(attempt) = self.lock().get_mut(number) {
            (attempt.heard, attempt.ended) = (heard, ended);
        }
    }

    /// Everything so far.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.lock().clone()
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
