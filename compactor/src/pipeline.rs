//! Groups of objects on several threads at once: each is loaded, sorted, decoded and encoded on its own, and their
//! order is made by passing on a watermark.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::block::{Block, Entry, Loader, SortKey, Source, Stored};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::{Encoded, Ground};
use crate::plan::{Budget, group_of};
use crate::profile::Stage;
use crate::quarantine::BadMember;
use crate::raw::RawObject;

/// What a block came to. Pieces come in the order of their rows.
pub(crate) struct Piece {
    pub(crate) encoded: Encoded,
    /// Lines of the block, the late and the bad ones included.
    pub(crate) lines: u64,
    /// Lines whose place is before rows that came earlier.
    pub(crate) late: Block,
    /// Bad lines by object.
    pub(crate) bad: Vec<(u32, BadMember)>,
}

/// Groups that are being worked on.
pub(crate) struct Pipeline {
    ground: Arc<Ground>,
    budget: Budget,
    /// The objects that no group has yet.
    rest: Range<usize>,
    running: VecDeque<Running>,
    /// Gives the next group its watermark.
    turn: oneshot::Receiver<Option<SortKey>>,
}

struct Running {
    objects: Range<usize>,
    /// Text that it may hold.
    weight: u64,
    pieces: mpsc::Receiver<Piece>,
    task: JoinHandle<Result<()>>,
}

/// A step of the pipeline.
pub(crate) enum Output {
    Piece(Piece),
    /// All pieces of these objects have come.
    Done(Range<usize>),
}

impl Pipeline {
    /// Works on the first `count` of the ground's objects.
    pub(crate) fn new(ground: Arc<Ground>, budget: Budget, count: usize) -> Self {
        let (first, turn) = oneshot::channel();
        // Nobody can have dropped the receiver.
        let _ = first.send(None);
        Self { ground, budget, rest: 0..count, running: VecDeque::new(), turn }
    }

    /// What comes next; `None` once every group that was begun has come to its end. After the first one, none is begun
    /// when `stop` says so.
    ///
    /// # Errors
    /// An object, the table or the storage failed. Groups that are running stop by themselves.
    pub(crate) async fn next(&mut self, stop: impl Fn() -> bool) -> Result<Option<Output>> {
        self.begin_groups(stop);
        let Some(first) = self.running.front_mut() else { return Ok(None) };
        if let Some(piece) = first.pieces.recv().await {
            return Ok(Some(Output::Piece(piece)));
        }
        let Some(first) = self.running.pop_front() else { return Ok(None) };
        let stopped = |stopped| Error::caused(ErrorKind::Stopped, "compact objects", stopped);
        first.task.await.map_err(stopped)??;
        Ok(Some(Output::Done(first.objects)))
    }

    /// Begins groups as long as their text fits in, and one if there is none.
    fn begin_groups(&mut self, stop: impl Fn() -> bool) {
        while self.running.len() < self.budget.groups && !self.rest.is_empty() {
            let (objects, weight) = group_of(&self.ground.objects[..self.rest.end], self.rest.start, &self.budget);
            let taken: u64 = self.running.iter().map(|running| running.weight).sum();
            let waits = !self.running.is_empty() && taken + weight > self.budget.text;
            if waits || self.rest.start > 0 && stop() {
                return;
            }
            self.rest.start = objects.end;
            let (pass, next) = oneshot::channel();
            let turn = std::mem::replace(&mut self.turn, next);
            let (sender, pieces) = mpsc::channel(1);
            let worker = Worker {
                ground: self.ground.clone(),
                capacity: usize::try_from(weight).unwrap_or(usize::MAX),
                turn: Turn::Waiting(turn),
                pass: Some(pass),
                pieces: sender,
            };
            let range = objects.clone();
            let task = tokio::task::spawn_blocking(move || worker.run(range));
            self.running.push_back(Running { objects, weight, pieces, task });
        }
    }
}

/// The last sort key of all groups before this one, which is known once they have sorted their lines.
enum Turn {
    Waiting(oneshot::Receiver<Option<SortKey>>),
    Here(Option<SortKey>),
}

struct Worker {
    ground: Arc<Ground>,
    capacity: usize,
    turn: Turn,
    pass: Option<oneshot::Sender<Option<SortKey>>>,
    pieces: mpsc::Sender<Piece>,
}

impl Worker {
    fn run(mut self, objects: Range<usize>) -> Result<()> {
        let ground = self.ground.clone();
        let mut loader = Loader::new(ground.limits, self.capacity);
        let mut block = ground.take_block();
        for number in objects {
            let object = &ground.objects[number];
            let stored = ground.profile.measure(Stage::Fetch, || fetch(&ground, object, self.capacity))?;
            let open = || ground.runtime.block_on(ground.raw.open(&object.key));
            let stored = stored.map_or(Stored::Large(&open), Stored::Whole);
            let source = Source { key: &object.key, number: number as u32, bytes: object.bytes, stored };
            let begun = ground.profile.now();
            loader.load(&source, &mut block, &mut |block| self.pass_on(block, false))?;
            ground.profile.add(Stage::Load, begun);
        }
        self.pass_on(&mut block, true)?;
        ground.give_back(block);
        Ok(())
    }

    /// Makes a piece of the block, and empties it.
    fn pass_on(&mut self, block: &mut Block, is_last: bool) -> Result<()> {
        let ground = self.ground.clone();
        ground.profile.measure(Stage::Sort, || block.sort());
        let watermark = self.watermark()?;
        let newest = block.entries().last().map(Entry::sort_key).max(watermark);
        self.turn = Turn::Here(newest);
        if is_last && let Some(pass) = self.pass.take() {
            // Whoever would have come next is not there any more.
            let _ = pass.send(newest);
        }
        let is_late = |entry: &Entry| watermark.is_some_and(|mark| entry.sort_key() <= mark);
        let late_end = block.entries().partition_point(is_late);
        let mut late = Block::default();
        late.adopt(block, &block.entries()[..late_end]);
        let encoded = ground.profile.measure(Stage::Convert, || ground.encode(block, late_end))?;
        let piece = Piece { encoded, lines: block.lines(), late, bad: ground.bad_lines(block)? };
        block.clear();
        self.pieces.blocking_send(piece).map_err(|_| Error::new(ErrorKind::Stopped, "nobody waits for the rows"))
    }

    fn watermark(&mut self) -> Result<Option<SortKey>> {
        match std::mem::replace(&mut self.turn, Turn::Here(None)) {
            Turn::Here(watermark) => Ok(watermark),
            Turn::Waiting(turn) => {
                turn.blocking_recv().map_err(|_| Error::new(ErrorKind::Stopped, "an earlier group failed"))
            }
        }
    }
}

/// The stored bytes of an object, unless they are more than `capacity`. Blocks the thread.
fn fetch(ground: &Ground, object: &RawObject, capacity: usize) -> Result<Option<Bytes>> {
    if object.bytes > capacity as u64 {
        return Ok(None);
    }
    let mut reader = ground.runtime.block_on(ground.raw.open(&object.key))?;
    // One byte more than there are, or the end is found only by growing.
    let mut bytes = Vec::with_capacity(usize::try_from(object.bytes).unwrap_or_default() + 1);
    reader.read_to_end(&mut bytes).map_err(Error::raw(format!("read {}", object.key)))?;
    Ok(Some(Bytes::from(bytes)))
}
