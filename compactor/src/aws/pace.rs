//! Whether there is time for another commit: judged by those before it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Judges from the time left before each commit.
#[derive(Debug, Default)]
pub(super) struct Pace {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// What was left before the commit that ends now.
    before: Option<Duration>,
    slowest: Duration,
}

impl Pace {
    /// Whether a commit that takes half as long again as the slowest so far would not end within what is `left`.
    ///
    /// To be asked before every commit. The first one is always begun, unless nothing is left at all: how long it takes
    /// nobody knows yet.
    pub(super) fn is_over(&self, left: Option<Duration>) -> bool {
        let Some(left) = left else { return false };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let took = seen.before.map_or(Duration::ZERO, |before| before.saturating_sub(left));
        *seen = Seen { before: Some(left), slowest: seen.slowest.max(took) };
        left.is_zero() || left < seen.slowest * 3 / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_begun_only_if_one_like_the_slowest_would_end() {
        let check = |lefts: &[u64], expect: &[bool]| {
            let pace = Pace::default();
            let over: Vec<bool> = lefts.iter().map(|left| pace.is_over(Some(Duration::from_secs(*left)))).collect();
            assert_eq!(over, expect, "{lefts:?}");
        };
        check(&[100, 80, 50, 44], &[false, false, false, true]);
        check(&[100, 40], &[false, true]);
        check(&[100, 99, 98], &[false, false, false]);
        check(&[0], &[true]);
        assert!(!Pace::default().is_over(None), "without a deadline there is time");
    }
}
