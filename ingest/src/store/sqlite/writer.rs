//! The one writer: a thread that turns whatever has arrived into one transaction (group commit).
//!
//! A request that comes alone is committed at once; requests that come while a commit is under way share the next one.

use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::commit::{Log, Outcome, Work};
use super::read::LONGEST_REQUEST;
use crate::error::{Error, ErrorKind, Result};

/// Most jobs that wait for the writer; one more is refused as unavailable.
const QUEUE: usize = 4_096;
/// Most lines, and bytes of lines, in one commit.
const BATCH_EVENTS: usize = 1_024;
const BATCH_BYTES: usize = 8 << 20;

struct Job {
    work: Work,
    reply: oneshot::Sender<Result<Outcome>>,
}

/// Hands work to the writer's thread, which ends once the handle is dropped and all of it is done.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on its connection.
    pub fn start(connection: Connection) -> Result<Self> {
        let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Unusable, "cannot start the store's writer").with_source(error)
        };
        let (jobs, queue) = mpsc::channel(QUEUE);
        let mut log = Log::open(connection).map_err(|error| unusable(error.into()))?;
        let thread = std::thread::Builder::new()
            .name("daybook-writer".to_owned())
            .spawn(move || run(&mut log, queue))
            .map_err(|error| unusable(error.into()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Has the work done; returns once it is durable.
    pub async fn run(&self, work: Work) -> Result<Outcome> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.try_send(Job { work, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Error::new(ErrorKind::Unavailable, "the store has more waiting than it can hold")
            }
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }

    /// Whether the writer has stopped because it no longer knows what is on disk.
    pub fn has_failed(&self) -> bool {
        self.jobs.as_ref().is_none_or(mpsc::Sender::is_closed)
    }
}

impl Drop for Writer {
    /// Waits until everything that was handed over is committed.
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            // A panicked writer has answered nobody; there is nothing to add to that here.
            let _ = thread.join();
        }
    }
}

pub fn stopped() -> Error {
    Error::new(ErrorKind::Unknown, "the store's writer has stopped; restart to open the log anew")
}

fn run(log: &mut Log, mut queue: mpsc::Receiver<Job>) {
    let mut held = None;
    while let Some(first) = held.take().or_else(|| queue.blocking_recv()) {
        let (mut jobs, mut events, mut bytes) = (Vec::new(), 0, 0);
        let start = first.work.millis();
        let mut next = Some(first);
        while let Some(job) = next {
            // A submission is looked for in batches whose ids are near its own: a clock that leaps begins a new one.
            if job.work.millis().zip(start).is_some_and(|(own, start)| own.abs_diff(start) > LONGEST_REQUEST / 2) {
                held = Some(job);
                break;
            }
            events += job.work.events();
            bytes += job.work.bytes();
            jobs.push(job);
            next = if events < BATCH_EVENTS && bytes < BATCH_BYTES { queue.try_recv().ok() } else { None };
        }
        if !commit(log, jobs) {
            // What a failed sync left on disk is unknown (I1): acknowledge nothing more. Dropping the queue answers
            // everyone who waits.
            return;
        }
    }
}

/// Commits the jobs and answers them; false if it is not known whether they were committed.
fn commit(log: &mut Log, jobs: Vec<Job>) -> bool {
    match log.commit(jobs.iter().map(|job| &job.work)) {
        Ok(outcomes) => {
            // A client that has gone needs no answer; its change is durable all the same.
            jobs.into_iter().zip(outcomes).for_each(|(job, outcome)| drop(job.reply.send(Ok(outcome))));
            true
        }
        Err(error) => {
            let known = log.is_clean() && !lost_sync(&error);
            tracing::error!(%error, known, "a commit failed");
            let kind = if known { ErrorKind::Unavailable } else { ErrorKind::Unknown };
            for job in jobs {
                let error = Error::new(kind, format!("the store could not commit: {error}"));
                drop(job.reply.send(Err(error)));
            }
            known
        }
    }
}

/// Whether the error means that written pages may or may not have reached the disk.
fn lost_sync(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt))
}
