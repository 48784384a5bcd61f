//! What the clients know: what they sent, and what was acknowledged.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The clients' own book, kept apart from the server's.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    sent: usize,
    answers: BTreeMap<u16, usize>,
    acknowledged: Vec<String>,
    unknown: usize,
    /// Changes of each task, as the clients counted them.
    tasks: BTreeMap<String, usize>,
    /// A submission with a secret, and the secret.
    secret: Option<(String, String)>,
    secrets: usize,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request goes out.
    pub fn sent(&self) {
        self.lock().sent += 1;
    }

    /// Notes an answer; a request without one is unknown: it may be in the log, or not.
    pub fn answered(&self, answer: Option<&super::client::Incoming>) {
        let mut inner = self.lock();
        match answer {
            Some(answer) => {
                *inner.answers.entry(answer.status).or_default() += 1;
                inner.acknowledged.extend(answer.event_id.clone());
            }
            None => inner.unknown += 1,
        }
    }

    /// Notes a change of a task.
    pub fn changed(&self, task: &str) {
        *self.lock().tasks.entry(task.to_owned()).or_default() += 1;
    }

    /// Notes that a request with a secret goes out.
    pub fn sent_secret(&self) {
        self.lock().secrets += 1;
    }

    /// Notes a submission that carried a secret.
    pub fn submitted_secret(&self, id: &str, secret: &str) {
        self.lock().secret.get_or_insert((id.to_owned(), secret.to_owned()));
    }

    /// How many answers there are.
    pub fn answers(&self) -> usize {
        self.lock().answers.values().sum()
    }

    /// How many requests went out, and how many of them have no answer.
    pub fn sent_and_unknown(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.sent, inner.unknown)
    }

    /// How many requests went out with a secret.
    pub fn secrets(&self) -> usize {
        self.lock().secrets
    }

    /// Answers by status.
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        self.lock().answers.clone()
    }

    /// Event ids of all answers.
    pub fn acknowledged(&self) -> Vec<String> {
        self.lock().acknowledged.clone()
    }

    /// The task that was changed most.
    pub fn busiest_task(&self) -> Option<String> {
        self.lock().tasks.iter().max_by_key(|(_, changes)| **changes).map(|(id, _)| id.clone())
    }

    /// The submission that carried a secret, and the secret.
    pub fn secret(&self) -> Option<(String, String)> {
        self.lock().secret.clone()
    }
}
