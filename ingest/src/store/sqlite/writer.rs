//! The one writer: a thread that turns whatever has arrived into one transaction (group commit).
//!
//! A request that comes alone is committed at once; requests that come while a commit is under way share the next one.
//! Where many share one, it waits a moment for others before it ends.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::commit::{Log, Outcome, Work};
use super::fault::Fault;
use super::gather::Gathering;
use super::group::Group;
use super::job::{Job, Others};
use super::place::Place;
use super::queue::{Queue, Refused};
use super::recent::Recent;
use super::standing::Standing;
use crate::error::{Error, ErrorKind, Result};

/// Most jobs that wait for the writer; one more is refused as unavailable.
const QUEUE: usize = 4_096;

/// Hands work to the writer's thread, which ends once the handle is dropped and all of it is done.
#[derive(Debug)]
pub struct Writer {
    jobs: Arc<Queue<Job>>,
    thread: Option<JoinHandle<()>>,
    standing: Arc<Standing>,
}

impl Writer {
    /// Starts the thread on its connection, to the database at `place`. What changes make stands in `recent`, too.
    pub fn start(connection: Connection, place: Place, standing: Arc<Standing>, recent: Arc<Recent>) -> Result<Self> {
        let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Unusable, "cannot start the store's writer").with_source(error)
        };
        let jobs = Arc::new(Queue::new(QUEUE));
        let queue = Arc::clone(&jobs);
        let log = Log::open(connection).map_err(|error| unusable(error.into()))?;
        let desk = Desk { log, place, standing: Arc::clone(&standing), recent };
        let thread = std::thread::Builder::new()
            .name("daybook-writer".to_owned())
            .spawn(move || desk.run(AbandonOnDrop(queue)))
            .map_err(|error| unusable(error.into()))?;
        Ok(Self { jobs, thread: Some(thread), standing })
    }

    /// Has the work done; returns once it is durable.
    pub async fn run(&self, work: Work) -> Result<Outcome> {
        let (reply, answer) = oneshot::channel();
        if self.standing.ended().is_some() {
            return Err(self.standing.stopped());
        }
        self.jobs.push(Job { work, reply }).map_err(|refused| match refused {
            Refused::Full => Error::new(ErrorKind::Unavailable, "the store has more waiting than it can hold"),
            Refused::Closed => self.standing.stopped(),
        })?;
        Ok(answer.await.map_err(|_| self.standing.stopped())??.outcome)
    }

    /// Whether the writer has stopped because it no longer knows what is on disk.
    pub fn has_failed(&self) -> bool {
        self.jobs.is_closed()
    }
}

impl Drop for Writer {
    /// Waits until everything that was handed over is committed.
    fn drop(&mut self) {
        self.jobs.close();
        if let Some(thread) = self.thread.take() {
            // A panicked writer has answered nobody; there is nothing to add to that here.
            let _ = thread.join();
        }
    }
}

/// The queue of a thread that may panic: whoever waits then is answered, and nobody else comes to wait.
struct AbandonOnDrop(Arc<Queue<Job>>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Where the writer's thread works.
struct Desk {
    log: Log,
    place: Place,
    standing: Arc<Standing>,
    recent: Arc<Recent>,
}

impl Desk {
    /// The queue goes first, also in a panic: nobody waits until the connection is closed.
    fn run(mut self, queue: AbandonOnDrop) {
        let mut group = Group::default();
        loop {
            let mut gathering = Gathering::new(&queue.0, &group);
            let Some(jobs) = gathering.first() else { return };
            let start = Instant::now();
            if self.standing.ended().is_none() {
                self.commit(jobs, || gathering.others());
            }
            let waited = gathering.waited();
            group.note(gathering.taken(), waited, start.elapsed().saturating_sub(waited));
            if self.standing.ended().is_none() && self.log.is_due() {
                self.checkpoint();
            }
            if self.standing.ended().is_some() {
                // Abandoning the queue answers everyone who waits. The connection is left open: to close it would sync
                // once more, and believe what that says.
                std::mem::forget(self.log);
                return;
            }
        }
    }

    /// Commits the jobs, and `more` that come while that is under way, and answers them. Ends the store's standing if it is
    /// not known whether they were committed.
    fn commit(&mut self, mut jobs: Vec<Job>, more: impl FnMut() -> Vec<Job>) {
        let error = match share(&mut self.log, &mut jobs, more) {
            Ok(outcomes) => return self.acknowledge(jobs, outcomes),
            Err(error) => error,
        };
        let fault = if self.log.is_clean() { Fault::of(&error) } else { Fault::LostSync };
        let alone = jobs.len() == 1;
        tracing::error!(%error, ?fault, jobs = jobs.len(), "a commit failed");
        let kind = match fault {
            Fault::Work | Fault::Damage if !alone => {
                // One of them spoils it for all: each on its own, so that only that one has to go without.
                return jobs.into_iter().for_each(|job| match self.standing.ended() {
                    None => self.commit(vec![job], Vec::new),
                    Some(_) => drop(job),
                });
            }
            Fault::LostSync => {
                self.standing.end(format!("a commit could not be synced: {error}"));
                ErrorKind::Unknown
            }
            Fault::Damage => ErrorKind::Corrupt,
            Fault::Disk | Fault::Work => ErrorKind::Unavailable,
        };
        for job in jobs {
            let error = Error::new(kind, format!("the store could not commit: {error}"));
            drop(job.reply.send(Err(error)));
        }
        if fault == Fault::Disk {
            // What the write-ahead log holds may be all that keeps the disk full: once moved, its room is used again.
            self.checkpoint();
        }
    }

    /// Answers jobs that were committed, unless that was to files that nobody will find again.
    fn acknowledge(&mut self, jobs: Vec<Job>, outcomes: Vec<Outcome>) {
        if let Some(path) = self.place.missing() {
            return self.standing.end(format!("{} was deleted or replaced while it was in use", path.display()));
        }
        let (replies, work): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.reply, job.work)).unzip();
        self.recent.add(work.into_iter().zip(&outcomes).filter_map(|(work, outcome)| work.made(outcome)));
        Others::new(replies.into_iter().zip(outcomes)).hand_on();
    }

    fn checkpoint(&mut self) {
        let Err(error) = self.log.checkpoint() else { return };
        tracing::warn!(%error, "the write-ahead log could not be moved into the database");
        if Fault::of(&error) == Fault::LostSync {
            self.standing.end(format!("the database could not be synced: {error}"));
        }
    }
}

