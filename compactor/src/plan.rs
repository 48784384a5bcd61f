//! What to compact next: pure, from a listing and the consumed set.

use std::ops::Range;
use std::time::Duration;

use event::Timestamp;

use crate::decode::Limits;
use crate::lake::ConsumedSet;
use crate::raw::RawObject;

/// How gzip NDJSON of events grows when it is inflated, guessed high (measured: 5.4).
const INFLATES_BY: u64 = 7;
/// A group's text is never less than this, whatever the budget: a file of small row groups takes more memory for what it
/// says of them than they do (with an eighth of this, 64 MiB became 298 MB; so they become 123).
const LEAST_TEXT: u64 = 8 << 20;
/// … nor is all text together ever more: places in it have 32 bits, and more would not make a run faster.
const MOST_TEXT: u64 = 1 << 30;
/// Late lines that are held are never less than this.
const LEAST_LATE: u64 = 1 << 20;
/// More threads would only wait for each other.
const MOST_THREADS: usize = 64;
/// What the program, its libraries and its allocator take whatever is compacted; measured, as is the next figure.
const FIXED: u64 = 64 << 20;
/// Of the rest of the memory, what the text of groups may take, in ninths. The others are for their stored and encoded
/// bytes, for late lines, and for what the allocator keeps.
const TEXT_SHARE: u64 = 2;

/// How a run decides and what it may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// A commit is worth its files when at least so many bytes are pending. Default 64 MiB.
    pub min_bytes: u64,
    /// … or when the oldest pending object waits at least so long. Default 60 minutes.
    pub max_wait: Duration,
    /// Whether to commit whatever is pending, however little.
    pub forced: bool,
    /// Memory that the process may take while it compacts, bytes, whatever it is given. Default 512 MiB.
    pub memory: u64,
    /// Threads that compute. Default 2.
    pub threads: usize,
    /// A commit takes in so many stored bytes, or a single object that is larger. Default 512 MiB. More pending makes
    /// several commits, each complete.
    pub commit_bytes: u64,
    /// How many of the newest arrival days the consumed set remembers key by key; earlier days are closed. Default 4,
    /// at least 3 (48 hours and the day they began in). It counts days that have objects, so neither a pause nor a
    /// clock that once stood a year ahead closes a day too soon.
    pub look_back_days: usize,
    /// How often in a row a plan may be overtaken by another compactor's commit. Default 32.
    pub max_conflicts: u32,
    /// How long after a gateway object's arrival its lines are settled: by then no event of theirs may be under way.
    /// Default 49 hours: the store's stream keeps an event for 24, Firehose for another 24.
    pub settle: Duration,
    /// Bounds on what one line and one object may be.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min_bytes: 64 << 20,
            max_wait: Duration::from_secs(3_600),
            forced: false,
            memory: 512 << 20,
            threads: 2,
            commit_bytes: 512 << 20,
            look_back_days: 4,
            max_conflicts: 32,
            settle: Duration::from_secs(49 * 3_600),
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// The same, but committing whatever is pending.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.forced = true;
        self
    }
}

/// What is in the raw log and not in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// How many objects.
    pub objects: u64,
    /// Their size as stored.
    pub bytes: u64,
    /// When the first of them arrived.
    pub oldest: Option<Timestamp>,
}

impl Pending {
    /// Sums a listing.
    pub fn of<'a>(objects: impl IntoIterator<Item = &'a RawObject>) -> Self {
        objects.into_iter().fold(Self::default(), |sum, object| sum.and(object.bytes, object.arrived))
    }

    /// Sums what is to be done.
    pub(crate) fn of_work(work: &[Work]) -> Self {
        work.iter().fold(Self::default(), |sum, work| sum.and(work.object.bytes, work.since))
    }

    fn and(self, bytes: u64, since: Timestamp) -> Self {
        let oldest = Some(self.oldest.map_or(since, |oldest| oldest.min(since)));
        Self { objects: self.objects + 1, bytes: self.bytes + bytes, oldest }
    }

    /// How long the first of it has waited; nothing, if nothing is pending or a clock is behind.
    pub fn lag(&self, now: Timestamp) -> Duration {
        let waited = self.oldest.map_or(0, |oldest| now.micros().saturating_sub(oldest.micros()));
        Duration::from_micros(u64::try_from(waited).unwrap_or(0))
    }

    /// Whether a commit is worth it now.
    pub fn is_worth_a_commit(&self, now: Timestamp, options: &Options) -> bool {
        let is_due = self.bytes >= options.min_bytes || self.lag(now) >= options.max_wait;
        self.oldest.is_some() && (options.forced || is_due)
    }
}

/// The objects of `listing` that the table has not consumed, in the order of their keys.
pub fn pending_objects(listing: Vec<RawObject>, consumed: &ConsumedSet) -> Vec<RawObject> {
    listing.into_iter().filter(|object| !consumed.contains(&object.key)).collect()
}

