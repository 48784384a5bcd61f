//! Which events are there already: a lookup by sort key.

use std::collections::HashSet;

use event::EventId;

use super::{Known, Sought, Times};
use crate::block::SortKey;
use crate::error::{Error, ErrorKind, Result};

impl Known {
    /// Which sort keys of `sorted` have a row already.
    ///
    /// A duplicate is the same line, so it has the same `received_at`, too.
    ///
    /// # Errors
    /// A file could not be read.
    pub(crate) async fn present<T: Sync>(
        &self,
        sorted: &[T],
        key: impl Fn(&T) -> SortKey + Send + Sync,
    ) -> Result<HashSet<SortKey>> {
        let mut events = Events { sorted, key, found: HashSet::new() };
        self.look_for(&mut events).await?;
        Ok(events.found)
    }
}

struct Events<'a, T, F> {
    sorted: &'a [T],
    key: F,
    found: HashSet<SortKey>,
}

impl<T, F: Fn(&T) -> SortKey> Sought for Events<'_, T, F> {
    fn column(&self) -> &'static str {
        "event_id"
    }

    fn times(&self) -> Times {
        Times::new(self.sorted.iter().map(|item| (self.key)(item).0), 0)
    }

    fn see(&mut self, received_at: i64, id: &str) -> Result<()> {
        let no_id = |reason| Error::new(ErrorKind::Table, format!("the table's event_id: {reason}"));
        let id: EventId = id.parse().map_err(no_id)?;
        let key = (received_at, id);
        if self.sorted.binary_search_by_key(&key, &self.key).is_ok() {
            self.found.insert(key);
        }
        Ok(())
    }
}