/// One commit of the jobs, and of `more` until there are none; what came of each.
fn share(log: &mut Log, jobs: &mut Vec<Job>, mut more: impl FnMut() -> Vec<Job>) -> rusqlite::Result<Vec<Outcome>> {
    let mut commit = log.begin()?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    while outcomes.len() < jobs.len() {
        commit.apply(jobs[outcomes.len()..].iter().map(|job| &job.work), &mut outcomes)?;
        jobs.append(&mut more());
    }
    commit.finish()?;
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use event::EventId;

    use super::super::batch::Line;
    use super::super::job::Answer;
    use super::super::{member, schema};
    use super::*;

    fn job(work: Work) -> (Job, oneshot::Receiver<Result<Answer>>) {
        let (reply, answer) = oneshot::channel();
        (Job { work, reply }, answer)
    }

    fn relayed() -> Work {
        Work::Relayed { first_seq: 1, last_seq: 1, key: "key".to_owned() }
    }

    #[test]
    fn whoever_waits_for_a_writer_that_panics_is_told() {
        let queue = Arc::new(Queue::new(QUEUE));
        let (taken, answer_of_taken) = job(relayed());
        let (waiting, answer_of_waiting) = job(relayed());
        assert!(queue.push(taken).is_ok() && queue.push(waiting).is_ok());
        let of_thread = AbandonOnDrop(Arc::clone(&queue));
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let mut first = true;
            let _taken = of_thread.0.take(1, None, |_| std::mem::take(&mut first));
            panic!("the writer's");
        }));
        assert!(panicked.is_err());
        assert!(answer_of_taken.blocking_recv().is_err());
        assert!(answer_of_waiting.blocking_recv().is_err());
        assert!(matches!(queue.push(job(relayed()).0), Err(Refused::Closed)));
    }

    #[test]
    fn one_that_comes_during_the_wait_and_fails_spoils_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, lock) = (folder.path().join("store.db"), folder.path().join("store.lock"));
        std::fs::write(&lock, "").unwrap();
        let connection = schema::open_writer(&path, "x").unwrap();
        let stop = "create trigger stop before insert on objects begin select raise(abort, 'no'); end";
        connection.execute_batch(stop).unwrap();
        let (log, place) = (Log::open(connection).unwrap(), Place::of(&path, &lock).unwrap());
        let mut desk = Desk { log, place, standing: Arc::default(), recent: Arc::default() };
        let line = Line { id: EventId::from_u128(1), json: b"{}".to_vec() };
        let (first, answer_of_first) = job(Work::Put(vec![line]));
        let (failing, answer_of_failing) = job(relayed());
        let mut during_the_wait = vec![failing];
        desk.commit(vec![first], || std::mem::take(&mut during_the_wait));
        assert!(answer_of_first.blocking_recv().unwrap().is_ok());
        assert_eq!(answer_of_failing.blocking_recv().unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
        let batches = "select seq, events, member from batches";
        let reader = Connection::open(&path).unwrap();
        let (seq, events, bytes): (i64, i64, Vec<u8>) =
            reader.query_row(batches, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        assert_eq!((seq, events, member::inflate(&bytes).unwrap().as_slice()), (1, 1, b"{}\n".as_slice()));
        assert_eq!(desk.standing.ended(), None);
    }
}
