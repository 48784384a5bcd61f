//! Threads that compute, the same for a whole run.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Threads that do one job after the other.
///
/// They stay for all commits of a run: what a thread allocates, its allocator keeps for it, and on threads that come
/// and go memory would grow with every commit. They end when this is dropped and what they do is done.
pub(crate) struct Workers {
    jobs: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// So many threads. Must be called within the tokio runtime.
    pub(crate) fn new(count: usize) -> Self {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let work = |waiting: Arc<Mutex<Receiver<Job>>>| {
            let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
            while let Some(job) = next() {
                job();
            }
        };
        let threads =
            (0..count).map(|_| waiting.clone()).map(|waiting| tokio::task::spawn_blocking(move || work(waiting)));
        Self { threads: threads.collect(), jobs }
    }

    /// Does `work` on the next thread that is free.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> oneshot::Receiver<Result<T>> {
        let (done, result) = oneshot::channel();
        // Who does not wait for it any more has what it asked for: that it ends. Without a thread, `done` is dropped with
        // the job, and that is what the receiver is told.
        let job = move || drop(done.send(work()));
        let _ = self.jobs.send(Box::new(job));
        result
    }

    /// What `work` comes to.
    ///
    /// # Errors
    /// Those of `work`, or it panicked.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let stopped = |stopped| Error::caused(ErrorKind::Stopped, "compute on a thread", stopped);
        self.spawn(work).await.map_err(stopped)?
    }

    /// Ends the threads and waits for it: what they hold is free then.
    pub(crate) async fn stop(self) {
        drop(self.jobs);
        for thread in self.threads {
            // One that panicked has ended, too.
            let _ = thread.await;
        }
    }
}