/// What is to be done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// A raw object: its lines are events.
    Events,
    /// A gateway object: its refusals are folded in, its other lines are put off.
    Refusals,
    /// A gateway object: the lines that were put off are settled.
    Settle,
    /// A gateway object: both at once, since it has lain there for long enough.
    Whole,
}

/// An object, and what can be done with it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) object: RawObject,
    pub(crate) task: Task,
    /// Since when that can be done.
    pub(crate) since: Timestamp,
}

/// What can be done at `now` with the raw objects that are pending and the gateway objects that are not settled.
///
/// Raw objects come first: once a gateway object is reached, every event that was in the log is in the table or in the
/// same commit, and a line is settled against all of them.
pub(crate) fn agenda(
    raw: &[RawObject],
    gateway: &[RawObject],
    consumed: &ConsumedSet,
    now: Timestamp,
    settle: Duration,
) -> Vec<Work> {
    let settle = i64::try_from(settle.as_micros()).unwrap_or(i64::MAX);
    let events = raw.iter().map(|object| Work { object: object.clone(), task: Task::Events, since: object.arrived });
    let lines = gateway.iter().filter_map(|object| {
        let due = Timestamp::from_micros(object.arrived.micros().saturating_add(settle));
        let (task, since) = match (consumed.contains(&object.key), due <= now) {
            (false, false) => (Task::Refusals, object.arrived),
            (false, true) => (Task::Whole, object.arrived),
            (true, true) => (Task::Settle, due),
            (true, false) => return None,
        };
        Some(Work { object: object.clone(), task, since })
    });
    events.chain(lines).collect()
}

/// How many of the first pieces of work make one commit; at least one unless there is none.
///
/// An object is never split: it is consumed as a whole or not at all.
pub(crate) fn first_commit(work: &[Work], bytes: u64) -> usize {
    let mut sum = 0_u64;
    let fits = |work: &&Work| {
        sum = sum.saturating_add(work.object.bytes);
        sum <= bytes
    };
    work.iter().take_while(fits).count().max(work.len().min(1))
}

/// How the memory of a run is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Text of all groups together, bytes.
    pub(crate) text: u64,
    /// Groups at the same time.
    pub(crate) groups: usize,
    /// Late lines that are held, bytes.
    pub(crate) late: u64,
}

impl Budget {
    pub(crate) fn of(options: &Options) -> Self {
        let text = (options.memory.saturating_sub(FIXED) / 9 * TEXT_SHARE).clamp(LEAST_TEXT, MOST_TEXT);
        let fit = usize::try_from(text / LEAST_TEXT).unwrap_or(usize::MAX);
        Self {
            text,
            groups: options.threads.clamp(1, MOST_THREADS).min(fit),
            late: (options.memory / 32).clamp(LEAST_LATE, MOST_TEXT),
        }
    }

    /// What a group is made for.
    fn share(&self) -> u64 {
        self.text / self.groups as u64
    }
}

/// The objects of the group that begins with the object `first`, and the text that it may hold.
///
/// An object that seems to inflate to more than a share gets as much as it needs, up to all there is.
pub(crate) fn group_of(objects: &[RawObject], first: usize, budget: &Budget) -> (Range<usize>, u64) {
    let mut sum = 0_u64;
    let fits = |object: &&RawObject| {
        sum = sum.saturating_add(inflated(object));
        sum <= budget.share()
    };
    let count = objects[first..].iter().take_while(fits).count();
    match objects.get(first) {
        Some(large) if count == 0 => (first..first + 1, inflated(large).clamp(budget.share(), budget.text)),
        _ => (first..first + count, budget.share()),
    }
}

