//! How records are set aside: numbers and texts, one behind the other.

use crate::failure::{Failure, Result};

/// Stands for a text that is not there.
const NONE: u32 = u32::MAX;

/// Writes a number.
pub fn put<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    out.extend_from_slice(&bytes);
}

/// Writes a text, or that there is none.
pub fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    // An Arrow column's text is shorter than 2 GiB, and so is a line.
    let length = text.map_or(NONE, |text| u32::try_from(text.len()).unwrap_or(NONE - 1));
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// Reads what was written, in the same order.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Of these records.
    pub fn of(records: &'a [u8]) -> Self {
        Self(records)
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next number.
    ///
    /// # Errors
    /// There is none: the file is not what was written.
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// The next text, if there was one.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn text(&mut self) -> Result<Option<&'a str>> {
        let length = u32::from_le_bytes(self.take()?);
        if length == NONE {
            return Ok(None);
        }
        let (text, rest) = self.0.split_at_checked(length as usize).ok_or_else(damaged)?;
        self.0 = rest;
        std::str::from_utf8(text).map(Some).map_err(|_| damaged())
    }

    /// The next text, which was there.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn some_text(&mut self) -> Result<&'a str> {
        self.text()?.ok_or_else(damaged)
    }
}

/// A file that something else wrote to, or a disk that does not keep what it is given.
pub fn damaged() -> Failure {
    Failure::new("what was set aside on disk is not what was written; try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        let mut record = Vec::new();
        put(&mut record, 7_i64.to_le_bytes());
        put_text(&mut record, Some("naïve"));
        put_text(&mut record, None);
        put_text(&mut record, Some(""));
        let mut reader = Reader::of(&record);
        assert_eq!(i64::from_le_bytes(reader.take().unwrap()), 7);
        assert_eq!(reader.some_text().unwrap(), "naïve");
        assert_eq!(reader.text().unwrap(), None);
        assert!(!reader.is_empty());
        assert_eq!(reader.text().unwrap(), Some(""));
        assert!(reader.is_empty());
        assert!(reader.take::<1>().is_err());
        assert!(Reader::of(&record[..11]).take::<8>().is_ok());
        for end in 9..record.len() {
            let mut cut = Reader::of(&record[..end]);
            let _ = cut.take::<8>();
            assert!(cut.text().and_then(|_| cut.text()).and_then(|_| cut.text()).is_err(), "cut at {end}");
        }
    }
}
