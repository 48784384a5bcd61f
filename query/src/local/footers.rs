//! Footers of data files, kept from one query to the next: a data file is never changed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parquet::file::metadata::ParquetMetaData;
use tokio::sync::OnceCell;

/// The most memory that kept footers take, bytes: those of some hundred files.
const MEMORY: usize = 64 << 20;

/// A file's footer with its page index, once it is read. Who comes while it is being read waits for it.
pub(crate) type Footer = Arc<OnceCell<Arc<ParquetMetaData>>>;

/// Footers by the path of their file. The oldest make room for the newest.
#[derive(Debug, Default)]
pub(crate) struct Footers(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    footers: HashMap<String, Footer>,
    /// Those that were read, and their size, oldest first.
    order: VecDeque<(String, usize)>,
    bytes: usize,
}

impl Footers {
    /// The place of the footer of the file at `path`.
    pub(crate) fn of(&self, path: &str) -> Footer {
        let mut kept = self.kept();
        match kept.footers.get(path) {
            Some(footer) => Arc::clone(footer),
            None => Arc::clone(kept.footers.entry(path.to_owned()).or_default()),
        }
    }

    /// Counts a footer that was read just now, and lets go of the oldest where it is one too many.
    pub(crate) fn count(&self, path: &str, footer: &ParquetMetaData) {
        let mut kept = self.kept();
        let bytes = footer.memory_size();
        kept.bytes += bytes;
        kept.order.push_back((path.to_owned(), bytes));
        while kept.bytes > MEMORY {
            let Some((oldest, bytes)) = kept.order.pop_front() else { return };
            kept.footers.remove(&oldest);
            kept.bytes -= bytes;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No panic can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
