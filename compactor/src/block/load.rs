//! Filling blocks from stored objects: the quick way where it does, the careful one for everything else.

use std::io::Read;

use libdeflater::Decompressor;

use super::Block;
use super::index::Problem;
use crate::decode::members::{Inflated, inflate};
use crate::decode::{GZIP, Inflate, Limits, Line, Lines, Trust};
use crate::error::{Error, Result};

/// No line may be longer, whatever the limit is: places in a block have 32 bits.
const LONGEST_LINE: usize = 1 << 30;

/// A stored object's bytes.
pub(crate) enum Stored<'a> {
    /// All of them.
    Whole(&'a [u8]),
    /// Too many to be held: what opens a reader of them, as often as it is asked.
    Large(&'a (dyn Fn() -> Result<Box<dyn Read + Send>> + Sync)),
}

impl Stored<'_> {
    fn open(&self) -> Result<Box<dyn Read + Send + '_>> {
        match self {
            Self::Whole(bytes) => Ok(Box::new(*bytes)),
            Self::Large(open) => open(),
        }
    }
}

/// An object to be loaded.
pub(crate) struct Source<'a> {
    pub(crate) key: &'a str,
    /// Which of the commit's objects it is.
    pub(crate) number: u32,
    /// Size as stored.
    pub(crate) bytes: u64,
    pub(crate) stored: Stored<'a>,
}

/// Fills blocks up to a capacity.
pub(crate) struct Loader {
    inflater: Decompressor,
    limits: Limits,
    capacity: usize,
}

/// Takes a block that is full, and empties it.
type Full<'a> = dyn FnMut(&mut Block) -> Result<()> + 'a;

impl Loader {
    /// Loads blocks of `capacity` bytes; a single line may make one larger.
    pub(crate) fn new(mut limits: Limits, capacity: usize) -> Self {
        limits.line_bytes = limits.line_bytes.min(LONGEST_LINE);
        Self { inflater: Decompressor::new(), limits, capacity }
    }

    /// Adds all lines of an object to `block`; whenever it is full before the object ends, `full` takes it first.
    ///
    /// Until an object's checksum was seen, its lines are only believed, and a flipped bit may hide in a line that still
    /// parses: of a damaged object only those lines are taken whose `event_hash` proves them.
    ///
    /// # Errors
    /// The object cannot be read, or `full` failed. Damage is no error.
    pub(crate) fn load(&mut self, source: &Source<'_>, block: &mut Block, full: &mut Full<'_>) -> Result<()> {
        if let Stored::Whole(bytes) = &source.stored {
            match self.quick(source, bytes, block) {
                Inflated::Whole(_) => return Ok(()),
                Inflated::NoRoom if !block.is_empty() => {
                    full(block)?;
                    if let Inflated::Whole(_) = self.quick(source, bytes, block) {
                        return Ok(());
                    }
                }
                Inflated::NoRoom | Inflated::Unusual => {}
            }
        }
        self.careful(source, block, full)
    }

    /// Adds the whole object at once, or nothing of it.
    fn quick(&mut self, source: &Source<'_>, stored: &[u8], block: &mut Block) -> Inflated {
        let (begin, allowed) = (block.used, self.limits.inflated(source.bytes));
        block.make_room(self.capacity);
        let room = &mut block.text[begin..];
        let inflated = if stored.starts_with(&GZIP) {
            inflate(&mut self.inflater, stored, room)
        } else if let Some(room) = room.get_mut(..stored.len()) {
            room.copy_from_slice(stored);
            Inflated::Whole(stored.len())
        } else {
            Inflated::NoRoom
        };
        match inflated {
            Inflated::Whole(length) if length as u64 > allowed => Inflated::Unusual,
            Inflated::Whole(length) => {
                block.used = begin + length;
                let fits = block.index(source.number, begin, self.limits.line_bytes, self.capacity / 2);
                if fits { inflated } else { Inflated::Unusual }
            }
            other => other,
        }
    }