/// A guess at an object's text.
fn inflated(object: &RawObject) -> u64 {
    object.bytes.saturating_mul(INFLATES_BY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn object(key: &str, bytes: u64, minutes: i64) -> RawObject {
        RawObject { key: key.to_owned(), bytes, arrived: Timestamp::from_micros(minutes * MINUTE) }
    }

    #[test]
    fn lag_is_the_wait_of_the_oldest() {
        let check = |oldest: Option<i64>, expect: u64| {
            let pending = Pending { oldest: oldest.map(Timestamp::from_micros), ..Pending::default() };
            let now = Timestamp::from_micros(90_000_000);
            assert_eq!(pending.lag(now), Duration::from_micros(expect), "{oldest:?}");
        };
        check(Some(29_500_000), 60_500_000);
        check(Some(-1), 90_000_001);
        check(Some(91_000_000), 0);
        check(None, 0);
    }

    #[test]
    fn policy() {
        let check = |bytes: u64, waited: i64, forced: bool, expect: bool| {
            let options = Options { forced, ..Options::default() };
            let pending = Pending::of(&[object("a", bytes, 100), object("b", 0, 110)]);
            let now = Timestamp::from_micros((100 + waited) * MINUTE);
            assert_eq!(pending.is_worth_a_commit(now, &options), expect, "{bytes} bytes, {waited} min, {forced}");
        };
        check(1, 0, false, false);
        check(1, 59, false, false);
        check(1, 60, false, true);
        check((64 << 20) - 1, 0, false, false);
        check(64 << 20, 0, false, true);
        check(1, 0, true, true);
        check(1, -600, false, false);
        let nothing = Pending::default();
        assert!(!nothing.is_worth_a_commit(Timestamp::from_micros(0), &Options::default().forced()));
    }

    #[test]
    fn commits() {
        let check = |sizes: &[u64], bytes: u64, expect: usize| {
            let objects: Vec<_> = sizes.iter().map(|bytes| object("k", *bytes, 0)).collect();
            let pending = agenda(&objects, &[], &ConsumedSet::default(), Timestamp::default(), Duration::ZERO);
            assert_eq!(first_commit(&pending, bytes), expect, "{sizes:?} in {bytes}");
        };
        check(&[], 0, 0);
        check(&[10], 0, 1);
        check(&[10, 10], 0, 1);
        check(&[10, 10, 10], 20, 2);
        check(&[100, 1], 12, 1);
        check(&[1, 100], 12, 1);
        check(&[0, 0, 0], 0, 3);
        check(&[u64::MAX, u64::MAX], 12, 1);
    }

    #[test]
    fn groups_share_the_text_and_a_large_object_may_have_all_of_it() {
        let budget = Budget { text: 2_100, groups: 3, late: 0 };
        let check = |sizes: &[u64], expect: &[(Range<usize>, u64)]| {
            let objects: Vec<_> = sizes.iter().map(|bytes| object("k", *bytes, 0)).collect();
            let (mut next, mut found) = (0, Vec::new());
            while next < objects.len() {
                let (group, weight) = group_of(&objects, next, &budget);
                next = group.end;
                found.push((group, weight));
            }
            assert_eq!(found, expect, "{sizes:?}");
        };
        check(&[], &[]);
        check(&[50, 50, 50], &[(0..2, 700), (2..3, 700)]);
        check(&[0, 0, 101, 200, 1_000, 1], &[(0..2, 700), (2..3, 707), (3..4, 1_400), (4..5, 2_100), (5..6, 700)]);
    }

    #[test]
    fn the_budget_follows_the_memory() {
        let of = |memory, threads| Budget::of(&Options { memory, threads, ..Options::default() });
        assert_eq!(of(512 << 20, 2), Budget { text: 104_391_566, groups: 2, late: 16 << 20 });
        assert_eq!(of(u64::MAX, usize::MAX), Budget { text: MOST_TEXT, groups: 64, late: MOST_TEXT });
        assert_eq!(of(1, 8), Budget { text: LEAST_TEXT, groups: 1, late: LEAST_LATE });
    }

    #[test]
    fn a_gateway_object_is_due_twice_and_raw_objects_come_first() {
        let raw = [object("raw/dt=2026-11-20/hour=00/z", 1, 9)];
        let gateway = |name: &str, minutes| object(&format!("gateway/dt=2026-11-20/hour=00/{name}"), 1, minutes);
        let (new, read) = (gateway("new", 7), gateway("read", 8));
        let consumed = ConsumedSet::default().with([read.key.as_str()], &[], 3);
        let settle = Duration::from_secs(600);
        let check = |now: i64, expect: &[(&str, Task, i64)]| {
            let now = Timestamp::from_micros(now);
            let work = agenda(&raw, &[new.clone(), read.clone()], &consumed, now, settle);
            let found: Vec<_> = work.iter().map(|work| (work.object.key.as_str(), work.task, work.since)).collect();
            let minutes = |minutes: i64| Timestamp::from_micros(minutes * MINUTE);
            let expect: Vec<_> = expect.iter().map(|(key, task, since)| (*key, *task, minutes(*since))).collect();
            assert_eq!(found, expect, "at {now}");
        };
        let (events, new, read) = ((raw[0].key.as_str(), Task::Events, 9), new.key.as_str(), read.key.as_str());
        check(17 * MINUTE - 1, &[events, (new, Task::Refusals, 7)]);
        check(17 * MINUTE, &[events, (new, Task::Whole, 7)]);
        check(18 * MINUTE - 1, &[events, (new, Task::Whole, 7)]);
        check(18 * MINUTE, &[events, (new, Task::Whole, 7), (read, Task::Settle, 18)]);
        check(-MINUTE, &[events, (new, Task::Refusals, 7)]);
    }

    #[test]
    fn consumed_objects_are_not_pending() {
        let consumed = ConsumedSet::default().with(["raw/dt=2026-11-20/hour=00/a"], &[], 3);
        let listing = vec![object("raw/dt=2026-11-20/hour=00/a", 1, 0), object("raw/dt=2026-11-20/hour=00/b", 1, 0)];
        let pending = pending_objects(listing, &consumed);
        assert_eq!(
            pending.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(),
            ["raw/dt=2026-11-20/hour=00/b"]
        );
    }
}
