//! Which of the chunk's events are in the table: a lookup by sort key, whose cost follows the chunk, not the table.

use std::collections::HashSet;

use event::EventId;
use iceberg::table::Table;

use crate::error::{Error, ErrorKind, Result};
use crate::lookup::{Sought, look_for};
use crate::rows::Key;

/// The events of `keys`, which are sorted, that the table has.
pub(super) async fn present(table: &Table, keys: &[Key]) -> Result<HashSet<EventId>> {
    let mut events = Events { keys, found: HashSet::new() };
    look_for(table, &mut events).await?;
    Ok(events.found)
}

struct Events<'a> {
    keys: &'a [Key],
    found: HashSet<EventId>,
}

impl Sought for Events<'_> {
    fn column(&self) -> &'static str {
        "event_id"
    }

    fn may_be_within(&self, first: i64, last: i64) -> bool {
        let from = self.keys.partition_point(|key| key.received_at < first);
        self.keys.get(from).is_some_and(|key| key.received_at <= last)
    }

    fn see(&mut self, received_at: i64, id: &str) -> Result<()> {
        let no_id = |reason| Error::new(ErrorKind::Table, format!("the table's event_id: {reason}"));
        let id: EventId = id.parse().map_err(no_id)?;
        if self.keys.binary_search_by(|key| key.sort_key().cmp(&(received_at, id))).is_ok() {
            self.found.insert(id);
        }
        Ok(())
    }
}
