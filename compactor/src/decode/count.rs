//! How many lines there are, counted without decoding events.

use std::io::{self, Read};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use libdeflater::Decompressor;
use memchr::memchr_iter;

use super::members::{Inflated, inflate_first};
use super::{Limits, Line, Lines, step_through};
use crate::error::{Error, ErrorKind, Result};
use crate::raw::{RawLog, RawObject};

/// The largest object, as stored, and the largest member, inflated, that are counted the quick way.
const QUICK_STORED: u64 = 16 << 20;
const QUICK_MEMBER: usize = 64 << 20;
/// Most objects that are counted at once: each may take as much memory as the two above together.
const CORES: usize = 4;
/// What members of the relay's fit in.
const ROOM: usize = 1 << 20;

/// How much is in raw objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RawCount {
    /// Objects.
    pub objects: u64,
    /// Bytes as stored.
    pub bytes: u64,
    /// Lines, as [`Counts`](crate::Counts) defines them.
    pub lines: u64,
}

/// Counts the lines of `objects`: the left side of I7, independent of what compaction made of them. Up to four
/// cores count an object each.
///
/// # Errors
/// An object could not be read.
pub async fn count_raw(raw: &Arc<dyn RawLog>, objects: &[RawObject], limits: Limits) -> Result<RawCount> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(CORES);
    let lines = stream::iter(objects).map(|object| count_object(raw, object, limits)).buffer_unordered(cores);
    let lines: u64 = lines.try_fold(0, async |sum, lines| Ok(sum + lines)).await?;
    let bytes = objects.iter().map(|object| object.bytes).sum();
    Ok(RawCount { objects: objects.len() as u64, bytes, lines })
}

/// The lines of one object: the quick way, or else the careful one.
async fn count_object(raw: &Arc<dyn RawLog>, object: &RawObject, limits: Limits) -> Result<u64> {
    if object.bytes <= QUICK_STORED {
        let (reader, most) = (raw.open(&object.key).await?, limits.inflated(object.bytes));
        let context = || format!("read {}", object.key);
        let counted = tokio::task::spawn_blocking(move || count_quickly(reader, most, limits.line_bytes));
        let counted = counted.await.map_err(|stopped| Error::caused(ErrorKind::Stopped, context(), stopped))?;
        if let Some(lines) = counted.map_err(Error::raw(context()))? {
            return Ok(lines);
        }
    }
    step_through(raw, object, limits, count_lines).await
}

/// The lines of an object that is sound, gzip, and inflates to no more than `most` bytes.
fn count_quickly(mut reader: Box<dyn Read + Send>, most: u64, longest_line: usize) -> io::Result<Option<u64>> {
    let mut stored = Vec::new();
    reader.read_to_end(&mut stored)?;
    let (mut inflater, mut room) = (Decompressor::new(), vec![0; ROOM]);
    let mut count = Count { lines: 0, open: 0, blank: true, longest_line };
    let (mut rest, mut inflated) = (stored.as_slice(), 0);
    while !rest.is_empty() {
        match inflate_first(&mut inflater, rest, &mut room) {
            Ok((end, length)) => {
                rest = &rest[end..];
                inflated += length as u64;
                count.take(&room[..length]);
            }
            Err(Inflated::NoRoom) if room.len() < QUICK_MEMBER => room = vec![0; room.len() * 4],
            Err(_) => return Ok(None),
        }
        if inflated > most {
            return Ok(None);
        }
    }
    Ok(Some(count.end()))
}

/// Counts lines as [`Lines`] does.
struct Count {
    lines: u64,
    /// Bytes of the line that has begun.
    open: usize,
    blank: bool,
    longest_line: usize,
}

impl Count {
    fn take(&mut self, text: &[u8]) {
        let mut begin = 0;
        for end in memchr_iter(b'\n', text) {
            self.add(&text[begin..end]);
            self.end_line();
            begin = end + 1;
        }
        self.add(&text[begin..]);
    }

    fn add(&mut self, part: &[u8]) {
        self.open += part.len();
        self.blank &= part.iter().all(u8::is_ascii_whitespace);
    }

    fn end_line(&mut self) {
        // What is too long to be looked at as a whole counts, whatever it is.
        self.lines += u64::from(!self.blank || self.open > self.longest_line);
        (self.open, self.blank) = (0, true);
    }

    fn end(mut self) -> u64 {
        self.end_line();
        self.lines
    }
}

