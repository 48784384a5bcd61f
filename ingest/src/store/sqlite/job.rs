//! What the writer is asked for, and how whoever asked is answered.

use tokio::sync::oneshot;

use super::commit::{Outcome, Work};
use crate::error::Result;

/// Work, and who waits for it.
#[derive(Debug)]
pub struct Job {
    pub work: Work,
    pub reply: oneshot::Sender<Result<Answer>>,
}

/// What came of a job, and the answers that whoever gets it hands on by dropping it.
#[derive(Debug)]
pub struct Answer {
    pub outcome: Outcome,
    _others: Others,
}

/// Answers of a commit that have not been given.
///
/// The writer wakes one that waits, and that one the others: from a thread of the runtime's a wake-up is no system call.
#[derive(Debug, Default)]
pub struct Others(Vec<(oneshot::Sender<Result<Answer>>, Outcome)>);

impl Others {
    /// Those of a commit, each with who waits for it.
    pub fn new(answers: impl Iterator<Item = (oneshot::Sender<Result<Answer>>, Outcome)>) -> Self {
        Self(answers.collect())
    }

    /// Gives the first that still waits its answer, and the others along with it.
    pub fn hand_on(mut self) {
        while let Some((reply, outcome)) = self.0.pop() {
            let others = Self(std::mem::take(&mut self.0));
            match reply.send(Ok(Answer { outcome, _others: others })) {
                // A client that has gone needs no answer; its change is durable all the same.
                Err(Ok(mut back)) => std::mem::swap(&mut self, &mut back._others),
                _ => return,
            }
        }
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        for (reply, outcome) in self.0.drain(..) {
            drop(reply.send(Ok(Answer { outcome, _others: Self::default() })));
        }
    }
}
