//! Which requests are looked for in the table, in little memory: an object may have hundreds of thousands of lines.

use std::collections::HashSet;
use std::ops::Range;

use event::EventId;
use event::gateway::Line;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::lookup::{Sought, Times};

/// How far a request's time by the gateway's clock and its event's time by the function's may lie apart, microseconds:
/// a cold start, the longest time that a gateway waits (5 minutes, by request), and clocks that differ by minutes.
const TOLERANCE: i64 = 10 * 60 * 1_000_000;

/// Requests, by the ids that their events may stand under. About 100 bytes each.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The events that stand for them if they have none of their own, in the order of their lines.
    events: Vec<EventId>,
    found: Vec<bool>,
    /// When they came; sorted for the search.
    times: Vec<i64>,
    ids: Vec<Id>,
}

/// An id of a request: the first half of its SHA-256, so that all are of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    hash: [u8; 16],
    time: i64,
    /// Place in `events`.
    line: u32,
}

impl Wanted {
    /// Adds the request of a line.
    pub(super) fn add(&mut self, line: &Line) {
        let time = line.requested_at().micros();
        let place = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.ids.extend(line.ids().map(|id| Id { hash: hash(id), time, line: place }));
        self.times.push(time);
        self.events.push(line.event_id());
        self.found.push(false);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Forgets all but the first `len`. Not after [`sort`](Self::sort).
    pub(super) fn roll_back(&mut self, len: usize) {
        self.events.truncate(len);
        self.found.truncate(len);
        self.times.truncate(len);
        self.ids.retain(|id| (id.line as usize) < len);
    }

    /// Makes ready for the search.
    pub(super) fn sort(&mut self) {
        self.times.sort_unstable();
        self.ids.sort_unstable();
    }

    /// Notes that a request with this id was received at this time.
    pub(super) fn strike(&mut self, received_at: i64, request_id: &str) {
        let hash = hash(request_id);
        let from = self.ids.partition_point(|id| (id.hash, id.time) < (hash, received_at.saturating_sub(TOLERANCE)));
        let until = received_at.saturating_add(TOLERANCE);
        for id in self.ids[from..].iter().take_while(|id| id.hash == hash && id.time <= until) {
            self.found[id.line as usize] = true;
        }
    }

    /// The events of some of the lines.
    pub(super) fn events(&self, lines: Range<usize>) -> impl Iterator<Item = &EventId> {
        self.events[lines].iter()
    }

    /// The events of those that were not struck.
    pub(super) fn absent(&self) -> HashSet<EventId> {
        self.events.iter().zip(&self.found).filter(|(_, found)| !**found).map(|(event, _)| *event).collect()
    }
}

impl Sought for Wanted {
    fn column(&self) -> &'static str {
        "request_id"
    }

    fn times(&self) -> Times {
        Times::new(self.times.iter().copied(), TOLERANCE)
    }

    fn see(&mut self, received_at: i64, text: &str) -> Result<()> {
        self.strike(received_at, text);
        Ok(())
    }
}

fn hash(id: &str) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(id)[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn line(request: &str, extended: &str, minute: i64) -> Line {
        let time = minute * 60_000;
        let text = format!(
            r#"{{"extendedRequestId":"{extended}","requestId":"{request}","requestTimeEpoch":"{time}","status":"502"}}"#
        );
        Line::parse(text.as_bytes()).unwrap()
    }

    fn wanted(lines: &[(&str, &str, i64)]) -> Wanted {
        let mut wanted = Wanted::default();
        lines.iter().for_each(|(request, extended, minute)| wanted.add(&line(request, extended, *minute)));
        wanted.sort();
        wanted
    }

    #[test]
    fn a_request_is_found_by_either_id_and_near_its_time_only() {
        let check = |id: &str, received_at: i64, expect: usize| {
            let mut wanted = wanted(&[("a", "x", 10_000_000), ("b", "y", 10_000_000), ("a", "z", 10_000_030)]);
            wanted.strike(received_at, id);
            assert_eq!(wanted.absent().len(), 3 - expect, "{id} at {received_at}");
        };
        let at = 10_000_000 * MINUTE;
        check("a", at, 1);
        check("x", at, 1);
        check("z", at, 0);
        check("z", at + 30 * MINUTE, 1);
        check("c", at, 0);
        check("b", at + 10 * MINUTE, 1);
        check("b", at + 10 * MINUTE + 1, 0);
        check("b", at - 10 * MINUTE, 1);
        check("b", at - 10 * MINUTE - 1, 0);
        check("a", at + 20 * MINUTE, 1);
    }

    #[test]
    fn what_is_read_of_the_table_is_near_their_times() {
        let wanted = wanted(&[("a", "x", 10_000_000), ("b", "y", 10_000_060)]);
        let check = |first: i64, last: i64, expect: bool| {
            let at = |minutes: i64| (10_000_000 + minutes) * MINUTE;
            assert_eq!(wanted.times().any_within(at(first), at(last)), expect, "{first} to {last}");
        };
        check(-60, -11, false);
        check(-60, -10, true);
        check(10, 12, true);
        check(11, 49, false);
        check(11, 50, true);
        check(71, 99, false);
        assert!(wanted.times().any_within(i64::MIN, i64::MAX));
        assert!(!Wanted::default().times().any_within(i64::MIN, i64::MAX));
    }

    #[test]
    fn a_damaged_object_s_requests_are_forgotten() {
        let mut wanted = wanted(&[("a", "x", 1)]);
        wanted.add(&line("b", "y", 2));
        wanted.roll_back(1);
        wanted.sort();
        wanted.strike(2 * MINUTE, "b");
        assert_eq!((wanted.len(), wanted.absent().len()), (1, 1));
    }
}
