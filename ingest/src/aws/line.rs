//! An event's line as an item holds it: to the byte, but a quarter of its size.
//!
//! DynamoDB bills every kilobyte begun, twice in a transaction. A line is mostly names and words that every line has:
//! a dictionary both sides know saves them from being written. The format is zlib (RFC 1950), whose header names the
//! dictionary's checksum and whose end has the line's.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::{Error, ErrorKind, Result};

/// Every dictionary that items were ever written with; the item says which one, counted from 1. Only added to: what
/// was written must load for ever.
const DICTIONARIES: &[&[u8]] = &[include_bytes!("dictionary/1.txt")];
/// The number of the dictionary that is written with.
pub const DICTIONARY: usize = DICTIONARIES.len();
/// Longest line that is read back: far above what an item can hold of text that does not shrink to nothing.
const LONGEST: usize = 64 << 20;

/// Deflates a line with the latest dictionary.
pub fn deflate(line: &[u8]) -> Result<Vec<u8>> {
    let failed = |reason: &str| Error::new(ErrorKind::Unavailable, format!("deflating a line: {reason}"));
    let mut stream = Compress::new(Compression::best(), true);
    stream.set_dictionary(DICTIONARIES[DICTIONARY - 1]).map_err(|error| failed(&error.to_string()))?;
    // What does not shrink grows by five bytes a block and the frame's ten.
    let mut packed = Vec::with_capacity(line.len() + line.len() / 1_000 + 64);
    match stream.compress_vec(line, &mut packed, FlushCompress::Finish) {
        Ok(Status::StreamEnd) => Ok(packed),
        Ok(_) => Err(failed("it did not end")),
        Err(error) => Err(failed(&error.to_string())),
    }
}

/// Inflates a line that was written with the dictionary of this number.
///
/// # Errors
/// No such dictionary, or the bytes are not those that were written.
pub fn inflate(packed: &[u8], dictionary: usize) -> Result<Vec<u8>> {
    let damaged = |reason: &str| Error::new(ErrorKind::Corrupt, format!("a stored line is damaged: {reason}"));
    let words = dictionary.checked_sub(1).and_then(|index| DICTIONARIES.get(index));
    let words = words.ok_or_else(|| damaged(&format!("dictionary {dictionary} is not known")))?;
    let mut stream = Decompress::new(true);
    let mut line = Vec::with_capacity((packed.len() * 6).max(4 << 10));
    loop {
        let read = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        let rest = packed.get(read..).unwrap_or_default();
        match stream.decompress_vec(rest, &mut line, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) => return Ok(line),
            Ok(_) if line.len() < line.capacity() => return Err(damaged("it ends too soon")),
            Ok(_) if line.len() > LONGEST => return Err(damaged("it has no end")),
            Ok(_) => line.reserve(line.len()),
            Err(error) if error.needs_dictionary().is_some() && stream.total_out() == 0 => {
                stream.set_dictionary(words).map_err(|_| damaged("it was written with another dictionary"))?;
            }
            Err(error) => return Err(damaged(&error.to_string())),
        }
    }
}
