//! Groups of objects on several threads at once: each is loaded, sorted, decoded and encoded on its own, and their
//! order is made by passing on a watermark.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Weak};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::block::{Block, Entry, Loader, SortKey, Source, Stored};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::{Desk, Encoded, Ground};
use crate::plan::{Budget, group_of};
use crate::profile::Stage;
use crate::quarantine::BadMember;
use crate::raw::RawObject;
use crate::workers::Workers;

/// How far a clock may be ahead, microseconds.
const CLOCKS_DIFFER_BY: i64 = 10 * 60 * 1_000_000;
/// A piece with fewer bytes of late lines than this leaves its group's room to the next group.
const FEW_LATE: usize = 1 << 20;
const NOT_WANTED: &str = "nobody waits for the rows";

/// What a block came to. Pieces come in the order of their rows.
pub(crate) struct Piece {
    pub(crate) encoded: Encoded,
    /// Lines of the block, the late and the bad ones included.
    pub(crate) lines: u64,
    /// Lines whose place is before rows that came earlier.
    pub(crate) late: Block,
    /// Bad lines by object.
    pub(crate) bad: Vec<(u32, BadMember)>,
    /// Of a group's last piece: it holds much text still.
    room: Option<Arc<Room>>,
}

/// A group's share of the text. Once it is dropped it is free, and the pipeline is told.
struct Room(Arc<Notify>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.notify_one();
    }
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
    workers: Arc<Workers>,
    freed: Arc<Notify>,
}

struct Running {
    objects: Range<usize>,
    /// Text that it may hold, as long as it has its room.
    weight: u64,
    room: Weak<Room>,
    pieces: mpsc::Receiver<Piece>,
    done: oneshot::Receiver<Result<()>>,
}

/// A step of the pipeline.
pub(crate) enum Output {
    Piece(Piece),
    /// All pieces of these objects have come.
    Done(Range<usize>),
}

impl Pipeline {
    /// Works on the first `count` of the ground's objects.
    pub(crate) fn new(ground: Arc<Ground>, workers: Arc<Workers>, budget: Budget, count: usize) -> Self {
        let (first, turn) = oneshot::channel();
        // Nobody can have dropped the receiver.
        let _ = first.send(None);
        Self { ground, budget, rest: 0..count, running: VecDeque::new(), turn, workers, freed: Arc::default() }
    }

    /// What comes next; `None` once every group that was begun has come to its end. After the first one, none is begun
    /// if there is `enough`.
    ///
    /// # Errors
    /// An object, the table or the storage failed.
    pub(crate) async fn next(&mut self, enough: bool) -> Result<Option<Output>> {
        let piece = loop {
            self.begin_groups(enough);
            let Some(first) = self.running.front_mut() else { return Ok(None) };
            tokio::select! {
                biased;
                () = self.freed.notified() => {}
                piece = first.pieces.recv() => break piece,
            }
        };
        if let Some(piece) = piece {
            return Ok(Some(Output::Piece(piece)));
        }
        let Some(first) = self.running.pop_front() else { return Ok(None) };
        first.done.await.map_err(|stopped| Error::caused(ErrorKind::Stopped, "compact objects", stopped))??;
        Ok(Some(Output::Done(first.objects)))
    }

    /// Ends all groups and waits for it: what they hold is free then.
    pub(crate) async fn stop(self) {
        let Self { running, turn, .. } = self;
        drop(turn);
        for Running { pieces, done, .. } in running {
            drop(pieces);
            // It says that nobody waits for its rows.
            let _ = done.await;
        }
    }

    /// Begins groups as long as their text fits in, and one if there is none. Of a group more than the budget has,
    /// there may be rows.
    fn begin_groups(&mut self, enough: bool) {
        while self.running.len() <= self.budget.groups && !self.rest.is_empty() {
            let (objects, weight) = group_of(&self.ground.objects[..self.rest.end], self.rest.start, &self.budget);
            let taken: u64 = self.running.iter().map(Running::text).sum();
            let waits = taken > 0 && taken + weight > self.budget.text;
            if waits || self.rest.start > 0 && enough {
                return;
            }
            self.rest.start = objects.end;
            self.begin(objects, weight);
        }
    }

    fn begin(&mut self, objects: Range<usize>, weight: u64) {
        let (pass, next) = oneshot::channel();
        let turn = Turn::Waiting(std::mem::replace(&mut self.turn, next));
        let (sender, pieces) = mpsc::channel(1);
        let capacity = usize::try_from(weight).unwrap_or(usize::MAX);
        let held = Arc::new(Room(self.freed.clone()));
        let room = Arc::downgrade(&held);
        let worker =
            Worker { ground: self.ground.clone(), capacity, room: Some(held), turn, pass: Some(pass), pieces: sender };
        let of_worker = objects.clone();
        let done = self.workers.spawn(move || worker.run(of_worker));
        self.running.push_back(Running { objects, weight, room, pieces, done });
    }
}

