//! Writing long files past the page cache.
//!
//! Of what a compaction writes, little is read soon. Pages kept of it push out others, count as the process's own in a
//! container, and take more CPU to fill than a disk takes to be written directly (ADR 0014).

use std::fs::File;
use std::io::{self, Write};

/// So many bytes are written at once; a shorter file is written as any other.
const BLOCK: usize = 1 << 20;
/// Direct writes begin and end at multiples of this, in memory and on the disk.
const ALIGNED: usize = 4 << 10;

/// A file that is written from its beginning to its end. Nothing of it is durable before a sync.
#[derive(Debug)]
pub(crate) struct DirectFile {
    file: File,
    /// What was not written yet, from `begin` on; its memory never moves.
    buffer: Vec<u8>,
    begin: usize,
    cache: Cache,
}

/// Whether writes go through the page cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cache {
    Undecided,
    Past,
    Through,
}

impl DirectFile {
    /// `file` is empty.
    pub(crate) fn new(file: File) -> Self {
        let mut buffer: Vec<u8> = Vec::with_capacity(BLOCK + ALIGNED);
        let begin = buffer.as_ptr().align_offset(ALIGNED).min(ALIGNED);
        buffer.resize(begin, 0);
        Self { file, buffer, begin, cache: Cache::Undecided }
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.begin + BLOCK - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == self.begin + BLOCK {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// Writes the rest: the file, which is as long as what was written.
    pub(crate) fn finish(&mut self) -> io::Result<&File> {
        self.through_cache()?;
        self.file.write_all(&self.buffer[self.begin..])?;
        self.buffer.truncate(self.begin);
        Ok(&self.file)
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.cache == Cache::Undecided {
            // A file system that has no direct writes says so here.
            self.cache = if set_direct(&self.file, true).is_ok() { Cache::Past } else { Cache::Through };
        }
        let mut written = self.begin;
        while written < self.buffer.len() {
            match self.file.write(&self.buffer[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Or here, as a disk of larger blocks does, or one that took a part of what it was given.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput && self.cache == Cache::Past => {
                    self.through_cache()?;
                }
                Err(error) => return Err(error),
            }
        }
        self.buffer.truncate(self.begin);
        Ok(())
    }

    fn through_cache(&mut self) -> io::Result<()> {
        if self.cache == Cache::Past {
            set_direct(&self.file, false)?;
        }
        self.cache = Cache::Through;
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn set_direct(file: &File, direct: bool) -> io::Result<()> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, direct);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(not(target_os = "linux"))]
fn set_direct(_: &File, _: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    /// Writes a file of `length` bytes in pieces of `piece`: how it was written in the end.
    fn write(place: &Path, length: usize, piece: usize, cache: Cache) -> Cache {
        let mut file = DirectFile::new(File::create(place).unwrap());
        file.cache = cache;
        bytes(length).chunks(piece).for_each(|bytes| file.write(bytes).unwrap());
        let cache = file.cache;
        file.finish().unwrap().sync_all().unwrap();
        cache
    }

    #[test]
    fn a_file_of_any_length_in_pieces_of_any_length_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("file");
        for length in [0, 1, ALIGNED, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + ALIGNED + 7] {
            for piece in [1 << 10, 4_099, BLOCK, BLOCK + 1, 8 * BLOCK] {
                for cache in [Cache::Undecided, Cache::Through] {
                    write(&place, length, piece, cache);
                    assert!(
                        std::fs::read(&place).unwrap() == bytes(length),
                        "{length} in pieces of {piece}, {cache:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_short_file_is_written_as_any_other() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(&folder.path().join("file"), BLOCK - 1, 4_099, Cache::Undecided), Cache::Undecided);
    }

    #[test]
    fn a_write_that_is_refused_as_unaligned_goes_through_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("file");
        let mut file = DirectFile::new(File::create(&place).unwrap());
        // One byte that was written before puts all others off.
        file.file.write_all(&bytes(1)).unwrap();
        file.write(&bytes(2 * BLOCK + 5)[1..]).unwrap();
        assert_eq!(file.cache, Cache::Through);
        file.finish().unwrap();
        assert!(std::fs::read(&place).unwrap() == bytes(2 * BLOCK + 5));
    }
}
