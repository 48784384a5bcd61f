//! The contents that are on their way to the disk: each of them once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The keys of all drafts of a folder.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashSet<String>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    all: UnderWay,
    key: String,
}

impl UnderWay {
    /// Takes a key down; `None` if it is there already.
    pub(super) fn enter(&self, key: &str) -> Option<Entry> {
        self.keys().insert(key.to_owned()).then(|| Entry { all: self.clone(), key: key.to_owned() })
    }

    /// Does something to the folder of this name while no content is on its way into it, nor can begin to be.
    pub(super) fn unless_into(&self, folder: &str, work: impl FnOnce()) {
        let keys = self.keys();
        let is_into = |key: &String| key.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        if !keys.iter().any(is_into) {
            work();
        }
    }

    fn keys(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.keys().remove(&self.key);
    }
}
