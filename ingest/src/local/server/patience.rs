//! How long a client is waited for: a timer that is made once for a connection and set anew without a cost.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A client that was asked for something has so long: for a whole head, or for [`PACE`] bytes of anything else.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that must pass within [`PATIENCE`], unless what is waited for ends before.
pub(super) const PACE: usize = 8 << 10;
/// How long what a client still sends is thrown away before the connection is closed behind its back.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// Time that runs only while something is waited for.
#[derive(Debug, Default)]
pub(super) struct Patience {
    until: Option<Instant>,
    passed: usize,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Nothing is waited for, or something new is.
    pub(super) fn restart(&mut self) {
        self.until = None;
        self.passed = 0;
    }

    /// Bytes have passed: enough of them begin the time anew.
    pub(super) fn progress(&mut self, bytes: usize) {
        self.passed = self.passed.saturating_add(bytes);
        if self.passed >= PACE {
            self.restart();
        }
    }

    /// Asked where nothing has come: ready when the time that began with the first such question is over.
    pub(super) fn poll(&mut self, limit: Duration, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + limit);
        // The timer does not fire for a task that has used up its turn, as one that is flooded always has.
        if now >= until {
            return Poll::Ready(());
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn time_runs_from_the_first_question_and_begins_anew_with_progress() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let limit = Duration::from_millis(60);
            let mut patience = Patience::default();
            let begun = Instant::now();
            poll_fn(|context| patience.poll(limit, context)).await;
            assert!(begun.elapsed() >= limit);
            patience.progress(PACE - 1);
            assert!(poll_fn(|context| Poll::Ready(patience.poll(limit, context))).await.is_ready());
            patience.progress(1);
            assert!(poll_fn(|context| Poll::Ready(patience.poll(limit, context))).await.is_pending());
            poll_fn(|context| patience.poll(limit, context)).await;
            assert!(begun.elapsed() >= 2 * limit);
        });
    }
}
