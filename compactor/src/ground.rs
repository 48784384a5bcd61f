//! What everything that works on one commit shares, and the step that all its rows go through.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use event::Timestamp;
use tokio::runtime::Handle;

use crate::block::{Block, Entry, SortKey};
use crate::columns::Columns;
use crate::decode::Limits;
use crate::error::Result;
use crate::lookup::Known;
use crate::profile::{Profile, Stage};
use crate::quarantine::{BadLines, BadMember};
use crate::raw::{RawLog, RawObject};
use crate::write::{Encoder, GROUP_ROWS, Group, batch_is_full};

/// The ground of one commit.
pub(crate) struct Ground {
    pub(crate) raw: Arc<dyn RawLog>,
    pub(crate) limits: Limits,
    /// The objects that may be taken in; an entry names its own by its place.
    pub(crate) objects: Vec<RawObject>,
    /// The rows that are there already.
    pub(crate) known: Known,
    pub(crate) ingested_at: Timestamp,
    pub(crate) runtime: Handle,
    pub(crate) profile: Profile,
    pub(crate) spare: Spare,
}

/// What groups work in, and nobody needs now: its memory is the system's once, not once for each group.
pub(crate) type Spare = Arc<Mutex<Vec<Desk>>>;

/// What a group works in.
#[derive(Default)]
pub(crate) struct Desk {
    /// The lines. Empty for the next group.
    pub(crate) block: Block,
    /// An object as it is stored.
    pub(crate) stored: Vec<u8>,
}

/// What became of some entries.
#[derive(Default)]
pub(crate) struct Encoded {
    /// The rows, in order.
    pub(crate) groups: Vec<Group>,
    pub(crate) rows: u64,
    /// Entries whose event came before, or is there already.
    pub(crate) duplicates: u64,
}

impl Ground {
    /// A place to work at, new or left by another group.
    pub(crate) fn take_desk(&self) -> Desk {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Leaves a place whose block is empty to the next group.
    pub(crate) fn give_back(&self, desk: Desk) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
    }

    /// Which of the entries, which are sorted, have a row already. Blocks the thread.
    fn present(&self, entries: &[Entry]) -> Result<HashSet<SortKey>> {
        self.profile.measure(Stage::LookUp, || self.runtime.block_on(self.known.present(entries, Entry::sort_key)))
    }

    /// Decodes and encodes some of the entries of `block`, which are sorted; each event once, and none
    /// that is there already. Entries that turn out to be no events are refused. Blocks the thread.
    ///
    /// # Errors
    /// The table could not be read, or rows not be encoded.
    pub(crate) fn encode(&self, block: &mut Block, entries: Range<usize>) -> Result<Encoded> {
        let present = self.present(&block.entries()[entries.clone()])?;
        let mut encoded = Encoded::default();
        let mut refused = Vec::new();
        let mut columns = Columns::new(self.ingested_at);
        let mut last = None;
        for day in block.entries()[entries].chunk_by(|a, b| a.day() == b.day()) {
            let mut day = day.iter();
            while !day.as_slice().is_empty() {
                let rows = day.as_slice().len().min(GROUP_ROWS);
                let mut encoder = Encoder::new(day.as_slice()[0].day(), rows)?;
                for entry in day.by_ref().take(rows) {
                    let key = entry.sort_key();
                    let is_known = last == Some(key) || present.contains(&key);
                    if is_known && columns.accepts(block.line(entry)) {
                        encoded.duplicates += 1;
                    } else if !is_known && self.push(&mut columns, block, entry) {
                        last = Some(key);
                    } else {
                        refused.push(*entry);
                    }
                    if batch_is_full(&columns) {
                        self.pass_on(&mut columns, &mut encoder)?;
                    }
                }
                self.pass_on(&mut columns, &mut encoder)?;
                let group = self.profile.measure(Stage::Encode, || encoder.finish())?;
                encoded.rows += group.as_ref().map_or(0, Group::rows);
                encoded.groups.extend(group);
            }
        }
        refused.iter().for_each(|entry| block.refuse(entry));
        Ok(encoded)
    }

    fn push(&self, columns: &mut Columns, block: &Block, entry: &Entry) -> bool {
        let object = self.objects.get(entry.object as usize).map_or("", |object| object.key.as_str());
        columns.push(block.line(entry), object)
    }

    fn pass_on(&self, columns: &mut Columns, encoder: &mut Encoder) -> Result<()> {
        if columns.rows() == 0 {
            return Ok(());
        }
        let batch = columns.finish()?;
        self.profile.measure(Stage::Encode, || encoder.write(&batch))
    }

    /// The bad lines of a block, by object.
    ///
    /// # Errors
    /// They cannot be rendered.
    pub(crate) fn bad_lines(&self, block: &mut Block) -> Result<Vec<(u32, BadMember)>> {
        let mut members: Vec<(u32, BadLines)> = Vec::new();
        for (object, bad) in block.take_bad() {
            if members.last().is_none_or(|(last, _)| *last != object) {
                let key = self.objects.get(object as usize).map_or("", |object| object.key.as_str());
                members.push((object, BadLines::new(key)));
            }
            if let Some((_, lines)) = members.last_mut() {
                lines.push(&bad).map_err(crate::error::Error::raw("render the quarantine"))?;
            }
        }
        members.into_iter().map(|(object, lines)| Ok((object, lines.finish()?))).collect()
    }
}
