//! What waits for the one who does it, in the order in which it came.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many may wait is bounded. There is one who takes, and it is woken when there are as many as it waits for, not for
/// each.
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    enough: Condvar,
    most: usize,
}

struct Inner<T> {
    waiting: VecDeque<T>,
    /// At how many the one who takes is woken: more than there are, so that one of the next brings it; none while it does
    /// not wait.
    wanted: Option<usize>,
    closed: bool,
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Queue").field("most", &self.most).finish_non_exhaustive()
    }
}

/// Why something cannot be put into a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Full,
    Closed,
}

impl<T> Queue<T> {
    /// An empty one, for at most so many.
    pub fn new(most: usize) -> Self {
        let inner = Inner { waiting: VecDeque::new(), wanted: None, closed: false };
        Self { inner: Mutex::new(inner), enough: Condvar::new(), most }
    }

    /// Puts one at the end.
    ///
    /// # Errors
    /// The queue is full or closed.
    pub fn push(&self, item: T) -> Result<(), Refused> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        if inner.waiting.len() >= self.most {
            return Err(Refused::Full);
        }
        inner.waiting.push_back(item);
        let is_enough = inner.wanted == Some(inner.waiting.len());
        drop(inner);
        if is_enough {
            self.enough.notify_one();
        }
        Ok(())
    }

    /// Waits until there are `wanted` of them, whether they fit or not, but not longer than `limit`, if there is one. Takes
    /// those from the front that `fits` agrees to, as far as the first that it does not; nothing once the queue is closed
    /// and empty.
    pub fn take(&self, wanted: usize, limit: Option<Duration>, mut fits: impl FnMut(&T) -> bool) -> Option<Vec<T>> {
        let mut inner = self.lock();
        let lacks = |inner: &mut Inner<T>| inner.waiting.len() < wanted && !inner.closed;
        if lacks(&mut inner) {
            inner.wanted = Some(wanted);
            inner = match limit {
                None => self.enough.wait_while(inner, lacks).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    self.enough.wait_timeout_while(inner, limit, lacks).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            inner.wanted = None;
        }
        if inner.closed && inner.waiting.is_empty() {
            return None;
        }
        let mut taken = Vec::with_capacity(inner.waiting.len());
        while let Some(item) = inner.waiting.pop_front_if(|item| fits(item)) {
            taken.push(item);
        }
        Some(taken)
    }

    /// Takes nothing more in; what waits can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.enough.notify_one();
    }

    /// Takes nothing more in, and drops what waits.
    pub fn abandon(&self) {
        let waiting = {
            let mut inner = self.lock();
            inner.closed = true;
            std::mem::take(&mut inner.waiting)
        };
        drop(waiting);
    }

    /// Whether nothing is taken in any more.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{scope, sleep};

    use tokio::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn what_waits_is_taken_at_once() {
        let queue = Queue::new(4);
        (1..=2).for_each(|item| queue.push(item).unwrap());
        let start = Instant::now();
        assert_eq!(queue.take(1, None, |_| true), Some(vec![1, 2]));
        assert_eq!(queue.take(0, Some(LONG), |_| true), Some(Vec::new()));
        assert!(start.elapsed() < LONG / 2);
    }

    #[test]
    fn the_wait_ends_when_as_many_as_are_wanted_are_there() {
        let queue = Queue::new(8);
        for limit in [None, Some(LONG)] {
            let start = Instant::now();
            let taken = scope(|scope| {
                scope.spawn(|| {
                    for item in 0..3 {
                        sleep(SHORT);
                        queue.push(item).unwrap();
                    }
                });
                queue.take(3, limit, |_| true)
            });
            assert_eq!(taken, Some(vec![0, 1, 2]));
            assert!(start.elapsed() < LONG / 2);
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_limit() {
        let queue = Queue::new(8);
        queue.push(1).unwrap();
        for found in [vec![1], Vec::new()] {
            let start = Instant::now();
            assert_eq!(queue.take(3, Some(SHORT), |_| true), Some(found));
            assert!(start.elapsed() >= SHORT && start.elapsed() < LONG / 2);
        }
    }

    #[test]
    fn one_that_does_not_fit_is_the_first_of_the_next() {
        let queue = Queue::new(8);
        (1..=4).for_each(|item| queue.push(item).unwrap());
        assert_eq!(queue.take(1, None, |item| *item != 3), Some(vec![1, 2]));
        assert_eq!(queue.take(1, None, |item| *item != 3), Some(Vec::new()));
        assert_eq!(queue.take(1, None, |_| true), Some(vec![3, 4]));
    }

    #[test]
    fn a_full_queue_and_a_closed_one_refuse_and_what_waits_is_still_taken() {
        let queue = Queue::new(2);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert_eq!(queue.push(3), Err(Refused::Full));
        queue.close();
        assert_eq!(queue.push(3), Err(Refused::Closed));
        let start = Instant::now();
        assert_eq!(queue.take(8, Some(LONG), |_| true), Some(vec![1, 2]));
        assert_eq!(queue.take(8, Some(LONG), |_| true), None);
        assert!(start.elapsed() < LONG / 2, "a closed queue has nothing to wait for");
    }

    #[test]
    fn closing_ends_every_wait() {
        for (limit, waiting) in [(None, None), (Some(LONG), Some(1))] {
            let queue = Queue::<u8>::new(8);
            waiting.into_iter().for_each(|item| queue.push(item).unwrap());
            let start = Instant::now();
            let taken = scope(|scope| {
                scope.spawn(|| {
                    sleep(SHORT);
                    queue.close();
                });
                queue.take(3, limit, |_| true)
            });
            assert_eq!(taken, waiting.map(|item| vec![item]));
            assert!(start.elapsed() < LONG / 2);
        }
    }

    #[test]
    fn an_abandoned_queue_drops_what_waits() {
        let queue = Queue::new(2);
        let item = std::sync::Arc::new(());
        queue.push(std::sync::Arc::clone(&item)).unwrap();
        queue.abandon();
        assert_eq!(std::sync::Arc::strong_count(&item), 1);
        assert!(queue.is_closed());
        assert_eq!(queue.push(item), Err(Refused::Closed));
    }
}
