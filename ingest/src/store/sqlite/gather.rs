//! Who shares a commit.

use std::time::Duration;

use tokio::time::Instant;

use super::group::Group;
use super::job::Job;
use super::queue::Queue;
use super::read::LONGEST_REQUEST;

/// Most lines, and bytes of lines, in one commit.
const BATCH_EVENTS: usize = 1_024;
const BATCH_BYTES: usize = 8 << 20;

/// The jobs of one commit: those that wait when it begins, and those that it waits for then. The work of the first is
/// done while the others are still on their way.
#[derive(Debug)]
pub struct Gathering<'a> {
    queue: &'a Queue<Job>,
    room: Room,
    wanted: usize,
    delay: Duration,
    taken: usize,
    waited: Duration,
}

impl<'a> Gathering<'a> {
    /// Nobody yet, but as many are waited for, and as long, as lately was of use.
    pub fn new(queue: &'a Queue<Job>, group: &Group) -> Self {
        let (wanted, delay) = (group.wanted(), group.delay());
        Self { queue, room: Room::default(), wanted, delay, taken: 0, waited: Duration::ZERO }
    }

    /// Waits for the first, and takes those that are there, too; nobody once the queue is closed and empty.
    pub fn first(&mut self) -> Option<Vec<Job>> {
        let jobs = self.queue.take(1, None, |job| self.room.fits(job))?;
        self.taken = jobs.len();
        Some(jobs)
    }

    /// Waits for the others and takes them; nobody once all are there that the commit waits for, or has room for.
    pub fn others(&mut self) -> Vec<Job> {
        let lacks = self.wanted.saturating_sub(self.taken);
        if lacks == 0 || self.room.is_full || self.waited >= self.delay {
            return Vec::new();
        }
        let start = Instant::now();
        let delay = self.delay.saturating_sub(self.waited);
        let jobs = self.queue.take(lacks, Some(delay), |job| self.room.fits(job)).unwrap_or_default();
        self.waited += start.elapsed();
        self.taken += jobs.len();
        jobs
    }

    /// How many they are.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// How long others than the first were waited for.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

/// The room that a commit has for jobs.
#[derive(Debug, Default)]
struct Room {
    start: Option<u128>,
    events: usize,
    bytes: usize,
    is_full: bool,
}

impl Room {
    /// Says of one job after the other whether it may share the commit; the first may, whatever it is.
    fn fits(&mut self, Job { work, .. }: &Job) -> bool {
        // A submission is looked for in batches whose ids are near its own: a clock that leaps begins a new one.
        let leaps = |(own, start): (u128, u128)| own.abs_diff(start) > LONGEST_REQUEST / 2;
        if self.is_full || work.millis().zip(self.start).is_some_and(leaps) {
            self.is_full = true;
            return false;
        }
        self.start = self.start.or(work.millis());
        self.events += work.events();
        self.bytes += work.bytes();
        self.is_full = self.events >= BATCH_EVENTS || self.bytes >= BATCH_BYTES;
        true
    }
}

#[cfg(test)]
mod tests {
    use event::EventId;

    use super::super::batch::Line;
    use super::super::commit::Work;
    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(20);

    fn line(id: u128, bytes: usize) -> Job {
        let line = Line { id: EventId::from_u128(id), json: vec![b' '; bytes] };
        Job { work: Work::Put(vec![line]), reply: tokio::sync::oneshot::channel().0 }
    }

    fn gathering(queue: &Queue<Job>, wanted: usize, delay: Duration) -> Gathering<'_> {
        Gathering { wanted, delay, ..Gathering::new(queue, &Group::default()) }
    }

    fn queue(jobs: usize, job: impl Fn() -> Job) -> Queue<Job> {
        let queue = Queue::new(4 * BATCH_EVENTS);
        (0..jobs).for_each(|_| assert!(queue.push(job()).is_ok()));
        queue
    }

    #[test]
    fn a_commit_has_room_for_so_many_events_and_bytes() {
        // One that is full waits for nobody, also where nobody else is there.
        let shared = |jobs, bytes| {
            let queue = queue(jobs, || line(0, bytes));
            let mut gathering = gathering(&queue, 4 * BATCH_EVENTS, LONG);
            let first = gathering.first().map(|jobs| jobs.len());
            assert!(gathering.others().is_empty());
            first
        };
        assert_eq!(shared(2 * BATCH_EVENTS, 1), Some(BATCH_EVENTS));
        assert_eq!(shared(BATCH_EVENTS, 1), Some(BATCH_EVENTS));
        // The one that goes beyond the bytes is the last.
        assert_eq!(shared(5, 3 << 20), Some(3));
        assert_eq!(shared(2, 20 << 20), Some(1));
    }

    #[test]
    fn a_clock_that_leaps_begins_a_new_one() {
        let queue = queue(2, || line(0, 1));
        assert!(queue.push(line(LONGEST_REQUEST << 80, 1)).is_ok());
        for shared in [2, 1] {
            let mut gathering = gathering(&queue, 1, LONG);
            assert_eq!(gathering.first().map(|jobs| jobs.len()), Some(shared));
        }
    }

    #[test]
    fn nobody_is_waited_for_where_one_is_enough() {
        let queue = queue(3, || line(0, 1));
        let mut gathering = gathering(&queue, 1, LONG);
        assert_eq!(gathering.first().map(|jobs| jobs.len()), Some(3));
        assert!(gathering.others().is_empty());
        assert_eq!((gathering.taken(), gathering.waited()), (3, Duration::ZERO));
    }

    #[test]
    fn others_are_waited_for_until_they_are_enough() {
        let queue = queue(1, || line(0, 1));
        let mut gathering = gathering(&queue, 31, LONG);
        assert_eq!(gathering.first().map(|jobs| jobs.len()), Some(1));
        let others = std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..30 {
                    std::thread::sleep(Duration::from_millis(1));
                    assert!(queue.push(line(0, 1)).is_ok());
                }
            });
            gathering.others().len()
        });
        assert_eq!((others, gathering.taken()), (30, 31));
        assert!(gathering.waited() > Duration::ZERO && gathering.waited() < LONG / 2);
        assert!(gathering.others().is_empty());
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_delay() {
        let queue = queue(1, || line(0, 1));
        let mut gathering = gathering(&queue, 31, SHORT);
        assert!(gathering.first().is_some());
        assert!(gathering.others().is_empty());
        assert!(gathering.waited() >= SHORT && gathering.waited() < LONG / 2);
    }
}
