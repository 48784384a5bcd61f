//! A data file of this machine, read page by page.
//!
//! The asynchronous reader holds all of a row group's columns at once. Here each input of a merge holds one page of
//! each column, so that memory does not follow the size of the files.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};

use crate::lake::read_range;

/// How much is read ahead of a page's header.
const AHEAD: usize = 8 << 10;

/// An open file. Unlike `File`'s own, its readers do not move each other, and a range beyond its end is an error: see
/// [`read_range`].
#[derive(Debug, Clone)]
pub(super) struct Pages {
    file: Arc<File>,
    size: u64,
}

impl Pages {
    pub(super) fn open(path: &str) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size })
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Pages {
    type T = BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::with_capacity(AHEAD, From { file: Arc::clone(&self.file), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        Ok(read_range(&self.file, self.size, start..start.saturating_add(length as u64))?)
    }
}

/// The file from some place on.
#[derive(Debug)]
pub(super) struct From {
    file: Arc<File>,
    at: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_do_not_move_each_other_and_a_range_beyond_the_end_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"0123456789").unwrap();
        let pages = Pages::open(path.to_str().unwrap()).unwrap();
        let (mut one, mut other) = (pages.get_read(2).unwrap(), pages.get_read(7).unwrap());
        let (mut first, mut rest) = ([0; 2], String::new());
        one.read_exact(&mut first).unwrap();
        other.read_to_string(&mut rest).unwrap();
        assert_eq!((&first, rest.as_str()), (b"23", "789"));
        one.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"45");
        assert_eq!(pages.get_bytes(4, 6).unwrap(), "456789");
        for (start, length) in [(4, 7), (11, 0), (u64::MAX, 1), (0, usize::MAX)] {
            assert!(pages.get_bytes(start, length).is_err(), "{length} from {start}");
        }
    }
}
