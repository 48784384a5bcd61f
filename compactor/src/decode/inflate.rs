//! The text of a raw object: gzip of any number of members, or plain, recognised by its first bytes.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// What every member of gzip begins with, and with it a stored object that is gzip.
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads an object's text, at most `limit` bytes of it.
///
/// Its errors tell storage that failed (see [`storage_error`]) from bytes that are damaged.
pub(crate) struct Inflate<'a> {
    text: Box<dyn Read + Send + 'a>,
    read: u64,
    limit: u64,
}

impl<'a> Inflate<'a> {
    /// # Errors
    /// The storage failed.
    pub(crate) fn new(reader: Box<dyn Read + Send + 'a>, limit: u64) -> io::Result<Self> {
        let mut stored = Stored(reader);
        let mut head = Vec::with_capacity(2);
        stored.by_ref().take(2).read_to_end(&mut head).map_err(|error| storage_error(error).unwrap_or_else(|e| e))?;
        let is_gzip = head == GZIP;
        let whole = BufReader::with_capacity(1 << 16, Cursor::new(head).chain(stored));
        let text: Box<dyn Read + Send + 'a> =
            if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Self { text, read: 0, limit })
    }
}

impl Read for Inflate<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.text.read(buffer)?;
        self.read += count as u64;
        if self.read > self.limit {
            let message = format!("inflates to more than {} bytes", self.limit);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(count)
    }
}

/// The storage's own error in what reading an object returned; else the damage, as it came.
pub(crate) fn storage_error(error: io::Error) -> Result<io::Error, io::Error> {
    match error.downcast::<StorageError>() {
        Ok(StorageError(inner)) => Ok(inner),
        Err(damage) => Err(damage),
    }
}

/// Marks the storage's errors, so that they are not taken for damaged bytes.
struct Stored<'a>(Box<dyn Read + Send + 'a>);

#[derive(Debug)]
struct StorageError(io::Error);

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for StorageError {}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::other(StorageError(error))),
            count => count,
        }
    }
}
