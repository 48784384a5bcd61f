//! The files of one commit: row groups come in order, late lines are set aside and get files of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use iceberg::spec::DataFile;
use iceberg::table::Table;
use uuid::Uuid;

use crate::block::Block;
use crate::error::{Error, Result};
use crate::ground::{Encoded, Ground};
use crate::pipeline::Piece;
use crate::profile::Stage;
use crate::quarantine::{self, BadMember};
use crate::workers::Workers;
use crate::write::{DataFileWriter, Group};

/// A file is not made larger than this.
const FILE_BYTES: u64 = 128 << 20;

/// What lines came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) rows: u64,
    pub(crate) duplicates: u64,
}

/// The files of a commit that is being made.
///
/// Every file is in order as a whole: a row group follows those before it, or begins another file. Lines that came too
/// late for that are set aside; when they are many, or at the end, they are sorted, compared with what is there, the
/// files of this commit included, and written.
pub(crate) struct CommitFiles<'a> {
    ground: Arc<Ground>,
    worker: Arc<Workers>,
    table: &'a Table,
    id: Uuid,
    open: Option<DataFileWriter>,
    begun: usize,
    files: Vec<DataFile>,
    late: Block,
    late_limit: usize,
    bad: BTreeMap<u32, BadMember>,
    bad_bytes: usize,
}

impl<'a> CommitFiles<'a> {
    /// No files yet; at most `late_limit` bytes of late lines are held. `worker` encodes them, and must not be one that
    /// waits for what comes before them to be written.
    pub(crate) fn new(ground: Arc<Ground>, worker: Arc<Workers>, table: &'a Table, id: Uuid, late_limit: u64) -> Self {
        Self {
            ground,
            worker,
            table,
            id,
            open: None,
            begun: 0,
            files: Vec::new(),
            late: Block::default(),
            late_limit: usize::try_from(late_limit).unwrap_or(usize::MAX),
            bad: BTreeMap::new(),
            bad_bytes: 0,
        }
    }

    /// Whether no file was begun yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.begun == 0
    }

    /// Takes a piece in; its late lines count when they are written.
    ///
    /// # Errors
    /// The storage fails, or the table cannot be read.
    pub(crate) async fn take(&mut self, piece: Piece) -> Result<Written> {
        let mut written = self.write(piece.encoded).await?;
        self.note_bad(piece.bad);
        written.add(self.write_late(self.late_limit.saturating_sub(piece.late.weight())).await?);
        if self.late.weight() == 0 {
            self.late = piece.late;
        } else {
            self.late.adopt(&piece.late, piece.late.entries());
        }
        Ok(written)
    }

    /// Whether so many bad lines are held that the commit had better end.
    pub(crate) fn is_heavy(&self) -> bool {
        self.bad_bytes > self.late_limit
    }

    /// Lines that were set aside: more may be added.
    pub(crate) fn late(&mut self) -> &mut Block {
        &mut self.late
    }

    /// Writes the late lines if they are more than `limit` bytes.
    ///
    /// # Errors
    /// The storage fails, or the table cannot be read.
    pub(crate) async fn write_late(&mut self, limit: usize) -> Result<Written> {
        if self.late.weight() <= limit {
            return Ok(Written::default());
        }
        // What was written before must be found among what is there.
        self.close().await?;
        let (mut late, ground) = (std::mem::take(&mut self.late), self.ground.clone());
        let work = move || {
            late.sort();
            let all = 0..late.entries().len();
            let encoded = ground.profile.measure(Stage::Convert, || ground.encode(&mut late, all))?;
            Ok::<_, Error>((encoded, ground.bad_lines(&mut late)?))
        };
        let (encoded, bad) = self.worker.run(work).await?;
        self.note_bad(bad);
        let written = self.write(encoded).await?;
        self.close().await?;
        Ok(written)
    }

    /// Ends the files, which are durable when this returns: their entries.
    ///
    /// # Errors
    /// The storage fails, or the table cannot be read.
    pub(crate) async fn finish(&mut self) -> Result<Vec<DataFile>> {
        self.close().await?;
        Ok(std::mem::take(&mut self.files))
    }

    /// Keeps the bad lines of all objects, durable when it returns: how many.
    ///
    /// # Errors
    /// They could not be kept.
    pub(crate) async fn keep_bad(&mut self) -> Result<u64> {
        let mut count = 0;
        for (object, bad) in std::mem::take(&mut self.bad) {
            let Some(object) = self.ground.objects.get(object as usize) else { continue };
            count += bad.count;
            quarantine::keep(&self.ground.raw, &object.key, bad).await?;
        }
        Ok(count)
    }

    fn note_bad(&mut self, bad: Vec<(u32, BadMember)>) {
        for (object, member) in bad {
            self.bad_bytes += member.bytes();
            self.bad.entry(object).or_default().append(member);
        }
    }

    async fn write(&mut self, encoded: Encoded) -> Result<Written> {
        let begun = self.ground.profile.now();
        for group in encoded.groups {
            self.write_group(group).await?;
        }
        self.ground.profile.add(Stage::Write, begun);
        Ok(Written { rows: encoded.rows, duplicates: encoded.duplicates })
    }

    async fn write_group(&mut self, group: Group) -> Result<()> {
        let fits = |open: &DataFileWriter| open.day() == group.day && open.bytes() + group.bytes() <= FILE_BYTES;
        if self.open.as_ref().is_some_and(|open| !fits(open)) {
            self.close().await?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let name = format!("{}-{:05}", self.id, self.begun);
                self.begun += 1;
                none.insert(DataFileWriter::create(self.table, group.day, &name).await?)
            }
        };
        open.append(group).await
    }

    /// Ends the open file: its rows are among those that are there.
    ///
    /// # Errors
    /// The storage fails.
    pub(crate) async fn close(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            let file = open.close(self.table).await?;
            self.ground.known.add(file.clone());
            self.files.push(file);
        }
        Ok(())
    }
}

impl Written {
    /// Adds what further lines came to.
    pub(crate) fn add(&mut self, more: Self) {
        self.rows += more.rows;
        self.duplicates += more.duplicates;
    }
}
