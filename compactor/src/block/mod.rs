//! A block: the lines of a few objects in one buffer, an entry for each, and nothing decoded yet.
//!
//! [`Loader`] fills blocks from stored objects. Only the two sort keys of a line are read; the lines stay where they
//! are until they are decoded in sorted order.

mod index;
mod load;

use event::{Event, EventId, Timestamp};

use crate::decode::Trust;
use crate::quarantine::{BadLine, QUARANTINE_REASON_DAMAGED};

pub(crate) use load::{Loader, Source, Stored};

/// What the table is sorted by, and by which a duplicate is known: time of receipt and id of the event.
pub(crate) type SortKey = (i64, EventId);

/// A line that seems to be an event: its sort key is one, the rest is not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    received_at: i64,
    /// The event's id, halved so that an entry has no holes.
    id: [u64; 2],
    start: u32,
    length: u32,
    /// Which of the commit's objects it stands in.
    pub(crate) object: u32,
    /// Its number there, from 1.
    line: u32,
}

impl Entry {
    pub(crate) fn sort_key(&self) -> SortKey {
        (self.received_at, EventId::from_u128(u128::from(self.id[0]) << 64 | u128::from(self.id[1])))
    }

    /// The partition: days since 1970.
    pub(crate) fn day(&self) -> i32 {
        i32::try_from(self.received_at.div_euclid(Timestamp::DAY)).unwrap_or(i32::MAX)
    }

    /// The same with a number of its id in the order that numbers have: cheaper to compare than [`Self::sort_key`].
    fn order(&self) -> (i64, [u64; 2]) {
        (self.received_at, self.id)
    }
}

/// A line that is no event, or what is left of an object that cannot be read further. The reason is found again when
/// it is rendered, so that a million of them take 32 MB.
#[derive(Debug, Clone, Copy)]
struct Bad {
    object: u32,
    line: u32,
    start: u32,
    length: u32,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It cannot be read as an event.
    NoEvent(Trust),
    /// It is longer than so many bytes; only its beginning is there.
    TooLong(usize),
    /// The object cannot be read from here on.
    Damaged,
}

/// Lines and their entries.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// The buffer; what is behind `used` is left over from earlier blocks.
    text: Vec<u8>,
    used: usize,
    entries: Vec<Entry>,
    bad: Vec<Bad>,
    /// Why objects could not be read further.
    damages: Vec<(u32, String)>,
    lines: u64,
}

impl Block {
    /// Lines so far, as [`Counts`](crate::Counts) defines them.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes that it takes: its lines, and what is noted of each.
    pub(crate) fn weight(&self) -> usize {
        self.used + self.notes()
    }

    fn notes(&self) -> usize {
        self.entries.len() * size_of::<Entry>() + self.bad.len() * size_of::<Bad>()
    }

    /// Whether nothing is in it, not even a bad line.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The lines that seem to be events, in the order in which they were read.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The same by sort key; of equal ones, the first read stays the first.
    pub(crate) fn sort(&mut self) {
        self.entries.sort_by_key(Entry::order);
    }

    /// The bytes of a line.
    pub(crate) fn line(&self, entry: &Entry) -> &[u8] {
        self.slice(entry.start, entry.length)
    }

    fn slice(&self, start: u32, length: u32) -> &[u8] {
        self.text.get(start as usize..start as usize + length as usize).unwrap_or_default()
    }

    /// Notes that the line of an entry turned out to be no event.
    pub(crate) fn refuse(&mut self, entry: &Entry) {
        let Entry { object, line, start, length, .. } = *entry;
        self.bad.push(Bad { object, line, start, length, why: Why::NoEvent(Trust::Checksum) });
    }

    /// Takes entries with their lines over from another block; they count as lines there, not here.
    pub(crate) fn adopt(&mut self, other: &Self, entries: &[Entry]) {
        self.text.truncate(self.used);
        self.text.reserve_exact(entries.iter().map(|entry| entry.length as usize).sum());
        self.entries.reserve_exact(entries.len());
        for entry in entries {
            self.append(other.line(entry), *entry);
        }
    }

    /// Adds a line that has its entry already, but for its place.
    pub(crate) fn append(&mut self, line: &[u8], entry: Entry) {
        let start = self.append_text(line);
        self.entries.push(Entry { start, ..entry });
    }

    /// Adds the line of an event that no object has: it was made.
    pub(crate) fn append_made(&mut self, event: &Event, object: u32) {
        let line = event.to_line();
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let (received_at, id) = (event.received_at.micros(), halves(event.event_id));
        self.append(&line, Entry { received_at, id, start: 0, length, object, line: 0 });
    }

    fn append_text(&mut self, bytes: &[u8]) -> u32 {
        let start = self.used;
        self.text.truncate(start);
        self.text.extend_from_slice(bytes);
        self.used = self.text.len();
        u32::try_from(start).unwrap_or(u32::MAX)
    }

    /// Makes the buffer as large as `capacity`, if it is smaller. Of new memory, the system gives only what is written to.
    fn make_room(&mut self, capacity: usize) {
        if self.text.len() < capacity {
            let mut larger = vec![0; capacity];
            larger[..self.used].copy_from_slice(&self.text[..self.used]);
            self.text = larger;
        }
    }

    /// Empties it; the memory stays.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.entries.clear();
        self.bad.clear();
        self.damages.clear();
        self.lines = 0;
    }

    /// How many lines are known not to be events.
    pub(crate) fn bad(&self) -> u64 {
        self.bad.len() as u64
    }

    /// The bad lines of each object that has any, in the order of objects and lines.
    pub(crate) fn take_bad(&mut self) -> impl Iterator<Item = (u32, BadLine)> + '_ {
        let mut bad = std::mem::take(&mut self.bad);
        bad.sort_unstable_by_key(|bad| (bad.object, bad.line));
        bad.into_iter().map(|bad| (bad.object, self.render(&bad)))
    }

    fn render(&self, bad: &Bad) -> BadLine {
        let content = self.slice(bad.start, bad.length);
        let (reason, cut) = match bad.why {
            Why::NoEvent(trust) => (trust.read(content).err().unwrap_or_default(), false),
            Why::TooLong(limit) => (format!("longer than {limit} bytes"), true),
            Why::Damaged => {
                let reason = self.damages.iter().find(|(object, _)| *object == bad.object);
                (format!("{QUARANTINE_REASON_DAMAGED}: {}", reason.map_or("", |(_, reason)| reason)), true)
            }
        };
        BadLine { line: u64::from(bad.line), reason, content: content.to_vec(), cut }
    }
}

fn halves(id: EventId) -> [u64; 2] {
    let number = id.as_u128();
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
    [(number >> 64) as u64, number as u64]
}