fn count_lines(mut lines: Lines<'_>) -> io::Result<u64> {
    let mut count = 0;
    loop {
        match lines.next()? {
            Line::End => return Ok(count),
            Line::Blank => {}
            Line::Whole(_) | Line::TooLong(_) => count += 1,
            Line::Damaged { .. } => return Ok(count + 1),
        }
    }
}

/// How many lines a damaged object counted for when it was compacted, whatever it holds by now: `damage` is the number
/// of the line in quarantine that says where it could not be read any further.
///
/// Up to there the object is counted as it is now, behind it one line (I7). Without blank lines that is exact, whatever
/// was put in its place.
///
/// # Errors
/// The object could not be read.
pub async fn lines_up_to_damage(raw: &Arc<dyn RawLog>, object: &RawObject, damage: u64, limits: Limits) -> Result<u64> {
    let blank = step_through(raw, object, limits, move |lines| blank_before(lines, damage)).await?;
    Ok(damage - blank)
}

/// How many lines before the line `end` are blank and have one behind them that is not.
fn blank_before(mut lines: Lines<'_>, end: u64) -> io::Result<u64> {
    let (mut before, mut last) = (0, 0);
    loop {
        let damaged = match lines.next()? {
            Line::End => return Ok(last - before),
            Line::Blank => continue,
            Line::Whole(_) | Line::TooLong(_) => false,
            Line::Damaged { .. } => true,
        };
        if lines.number() >= end {
            return Ok(end.saturating_sub(1) - before);
        }
        (before, last) = (before + 1, lines.number());
        if damaged {
            return Ok(last - before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flate2::Compression;
    use flate2::read::GzEncoder;

    use super::super::Inflate;
    use super::*;

    fn carefully(stored: &[u8], longest_line: usize) -> u64 {
        let text = Box::new(Cursor::new(stored.to_vec()));
        count_lines(Lines::new(Inflate::new(text, 1 << 30).unwrap(), longest_line)).unwrap()
    }

    fn member(text: &[u8]) -> Vec<u8> {
        let mut stored = Vec::new();
        GzEncoder::new(text, Compression::fast()).read_to_end(&mut stored).unwrap();
        stored
    }

    #[test]
    fn both_ways_count_the_same() {
        let quickly = |stored: &[u8], most, longest_line| {
            count_quickly(Box::new(Cursor::new(stored.to_vec())), most, longest_line).unwrap()
        };
        let check = |texts: &[&str]| {
            let stored: Vec<u8> = texts.iter().flat_map(|text| member(text.as_bytes())).collect();
            for longest_line in [3, 100] {
                let expect = carefully(&stored, longest_line);
                assert_eq!(quickly(&stored, 1 << 30, longest_line), Some(expect), "{texts:?} {longest_line}");
            }
        };
        check(&[]);
        check(&[""]);
        check(&["\n"]);
        check(&["a\nb\n"]);
        check(&["a\nb"]);
        check(&["a", "b\n", "", "\n", " ", " \n", " ", "c", "\t\n", "     \n", "\n\n  \n      "]);
        check(&["\n\n\r\n \n", "x\r\n"]);
        check(&[&"a line\n".repeat(1 << 20), "b"]);
        let sound = [member(b"a\nb\n"), member(b"c\n")].concat();
        assert_eq!(quickly(&sound, 6, 9), Some(3));
        assert_eq!(quickly(&sound, 5, 9), None, "a bomb is for the careful way");
        assert_eq!(quickly(b"a\nb\n", 99, 9), None, "and so is what is no gzip");
        for cut in (1..sound.len()).filter(|cut| *cut != member(b"a\nb\n").len()) {
            assert_eq!(quickly(&sound[..cut], 99, 9), None, "cut at {cut}");
        }
    }

    #[test]
    fn blank_lines_are_told_from_lines_that_are_missing() {
        let check = |text: &str, end: u64, expect: u64| {
            let text = Box::new(Cursor::new(text.as_bytes().to_vec()));
            let lines = Lines::new(Inflate::new(text, 1 << 20).unwrap(), 100);
            assert_eq!(blank_before(lines, end).unwrap(), expect, "before {end}");
        };
        check("", 1, 0);
        check("a\nb\nc\n", 3, 0);
        check("a\nb\n", 9, 0);
        check("\na\n \n\nb\n", 5, 3);
        check("\na\n \n\nb\n", 4, 2);
        check("\na\n \n\nb\n", 2, 1);
        check("\na\n \n\n", 9, 1);
    }
}
