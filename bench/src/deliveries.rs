//! How events get from their answer to the raw log: most at once, some late, some twice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use event::{Event, Timestamp};

use crate::traffic::random::Random;

const LATE_ONCE_IN: u64 = 200;
const TWICE_ONCE_IN: u64 = 100;
/// How late a delivery is at most, microseconds.
const LATEST: u64 = 3 * 3_600_000_000;
/// Between a delivery and one that follows at once.
const SOON: u64 = 2_000_000;

/// Lines under way.
#[derive(Debug)]
pub struct Deliveries {
    random: Random,
    /// When a line arrives, and which one it is: lines that arrive together keep their order.
    under_way: BinaryHeap<Reverse<(i64, u64, Vec<u8>)>>,
    lines: u64,
}

impl Deliveries {
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), under_way: BinaryHeap::new(), lines: 0 }
    }

    /// Sends an event on its way, once its request was answered.
    pub fn send(&mut self, event: &Event) {
        let line = event.to_line();
        let answered = event.received_at.micros() + (event.duration_ms * 1_000.0) as i64;
        let late = if self.random.once_in(LATE_ONCE_IN) { self.random.below(LATEST) } else { 0 };
        let arrives = answered + late as i64;
        if self.random.once_in(TWICE_ONCE_IN) {
            let most = if self.random.once_in(2) { SOON } else { LATEST };
            let again = arrives + self.random.below(most) as i64;
            self.push(again, line.clone());
        }
        self.push(arrives, line);
    }

    /// Moves what has arrived until `now` to the end of `text`, a line each.
    pub fn arrived(&mut self, now: Timestamp, text: &mut Vec<u8>) {
        while self.under_way.peek().is_some_and(|Reverse((arrives, ..))| *arrives <= now.micros()) {
            let Some(Reverse((.., line))) = self.under_way.pop() else { return };
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
    }

    /// How many lines were sent.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    fn push(&mut self, arrives: i64, line: Vec<u8>) {
        self.under_way.push(Reverse((arrives, self.lines, line)));
        self.lines += 1;
    }
}
