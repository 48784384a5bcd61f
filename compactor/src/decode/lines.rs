//! Text to lines, none of them longer in memory than allowed.

use std::io::{self, BufRead, BufReader, Read};

use super::inflate::{Inflate, storage_error};

/// How much of a line that cannot be kept whole is shown in quarantine.
pub(crate) const EXCERPT: usize = 64 << 10;

/// One step through an object.
pub(crate) enum Line<'a> {
    /// A line without its line feed.
    Whole(&'a [u8]),
    /// A line of nothing but white space.
    Blank,
    /// The beginning of a line that is longer than allowed; the rest of it is passed over.
    TooLong(&'a [u8]),
    /// From here on the object cannot be read.
    Damaged {
        /// Why.
        reason: String,
        /// What was read of the line at fault.
        partial: &'a [u8],
    },
    /// The sound end.
    End,
}

/// Steps through the lines of an object.
pub(crate) struct Lines<'a> {
    text: BufReader<Inflate<'a>>,
    line: Vec<u8>,
    limit: usize,
    number: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: Inflate<'a>, limit: usize) -> Self {
        Self { text: BufReader::with_capacity(1 << 16, text), line: Vec::new(), limit, number: 0 }
    }

    /// The number of the last line, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line; nothing but the end or the same damage after [`Line::End`] and [`Line::Damaged`].
    ///
    /// # Errors
    /// The storage failed. Damage is a value.
    pub(crate) fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        let most = self.limit as u64 + 1;
        if let Err(error) = self.text.by_ref().take(most).read_until(b'\n', &mut self.line) {
            return self.damaged(error);
        }
        if self.line.is_empty() {
            return Ok(Line::End);
        }
        let ended = self.line.pop_if(|last| *last == b'\n').is_some();
        if !ended && self.line.len() > self.limit {
            self.line.truncate(EXCERPT);
            if let Err(error) = self.skip_line() {
                return self.damaged(error);
            }
            self.number += 1;
            return Ok(Line::TooLong(&self.line));
        }
        self.number += 1;
        let blank = self.line.iter().all(u8::is_ascii_whitespace);
        Ok(if blank { Line::Blank } else { Line::Whole(&self.line) })
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.text.fill_buf()?;
            let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else {
                let length = buffer.len();
                self.text.consume(length);
                if length == 0 {
                    return Ok(());
                }
                continue;
            };
            self.text.consume(end + 1);
            return Ok(());
        }
    }

    fn damaged(&mut self, error: io::Error) -> io::Result<Line<'_>> {
        match storage_error(error) {
            Ok(storage) => Err(storage),
            Err(damage) => {
                self.number += 1;
                self.line.truncate(EXCERPT);
                Ok(Line::Damaged { reason: damage.to_string(), partial: &self.line })
            }
        }
    }
}
