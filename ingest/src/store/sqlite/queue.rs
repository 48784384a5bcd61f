//! What waits for the one who does it, in the order in which it came.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

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

    /// Waits for the first; then until there are `wanted` of them, whether they fit or not, but not longer than `delay`.
    /// Takes them from the front, the first and as many after it as `fits` agrees to, and says how long it waited for
    /// others than the first; nothing once the queue is closed and empty.
    pub fn take(&self, wanted: usize, delay: Duration, mut fits: impl FnMut(&T) -> bool) -> Option<(Vec<T>, Duration)> {
        let mut inner = self.lock();
        inner.wanted = Some(1);
        let lacks = |inner: &Inner<T>, wanted| inner.waiting.len() < wanted && !inner.closed;
        inner = self.enough.wait_while(inner, |inner| lacks(inner, 1)).unwrap_or_else(PoisonError::into_inner);
        let mut waited = Duration::ZERO;
        if lacks(&inner, wanted) {
            let start = Instant::now();
            inner.wanted = Some(wanted);
            let woken = self.enough.wait_timeout_while(inner, delay, |inner| lacks(inner, wanted));
            inner = woken.unwrap_or_else(PoisonError::into_inner).0;
            waited = start.elapsed();
        }
        inner.wanted = None;
        let mut taken = Vec::with_capacity(inner.waiting.len());
        while let Some(item) = inner.waiting.pop_front_if(|item| fits(item) || taken.is_empty()) {
            taken.push(item);
        }
        (!taken.is_empty()).then_some((taken, waited))
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

    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(20);

    fn taken(queue: &Queue<u8>, wanted: usize, delay: Duration, fits: impl FnMut(&u8) -> bool) -> Option<Vec<u8>> {
        queue.take(wanted, delay, fits).map(|(taken, _)| taken)
    }

    #[test]
    fn one_that_waits_alone_is_taken_at_once() {
        let queue = Queue::new(4);
        queue.push(1).unwrap();
        let start = Instant::now();
        assert_eq!(queue.take(1, LONG, |_| true), Some((vec![1], Duration::ZERO)));
        assert!(start.elapsed() < LONG / 2);
    }

    #[test]
    fn the_wait_ends_when_as_many_as_are_wanted_are_there() {
        let queue = Queue::new(8);
        let start = Instant::now();
        let taken = scope(|scope| {
            scope.spawn(|| {
                for item in 0..4 {
                    sleep(SHORT);
                    queue.push(item).unwrap();
                }
            });
            queue.take(3, LONG, |_| true)
        });
        let (taken, waited) = taken.unwrap();
        assert_eq!(taken[..3], [0, 1, 2]);
        assert!(waited > Duration::ZERO && waited <= start.elapsed());
        assert!(start.elapsed() < LONG / 2);
    }

    #[test]
    fn nobody_waits_longer_than_the_delay_for_others() {
        let queue = Queue::new(8);
        queue.push(1).unwrap();
        let start = Instant::now();
        let (taken, waited) = queue.take(3, SHORT, |_| true).unwrap();
        assert_eq!(taken, [1]);
        assert!(waited >= SHORT && start.elapsed() < LONG / 2);
    }

    #[test]
    fn one_that_does_not_fit_is_the_first_of_the_next() {
        let queue = Queue::new(8);
        (1..=4).for_each(|item| queue.push(item).unwrap());
        assert_eq!(taken(&queue, 1, SHORT, |item| *item < 3), Some(vec![1, 2]));
        // The first is taken whatever it is: nothing stands in the way for ever.
        assert_eq!(taken(&queue, 1, SHORT, |item| *item < 3), Some(vec![3]));
        assert_eq!(taken(&queue, 1, SHORT, |_| true), Some(vec![4]));
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
        assert_eq!(taken(&queue, 8, LONG, |_| true), Some(vec![1, 2]));
        assert_eq!(taken(&queue, 8, LONG, |_| true), None);
        assert!(start.elapsed() < LONG / 2, "a closed queue has nothing to wait for");
    }

    #[test]
    fn closing_wakes_the_one_who_waits() {
        let queue = Queue::<u8>::new(2);
        let none = scope(|scope| {
            scope.spawn(|| {
                sleep(SHORT);
                queue.close();
            });
            taken(&queue, 1, LONG, |_| true)
        });
        assert_eq!(none, None);
    }

    #[test]
    fn closing_ends_the_wait_for_others() {
        let queue = Queue::new(8);
        queue.push(1).unwrap();
        let start = Instant::now();
        let one = scope(|scope| {
            scope.spawn(|| {
                sleep(SHORT);
                queue.close();
            });
            taken(&queue, 3, LONG, |_| true)
        });
        assert_eq!(one, Some(vec![1]));
        assert!(start.elapsed() < LONG / 2);
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
