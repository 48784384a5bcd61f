//! The notices that wait: which may be sent now, and in what order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use event::{EventId, Timestamp};

use crate::notice::Notice;
use crate::store::EntityRef;

/// How many wait at most, but for the rest of a batch; what comes behind them stays in the store.
const MOST: usize = 1_000;

/// Where a notice stands: its batch, and its event in it.
pub type Place = (i64, EventId);

/// Notices in the order of the log. Those of one entity go out one after the other, in the order of its versions; one
/// that is not taken holds up its entity's and no other's.
#[derive(Debug, Default)]
pub struct Window {
    waiting: BTreeMap<Place, Entry>,
    /// Until then the receiver is left alone.
    paused_until: Option<Timestamp>,
}

/// A notice that waits.
#[derive(Debug, Clone)]
pub struct Entry {
    pub notice: Notice,
    /// How often it was sent.
    pub attempts: u32,
    /// When it may be sent.
    pub due: Timestamp,
    is_out: bool,
}

impl Window {
    /// Takes a notice that was sent so often before.
    pub fn add(&mut self, seq: i64, notice: Notice, attempts: u32, due: Timestamp) {
        self.waiting.insert((seq, notice.id), Entry { notice, attempts, due, is_out: false });
    }

    /// Whether there is room for more.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < MOST
    }

    /// Everything that waits, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&Place, &Entry)> {
        self.waiting.iter()
    }

    /// Gives the first notice that may be sent now; it is out until it is [settled](Self::settle) or has
    /// [failed](Self::fail).
    pub fn take(&mut self, now: Timestamp) -> Option<(Place, Notice)> {
        if self.paused_until.is_some_and(|until| until > now) {
            return None;
        }
        let mut held: BTreeSet<&EntityRef> = BTreeSet::new();
        let mut found = None;
        for (place, entry) in &self.waiting {
            let is_held = entry.notice.subject.as_ref().is_some_and(|subject| !held.insert(subject));
            if !is_held && !entry.is_out && entry.due <= now {
                found = Some(*place);
                break;
            }
        }
        let place = found?;
        let entry = self.waiting.get_mut(&place)?;
        entry.is_out = true;
        Some((place, entry.notice.clone()))
    }

    /// Forgets a notice that was taken, or that is kept elsewhere.
    pub fn settle(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    /// Counts an attempt that failed; gives how many there were.
    pub fn count(&mut self, place: Place) -> u32 {
        let Some(entry) = self.waiting.get_mut(&place) else { return 0 };
        entry.attempts = entry.attempts.saturating_add(1);
        entry.attempts
    }

    /// Lets a notice wait for its next attempt.
    pub fn fail(&mut self, place: Place, now: Timestamp, pause: Duration) {
        if let Some(entry) = self.waiting.get_mut(&place) {
            entry.is_out = false;
            entry.due = later(now, pause);
        }
    }

    /// Leaves the receiver alone for a while, as it asked.
    pub fn pause(&mut self, now: Timestamp, pause: Duration) {
        self.paused_until = self.paused_until.max(Some(later(now, pause)));
    }
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    Timestamp::from_micros(now.micros().saturating_add(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn notice(number: u128, subject: Option<&str>) -> Notice {
        let subject =
            subject.map(|id| EntityRef { tenant: "t".to_owned(), kind: "task".to_owned(), id: id.to_owned() });
        Notice { id: EventId::from_u128(number), kind: "task.created".to_owned(), subject, body: String::new() }
    }

    fn window(subjects: &[Option<&str>]) -> Window {
        let mut window = Window::default();
        for (number, subject) in (1..).zip(subjects) {
            window.add(1, notice(number, *subject), 0, at(0));
        }
        window
    }

    /// The numbers of all that may be sent at once.
    fn taken(window: &mut Window, now: i64) -> Vec<u128> {
        std::iter::from_fn(|| window.take(at(now))).map(|(_, notice)| notice.id.as_u128()).collect()
    }

    #[test]
    fn an_entity_s_notices_go_one_after_the_other_and_others_pass() {
        let mut window = window(&[Some("a"), Some("a"), Some("b"), None, None, Some("a")]);
        assert_eq!(taken(&mut window, 0), [1, 3, 4, 5]);
        let first = (1, EventId::from_u128(1));
        assert_eq!(window.count(first), 1);
        window.fail(first, at(0), Duration::from_secs(10));
        assert_eq!(taken(&mut window, 9), [], "the second waits for the first");
        assert_eq!(taken(&mut window, 10), [1]);
        window.settle(first);
        assert_eq!(taken(&mut window, 10), [2]);
        window.settle((1, EventId::from_u128(2)));
        assert_eq!(taken(&mut window, 10), [6]);
    }

    #[test]
    fn a_receiver_that_asks_for_it_is_left_alone() {
        let mut window = window(&[Some("a"), Some("b")]);
        window.pause(at(0), Duration::from_secs(5));
        window.pause(at(0), Duration::from_secs(1));
        assert_eq!(taken(&mut window, 4), []);
        assert_eq!(taken(&mut window, 5), [1, 2]);
    }

    #[test]
    fn there_is_an_end_to_what_waits() {
        let mut window = Window::default();
        for number in 1.. {
            if !window.has_room() {
                break;
            }
            window.add(1, notice(number, None), 0, at(0));
        }
        assert_eq!(window.entries().count(), MOST);
    }
}
