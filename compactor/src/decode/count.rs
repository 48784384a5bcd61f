//! How many lines there are, counted without decoding events.

use std::io;
use std::sync::Arc;

use super::{Limits, Line, Lines, step_through};
use crate::error::Result;
use crate::raw::{RawLog, RawObject};

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

/// Counts the lines of `objects`: the left side of I7, independent of what compaction made of them.
///
/// # Errors
/// An object could not be read.
pub async fn count_raw(raw: &Arc<dyn RawLog>, objects: &[RawObject], limits: Limits) -> Result<RawCount> {
    let mut count = RawCount::default();
    for object in objects {
        count.lines += step_through(raw, object, limits, count_lines).await?;
        count.objects += 1;
        count.bytes += object.bytes;
    }
    Ok(count)
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

    use super::super::Inflate;
    use super::*;

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
