//! Raw objects as they come in practice, and some as they should not.

use crate::support::{DAY, Random, at, events, gzip, lines};
use crate::upkeep::{MINUTE, OLD, ONE_DAY};
use event::Event;

/// What an object is like.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Sorted,
    Reordered,
    /// Received up to a day before it arrives.
    Late,
    /// Lines of earlier objects, in another order.
    Redelivered,
    /// An earlier object's very bytes, under another name.
    Copied,
    /// Gzip members that end anywhere, also within a line.
    Members,
    /// Not compressed, whatever its name says.
    Plain,
    /// Bad lines among the good ones.
    BadLines,
    Truncated,
    Flipped,
    Empty,
    /// More text than a group of the smallest memory holds.
    Large,
}

/// The turns; a large one is dear.
const KINDS: [Kind; 20] = [
    Kind::Sorted,
    Kind::Late,
    Kind::Redelivered,
    Kind::Reordered,
    Kind::Members,
    Kind::Flipped,
    Kind::Plain,
    Kind::Copied,
    Kind::BadLines,
    Kind::Truncated,
    Kind::Large,
    Kind::Redelivered,
    Kind::Empty,
    Kind::Late,
    Kind::Flipped,
    Kind::Members,
    Kind::Sorted,
    Kind::Truncated,
    Kind::Copied,
    Kind::BadLines,
];

/// Lines that are no events, each for a reason of its own.
const BAD: [&[u8]; 5] = [b"{\"event_id\":", b"not json\xff", b"{}", b"[1,2]", b"\0"];

/// The world outside: it makes events and delivers them, one way or another.
pub struct Sender {
    random: Random,
    made: usize,
    /// Some of the events that were sent.
    sent: Vec<Event>,
    /// Some of the objects.
    stored: Vec<Vec<u8>>,
}

impl Sender {
    /// Whatever it does follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Random(seed), made: 0, sent: Vec::new(), stored: Vec::new() }
    }

    /// The next objects to arrive, in the order of their keys.
    ///
    /// Keys grow from cycle to cycle: of two copies of a line, the first to arrive is then the first in every run.
    pub fn objects(&mut self, cycle: u32) -> Vec<(String, Vec<u8>)> {
        let arrived = at(DAY + i64::from(cycle) * 4 * MINUTE);
        let mut objects = Vec::new();
        for number in 0..1 + self.random.below(4) {
            let kind = KINDS[self.made % KINDS.len()];
            self.made += 1;
            let bytes = self.object(kind, cycle);
            objects.push((event::key::raw(arrived, &format!("{cycle:05}-{number}")), bytes));
        }
        objects
    }

    fn object(&mut self, kind: Kind, cycle: u32) -> Vec<u8> {
        let time = OLD + ONE_DAY + i64::from(cycle) * 20 * MINUTE;
        let count = 1 + self.random.below(80) as usize;
        let bytes = match kind {
            Kind::Sorted => gzip(&lines(&self.fresh(time, count))),
            Kind::Large => {
                let text = lines(&self.fresh(time, 1_500));
                assert!(text.len() > 1 << 20, "{} bytes", text.len());
                gzip(&text)
            }
            Kind::Reordered => {
                let mut some = self.fresh(time, count);
                self.shuffle(&mut some);
                gzip(&lines(&some))
            }
            Kind::Late => {
                let late = self.random.below(ONE_DAY as u64) as i64;
                gzip(&lines(&self.fresh(time - late, count)))
            }
            Kind::Redelivered => {
                let mut some = self.fresh(time, count / 4);
                some.extend((0..count.min(self.sent.len())).map(|_| self.any_sent()));
                self.shuffle(&mut some);
                gzip(&lines(&some))
            }
            Kind::Copied => match self.stored.len() {
                0 => Vec::new(),
                many => self.stored[self.random.below(many as u64) as usize].clone(),
            },
            Kind::Members => {
                let text = lines(&self.fresh(time, count));
                let size = 1 + self.random.below(text.len() as u64) as usize;
                text.chunks(size.max(300)).flat_map(gzip).collect()
            }
            Kind::Plain => lines(&self.fresh(time, count)),
            Kind::BadLines => gzip(&self.with_bad_lines(time, count)),
            Kind::Truncated => {
                let mut whole = gzip(&lines(&self.fresh(time, count)));
                whole.truncate(1 + self.random.below(whole.len() as u64 - 1) as usize);
                whole
            }
            Kind::Flipped => {
                let mut whole = gzip(&lines(&self.fresh(time, count)));
                // Without its first bytes it would be plain text, and each of its lines a bad one.
                let place = 3 + self.random.below(whole.len() as u64 - 3) as usize;
                whole[place] ^= 1 << self.random.below(8);
                whole
            }
            Kind::Empty => Vec::new(),
        };
        if self.random.below(3) == 0 {
            self.stored.push(bytes.clone());
        }
        bytes
    }

    fn fresh(&mut self, time: i64, count: usize) -> Vec<Event> {
        let step = 1 + self.random.below(1_000_000) as i64;
        let some = events(self.random.next(), time, step, count);
        self.sent.extend(some.iter().step_by(7).cloned());
        some
    }

    fn any_sent(&mut self) -> Event {
        let place = self.random.below(self.sent.len() as u64) as usize;
        self.sent[place].clone()
    }

    fn with_bad_lines(&mut self, time: i64, count: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for event in self.fresh(time, count) {
            if self.random.below(9) == 0 {
                text.extend([BAD[self.random.below(BAD.len() as u64) as usize], b"\n"].concat());
            }
            text.extend(lines(&[event]));
        }
        text.extend(b"the end");
        text
    }

    fn shuffle(&mut self, events: &mut [Event]) {
        for last in (1..events.len()).rev() {
            events.swap(last, self.random.below(last as u64 + 1) as usize);
        }
    }
}
