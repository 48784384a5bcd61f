//! Finding the lines of a text and their sort keys, without reading what else is in them.

use event::{EventId, Timestamp};
use memchr::{memchr, memchr_iter, memchr2};

use super::{Bad, Block, Entry, SortKey, Why, halves};
use crate::decode::{EXCERPT, Trust};

impl Block {
    /// Indexes the text from `begin` on: the whole of an object that is sound. Says `false`, and undoes it, if its
    /// lines are so many that to note them would take more than `notes_limit` bytes.
    pub(super) fn index(&mut self, object: u32, begin: usize, line_limit: usize, notes_limit: usize) -> bool {
        let before = (self.entries.len(), self.bad.len(), self.lines);
        let text = std::mem::take(&mut self.text);
        let (mut start, mut number) = (begin, 0);
        for end in memchr_iter(b'\n', &text[begin..self.used]).map(|at| begin + at) {
            number += 1;
            self.index_line(&text[start..end], Place { object, start, number }, line_limit, Trust::Checksum);
            start = end + 1;
            if self.notes() > notes_limit {
                break;
            }
        }
        if start < self.used && self.notes() <= notes_limit {
            let last = &text[start..self.used];
            self.index_line(last, Place { object, start, number: number + 1 }, line_limit, Trust::Checksum);
        }
        self.text = text;
        let fits = self.notes() <= notes_limit;
        if !fits {
            self.entries.truncate(before.0);
            self.bad.truncate(before.1);
            (self.lines, self.used) = (before.2, begin);
        }
        fits
    }

    /// Adds one line of an object that is read line by line.
    pub(super) fn add_line(&mut self, object: u32, number: u64, line: &[u8], trust: Trust) {
        let start = self.append_text(line) as usize;
        let place = Place { object, start, number: u32::try_from(number).unwrap_or(u32::MAX) };
        self.index_line(line, place, usize::MAX, trust);
    }

    /// Adds what is no line: the beginning of a long one, or what is left of a damaged object.
    pub(super) fn add_excerpt(&mut self, object: u32, number: u64, excerpt: &[u8], problem: Problem) {
        let start = self.append_text(excerpt);
        let why = match problem {
            Problem::TooLong(limit) => Why::TooLong(limit),
            Problem::Damaged(reason) => {
                self.damages.push((object, reason));
                Why::Damaged
            }
        };
        let (line, length) = (u32::try_from(number).unwrap_or(u32::MAX), excerpt.len() as u32);
        self.bad.push(Bad { object, line, start, length, why });
        self.lines += 1;
    }

    fn index_line(&mut self, line: &[u8], place: Place, limit: usize, trust: Trust) {
        let Place { object, start, number } = place;
        let (start, length) = (start as u32, line.len() as u32);
        let bad = |why, length| Bad { object, line: number, start, length, why };
        if line.len() > limit {
            self.bad.push(bad(Why::TooLong(limit), length.min(EXCERPT as u32)));
        } else if is_blank(line) {
            return;
        } else if let Some((received_at, id)) = key_of(line, trust) {
            self.entries.push(Entry { received_at, id: halves(id), start, length, object, line: number });
        } else {
            self.bad.push(bad(Why::NoEvent(trust), length));
        }
        self.lines += 1;
    }
}

/// What an excerpt is of.
pub(super) enum Problem {
    /// A line of more than so many bytes.
    TooLong(usize),
    /// An object that cannot be read further, and why.
    Damaged(String),
}

#[derive(Clone, Copy)]
struct Place {
    object: u32,
    start: usize,
    number: u32,
}

fn is_blank(line: &[u8]) -> bool {
    line.first().is_none_or(u8::is_ascii_whitespace) && line.iter().all(u8::is_ascii_whitespace)
}

/// The sort key of a line that may be an event; `None` if it is none.
fn key_of(line: &[u8], trust: Trust) -> Option<SortKey> {
    let usual = if trust == Trust::Checksum { usual_key(line) } else { None };
    usual.or_else(|| trust.read(line).ok().map(|event| (event.received_at.micros(), event.event_id)))
}

/// The sort key of a line that begins as every line of ours does; what follows is not looked at.
fn usual_key(line: &[u8]) -> Option<SortKey> {
    let (id, rest) = line.strip_prefix(br#"{"event_id":""#)?.split_at_checked(36)?;
    let rest = rest.strip_prefix(br#"","event_type":""#)?;
    let rest = rest.get(memchr2(b'"', b'\\', rest)?..)?.strip_prefix(br#"","schema_version":"#)?;
    let (version, rest) = rest.split_at_checked(memchr(b',', rest)?)?;
    let time = rest.strip_prefix(br#","received_at":""#)?;
    let time = &time[..memchr(b'"', time.get(..28).unwrap_or(time))?];
    if version.is_empty() || !version.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let id: EventId = std::str::from_utf8(id).ok()?.parse().ok()?;
    Some((Timestamp::parse(std::str::from_utf8(time).ok()?).ok()?.micros(), id))
}

#[cfg(test)]
mod tests {
    use event::Event;

    use super::*;

    #[test]
    fn the_usual_key_is_that_of_the_event() {
        let event = Event {
            event_id: "019aa0c5-6f8b-7000-8000-00000000002a".parse().unwrap(),
            event_type: "data.submitted".to_owned(),
            received_at: Timestamp::from_micros(1_763_631_026_123_456),
            ..Event::default()
        };
        let line = String::from_utf8(event.to_line()).unwrap();
        assert_eq!(usual_key(line.as_bytes()), Some((1_763_631_026_123_456, event.event_id)));
        for unusual in [
            line.replace("data.sub", "data\\u002esub"),
            line.replace("019aa0c5", "019AA0C5"),
            line.replacen(',', ", ", 1),
            line.replace(r#""schema_version":"#, r#""schema_version":-"#),
            line.replace("2025-", "2025-0"),
            line[..60].to_owned(),
            String::new(),
        ] {
            assert_eq!(usual_key(unusual.as_bytes()), None, "{unusual}");
        }
    }
}
