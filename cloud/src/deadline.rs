//! How long the invocation under way has left, known to everything that calls a service on its behalf.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When the work must be finished; clones share it. Without a time set, nothing is bounded.
///
/// Set anew by whoever takes invocations, one at a time; asked by every adapter for every call.
#[derive(Debug, Clone, Default)]
pub struct Deadline {
    at: Arc<Mutex<Option<Instant>>>,
}

/// The deadline came before the work was done. What was under way has been dropped; what it sent may still arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time for the invocation is over")
    }
}

impl std::error::Error for Elapsed {}

impl Deadline {
    /// Sets the time, or takes it away.
    pub fn set(&self, at: Option<Instant>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// How much time is left: zero once it is over, `None` where there is no deadline.
    pub fn remaining(&self) -> Option<Duration> {
        // Tokio's clock, which is the one that `bound` waits by: tests can stop it.
        self.at().map(|at| at.saturating_duration_since(tokio::time::Instant::now().into_std()))
    }

    /// Runs the work for as long as there is time.
    ///
    /// # Errors
    /// The deadline came first.
    pub async fn bound<T>(&self, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        match self.at() {
            None => Ok(work.await),
            Some(at) => tokio::time::timeout_at(at.into(), work).await.map_err(|_| Elapsed),
        }
    }

    fn at(&self) -> Option<Instant> {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
    }

    #[test]
    fn without_a_time_nothing_is_bounded() {
        run(async {
            let deadline = Deadline::default();
            assert_eq!(deadline.remaining(), None);
            assert_eq!(deadline.bound(async { 7 }).await, Ok(7));
        });
    }

    #[test]
    fn clones_share_the_time_and_work_ends_with_it() {
        run(async {
            let deadline = Deadline::default();
            let shared = deadline.clone();
            let begun = tokio::time::Instant::now();
            deadline.set(Some((begun + Duration::from_millis(30)).into_std()));
            assert!(shared.remaining().unwrap() <= Duration::from_millis(30));
            assert_eq!(shared.bound(std::future::pending::<()>()).await, Err(Elapsed));
            assert!(begun.elapsed() >= Duration::from_millis(30));
            assert_eq!(shared.remaining(), Some(Duration::ZERO));
            deadline.set(None);
            assert_eq!(shared.bound(async { 7 }).await, Ok(7));
        });
    }
}