impl Running {
    /// Text that it may hold now.
    fn text(&self) -> u64 {
        if self.room.strong_count() > 0 { self.weight } else { 0 }
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
    room: Option<Arc<Room>>,
    turn: Turn,
    pass: Option<oneshot::Sender<Option<SortKey>>>,
    pieces: mpsc::Sender<Piece>,
}

impl Worker {
    fn run(mut self, objects: Range<usize>) -> Result<()> {
        let ground = self.ground.clone();
        let mut loader = Loader::new(ground.limits, self.capacity);
        let mut desk = ground.take_desk();
        let Desk { block, stored } = &mut desk;
        for number in objects {
            self.check_wanted()?;
            let object = &ground.objects[number];
            let is_here = ground.profile.measure(Stage::Fetch, || fetch(&ground, object, self.capacity, stored))?;
            let open = || ground.runtime.block_on(ground.raw.open(&object.key));
            let stored = if is_here { Stored::Whole(stored) } else { Stored::Large(&open) };
            let source = Source { key: &object.key, number: number as u32, bytes: object.bytes, stored };
            let begun = ground.profile.now();
            loader.load(&source, block, &mut |block| self.pass_on(block))?;
            ground.profile.add(Stage::Load, begun);
        }
        let mut piece = self.piece_of(block, true)?;
        ground.give_back(desk);
        piece.room = self.room.take().filter(|_| piece.late.weight() >= FEW_LATE);
        self.send(piece)
    }

    fn pass_on(&mut self, block: &mut Block) -> Result<()> {
        let piece = self.piece_of(block, false)?;
        self.send(piece)
    }

    fn send(&self, piece: Piece) -> Result<()> {
        self.pieces.blocking_send(piece).map_err(|_| Error::new(ErrorKind::Stopped, NOT_WANTED))
    }

    fn check_wanted(&self) -> Result<()> {
        if self.pieces.is_closed() { Err(Error::new(ErrorKind::Stopped, NOT_WANTED)) } else { Ok(()) }
    }

    /// Makes a piece of the block, and empties it.
    ///
    /// Lines that follow from the watermark become rows at once. Those before it are late; those of a time still to
    /// come are set aside with them, or a single wrong clock would make all others late.
    fn piece_of(&mut self, block: &mut Block, is_last: bool) -> Result<Piece> {
        let ground = self.ground.clone();
        ground.profile.measure(Stage::Sort, || block.sort());
        let watermark = self.watermark()?;
        let is_late = |entry: &Entry| watermark.is_some_and(|mark| entry.sort_key() <= mark);
        let to_come = ground.ingested_at.micros().saturating_add(CLOCKS_DIFFER_BY);
        let late_end = block.entries().partition_point(is_late);
        let usual_end = block.entries().partition_point(|entry| entry.sort_key().0 <= to_come).max(late_end);
        let newest = block.entries()[..usual_end].last().map(Entry::sort_key).max(watermark);
        self.turn = Turn::Here(newest);
        if is_last && let Some(pass) = self.pass.take() {
            // Whoever would have come next is not there any more.
            let _ = pass.send(newest);
        }
        self.check_wanted()?;
        let mut late = Block::default();
        late.adopt(block, &block.entries()[..late_end]);
        late.adopt(block, &block.entries()[usual_end..]);
        let encoded = ground.profile.measure(Stage::Convert, || ground.encode(block, late_end..usual_end))?;
        let piece = Piece { encoded, lines: block.lines(), late, bad: ground.bad_lines(block)?, room: None };
        block.clear();
        Ok(piece)
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

/// Reads the stored bytes of an object into `stored`, unless they are more than `capacity`. Blocks the thread.
fn fetch(ground: &Ground, object: &RawObject, capacity: usize, stored: &mut Vec<u8>) -> Result<bool> {
    if object.bytes > capacity as u64 {
        return Ok(false);
    }
    let mut reader = ground.runtime.block_on(ground.raw.open(&object.key))?;
    stored.clear();
    // One byte more than there are, or the end is found only by growing.
    stored.reserve_exact(usize::try_from(object.bytes).unwrap_or_default() + 1);
    reader.read_to_end(stored).map_err(Error::raw(format!("read {}", object.key)))?;
    Ok(true)
}
