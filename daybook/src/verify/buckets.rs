//! Records in parts that fit in memory, however many there are.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::failure::{Failure, Result};

/// Into how many parts records are divided.
const PARTS: usize = 256;
/// Bytes of records that are held in memory, about; what is more goes to a file.
const HELD: usize = 16 << 20;

/// Records divided by a hash: those with the same hash stand in the same part, in the order in which they were added.
///
/// Memory: some 16 MiB, whatever is added; and while parts are worked on, one of them for each thread. What does not fit
/// goes to a file without a name in the folder given, which is gone with this or with the process.
pub struct Buckets {
    parts: Vec<Part>,
    held: usize,
    most: usize,
    folder: PathBuf,
    file: Option<File>,
}

#[derive(Default)]
struct Part {
    held: Vec<u8>,
    in_file: Vec<Range<u64>>,
}

impl Buckets {
    /// Without records; `folder` is used only if they come to more than is held in memory.
    pub fn new(folder: &Path) -> Self {
        Self::holding(folder, HELD)
    }

    fn holding(folder: &Path, most: usize) -> Self {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Self { parts, held: 0, most, folder: folder.to_owned(), file: None }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn push(&mut self, hash: u64, record: &[u8]) -> Result<()> {
        self.parts[(hash % PARTS as u64) as usize].held.extend_from_slice(record);
        self.held += record.len();
        if self.held < self.most { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> Result<()> {
        let failed = |error: std::io::Error| {
            Failure::while_(format_args!("set records aside in {}", self.folder.display()))(error)
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder).map_err(failed)?),
        };
        let mut at = file.seek(SeekFrom::End(0)).map_err(failed)?;
        for part in self.parts.iter_mut().filter(|part| !part.held.is_empty()) {
            file.write_all(&part.held).map_err(failed)?;
            let end = at + part.held.len() as u64;
            part.in_file.push(at..end);
            part.held.clear();
            at = end;
        }
        self.held = 0;
        Ok(())
    }

    /// The records of a part, one behind the other.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn part(&self, index: usize) -> Result<Vec<u8>> {
        let part = &self.parts[index];
        let in_file: u64 = part.in_file.iter().map(|range| range.end - range.start).sum();
        let mut records = vec![0; usize::try_from(in_file).unwrap_or(usize::MAX)];
        let mut rest = records.as_mut_slice();
        for range in &part.in_file {
            let (piece, behind) = rest.split_at_mut((range.end - range.start) as usize);
            if let Some(file) = &self.file {
                file.read_exact_at(piece, range.start).map_err(Failure::while_("read what was set aside"))?;
            }
            rest = behind;
        }
        records.extend_from_slice(&part.held);
        Ok(records)
    }

    /// The records of one part after the other.
    pub fn parts(&self) -> impl Iterator<Item = Result<Vec<u8>>> {
        (0..PARTS).map(|part| self.part(part))
    }
}

/// What `work` makes of each part's number, in the order of the parts; several threads at once.
///
/// # Errors
/// The first of `work`, or it panicked.
pub async fn each_part<T: Send + 'static>(work: impl Fn(usize) -> Result<T> + Send + Sync + 'static) -> Result<Vec<T>> {
    let work = Arc::new(work);
    let on_a_thread = |part: usize| {
        let work = Arc::clone(&work);
        let done = tokio::task::spawn_blocking(move || work(part));
        async move { done.await.map_err(Failure::while_("check a part of the log"))? }
    };
    stream::iter(0..PARTS).map(on_a_thread).buffered(threads()).try_collect().await
}

/// How many threads work at the same time.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_the_part_of_its_hash_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for most in [100, 5_000, 1 << 20] {
            let mut buckets = Buckets::holding(folder.path(), most);
            let mut expect = vec![Vec::new(); PARTS];
            for number in 0..10_000_u64 {
                let (hash, record) = (number * 7919 % 1_000, number.to_be_bytes());
                let record = &record[(number % 3) as usize..];
                buckets.push(hash, record).unwrap();
                expect[hash as usize % PARTS].extend_from_slice(record);
            }
            assert_eq!(buckets.file.is_some(), most < 1 << 20, "holding {most}");
            assert!(buckets.held < most);
            for (index, expect) in expect.iter().enumerate() {
                assert_eq!(buckets.part(index).unwrap(), *expect, "part {index}, holding {most}");
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the files have no names");
    }

    #[tokio::test]
    async fn parts_are_worked_on_in_order_and_the_first_error_is_told() {
        assert_eq!(each_part(Ok).await.unwrap(), (0..PARTS).collect::<Vec<_>>());
        let failed = each_part(|part| if part < 7 { Ok(()) } else { Err(Failure::new(format!("part {part}"))) }).await;
        assert_eq!(failed.unwrap_err().to_string(), "part 7");
    }
}