    /// Adds the object line by line, however large or damaged it is.
    fn careful(&self, source: &Source<'_>, block: &mut Block, full: &mut Full<'_>) -> Result<()> {
        let trust = self.trust_in(source)?;
        let mut lines = self.lines(source)?;
        for number in 1.. {
            if block.weight() >= self.capacity {
                full(block)?;
            }
            match lines.next().map_err(Error::raw(format!("read {}", source.key)))? {
                Line::End => return Ok(()),
                Line::Blank => {}
                Line::Whole(line) => block.add_line(source.number, number, line, trust),
                Line::TooLong(head) => {
                    block.add_excerpt(source.number, number, head, Problem::TooLong(self.limits.line_bytes));
                }
                Line::Damaged { reason, partial } => {
                    tracing::warn!(raw_object = source.key, line = number, reason, "a raw object is damaged");
                    block.add_excerpt(source.number, number, partial, Problem::Damaged(reason));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Reads the object to its end to see whether it is sound.
    fn trust_in(&self, source: &Source<'_>) -> Result<Trust> {
        let mut lines = self.lines(source)?;
        loop {
            match lines.next().map_err(Error::raw(format!("read {}", source.key)))? {
                Line::End => return Ok(Trust::Checksum),
                Line::Damaged { .. } => return Ok(Trust::EventHash),
                Line::Blank | Line::Whole(_) | Line::TooLong(_) => {}
            }
        }
    }

    fn lines<'a>(&self, source: &'a Source<'_>) -> Result<Lines<'a>> {
        let inflate = Inflate::new(source.stored.open()?, self.limits.inflated(source.bytes));
        Ok(Lines::new(inflate.map_err(Error::raw(format!("read {}", source.key)))?, self.limits.line_bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use event::{Event, EventId, Timestamp};
    use flate2::Compression;
    use flate2::read::GzEncoder;

    use super::*;

    fn event(number: u128) -> Event {
        Event {
            event_id: EventId::from_u128(number),
            received_at: Timestamp::from_micros(number as i64),
            path: format!("/{number}"),
            ..Event::default()
        }
        .sealed()
    }

    fn text(numbers: std::ops::Range<u128>) -> Vec<u8> {
        numbers.flat_map(|number| [event(number).to_line(), b"\n".to_vec()].concat()).collect()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut stored = Vec::new();
        GzEncoder::new(text, Compression::fast()).read_to_end(&mut stored).unwrap();
        stored
    }

    /// What comes out of an object: line numbers and paths of entries, numbers and reasons of bad lines, block by block.
    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        entries: Vec<(u32, String)>,
        bad: Vec<(u64, String)>,
        lines: u64,
        blocks: u32,
    }

    impl Seen {
        fn see(&mut self, block: &mut Block) {
            for entry in block.entries() {
                assert_eq!(entry.object, 7);
                let event = Event::from_line(block.line(entry)).unwrap();
                assert_eq!(entry.sort_key(), (event.received_at.micros(), event.event_id));
                self.entries.push((entry.line, event.path));
            }
            self.lines += block.lines();
            self.bad.extend(block.take_bad().map(|(_, bad)| (bad.line, bad.reason)));
            self.blocks += 1;
            block.clear();
        }
    }

    fn load(stored: &[u8], capacity: usize, large: bool) -> Seen {
        let mut loader = Loader::new(Limits { line_bytes: 4_096, ..Limits::default() }, capacity);
        let open = || Ok(Box::new(Cursor::new(stored.to_vec())) as Box<dyn Read + Send>);
        let stored_as = if large { Stored::Large(&open) } else { Stored::Whole(stored) };
        let source = Source { key: "raw/a", number: 7, bytes: stored.len() as u64, stored: stored_as };
        let (mut block, mut seen) = (Block::default(), Seen::default());
        let mut full = |block: &mut Block| {
            seen.see(block);
            Ok(())
        };
        loader.load(&source, &mut block, &mut full).unwrap();
        seen.see(&mut block);
        seen
    }

    #[test]
    fn both_ways_see_the_same() {
        let long = [b"x".repeat(5_000), b"\n".to_vec()].concat();
        let mixed =
            [text(1..20), b"\n  \n{\"event_id\":1}\n\xff\n".to_vec(), long, text(30..33), b"end".to_vec()].concat();
        let members = [gzip(&text(1..9)), gzip(&mixed), gzip(b""), gzip(&text(1..9))].concat();
        let mut damaged = members.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 16;
        for stored in [mixed.clone(), gzip(&mixed), members.clone(), damaged, members[..middle].to_vec(), Vec::new()] {
            let whole = load(&stored, 1 << 20, false);
            assert_eq!(whole.lines, (whole.entries.len() + whole.bad.len()) as u64);
            for capacity in [1_000, 20_000, 1 << 20] {
                for large in [true, false] {
                    let other = load(&stored, capacity, large);
                    let Seen { entries, bad, lines, .. } = &other;
                    assert_eq!((entries, bad, lines), (&whole.entries, &whole.bad, &whole.lines), "{capacity}");
                    assert!(lines < &10 || capacity > 1_000 || other.blocks > 5, "{}", other.blocks);
                }
            }
        }
        let whole = load(&gzip(&mixed), 1 << 20, false);
        let numbers: Vec<u64> = whole.bad.iter().map(|(line, _)| *line).collect();
        assert_eq!((numbers, whole.entries.len()), (vec![22, 23, 24, 28], 22));
        assert!(whole.bad[2].1.contains("longer than 4096 bytes"), "{whole:?}");
    }

    #[test]
    fn a_bomb_is_damage() {
        let stored = gzip(&vec![b' '; 80 << 20]);
        let seen = load(&stored, 100 << 20, false);
        assert_eq!((seen.lines, seen.entries.len()), (1, 0));
        assert!(seen.bad[0].1.contains("inflates to more than"), "{seen:?}");
    }

    #[test]
    fn millions_of_short_lines_come_in_many_blocks() {
        let seen = load(&gzip(&b"x\n".repeat(1 << 20)), 4 << 20, false);
        assert_eq!((seen.lines, seen.bad.len(), seen.entries.len()), (1 << 20, 1 << 20, 0));
        assert!(seen.blocks > 5, "{}", seen.blocks);
    }
}
