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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(name: &str) -> Vec<u8> {
        let path = format!("{}/../event/testdata/v1/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap().trim_ascii_end().to_vec()
    }

    /// Written by another implementation of zlib. A line here is never changed or removed.
    #[test]
    fn what_was_ever_written_loads() {
        for golden in include_str!("../../testdata/stored-lines.txt").lines() {
            let [dictionary, name, hex] = golden.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let digits: Vec<u8> = hex.bytes().map(|digit| (digit as char).to_digit(16).unwrap() as u8).collect();
            let packed: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
            assert_eq!(inflate(&packed, dictionary.parse().unwrap()).unwrap(), event(name), "{name}");
        }
    }

    #[test]
    fn dictionaries_stay_as_they_are() {
        let hashes: Vec<String> = DICTIONARIES.iter().map(|words| event::sha256_hex(words)).collect();
        assert_eq!(hashes, ["55fe90221169addd9f9b42c562542dbed999d5b86504c086902c3a5d7351d307"]);
    }

    #[test]
    fn a_line_takes_a_third_of_its_size() {
        for name in ["task.created", "task.updated", "data.submitted"] {
            let (line, packed) = (event(name), deflate(&event(name)).unwrap());
            assert!(packed.len() * 3 < line.len(), "{name}: {} of {}", packed.len(), line.len());
        }
    }

    #[test]
    fn damage_is_found() {
        let packed = deflate(&event("task.created")).unwrap();
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 4;
            assert!(inflate(&damaged, 1).is_err(), "byte {at}");
            assert!(inflate(&packed[..at], 1).is_err(), "cut at {at}");
        }
        for dictionary in [0, DICTIONARY + 1] {
            let error = inflate(&packed, dictionary).unwrap_err();
            assert!(error.to_string().contains("is not known"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn lines_come_back_to_the_byte(line in prop::collection::vec(any::<u8>(), 0..5_000)) {
            prop_assert_eq!(inflate(&deflate(&line).unwrap(), DICTIONARY).unwrap(), line);
        }

        #[test]
        fn so_do_long_ones_that_shrink_to_little(unit in "[a-c]{1,9}", times in 1..100_000_usize) {
            let line = unit.repeat(times).into_bytes();
            prop_assert_eq!(inflate(&deflate(&line).unwrap(), DICTIONARY).unwrap(), line);
        }
    }
}
