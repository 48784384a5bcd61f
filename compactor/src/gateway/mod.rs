//! Folding in the gateway's own access log: every request has an event, also one that no code of ours has seen (I6).
//!
//! A gateway object is read twice. At first its *refusals* become rows: requests that the gateway turned away by
//! itself, which cannot have an event. Its other lines are put off until no event of theirs can be under way any more;
//! then each is *settled*: it is left out if the table has its request, and becomes a row if not. Both times the
//! consumed set notes it in the same commit, so every line is folded once, whatever is killed when.

mod wanted;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use event::EventId;
use event::gateway::{Line, Source};
use event::redact::Redactor;

use crate::block::Block;
use crate::decode::{Limits, each_line};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::Ground;
use crate::lake::GatewayCounts;
use crate::output::Written;
use crate::plan::Task;
use crate::quarantine;
use crate::raw::{RawLog, RawObject};
use wanted::Wanted;

/// Why no line of a damaged object is taken: an event vouches for itself by its hash, a line of the access log cannot.
const DAMAGED: &str = "the object is damaged, and nothing else vouches for the line";

/// Whose requests the gateway's log is about, and what masks the secrets in it.
#[derive(Debug, Clone)]
pub struct Gateway {
    source: Source,
    redactor: Redactor,
}

impl Gateway {
    /// With the redactor of ingest, equal secrets of both logs have equal masks.
    pub fn new(source: Source, redactor: Redactor) -> Self {
        Self { source, redactor }
    }
}

/// The gateway objects of one commit while they are folded into its rows.
pub(crate) struct Fold {
    ground: Arc<Ground>,
    gateway: Arc<Gateway>,
    wanted: Wanted,
    /// The objects whose lines are being settled, and where their lines end in `wanted`.
    settling: VecDeque<(u32, Task, usize)>,
    /// The lines of `wanted` that are settled.
    settled: usize,
    absent: Arc<HashSet<EventId>>,
    counts: GatewayCounts,
}

impl Fold {
    /// Begins with nothing folded.
    pub(crate) fn new(ground: Arc<Ground>, gateway: Arc<Gateway>) -> Self {
        Self {
            ground,
            gateway,
            wanted: Wanted::default(),
            settling: VecDeque::new(),
            settled: 0,
            absent: Arc::default(),
            counts: GatewayCounts::default(),
        }
    }

    fn object(&self, number: u32) -> Result<RawObject> {
        let object = self.ground.objects.get(number as usize).cloned();
        object.ok_or_else(|| Error::new(ErrorKind::RawLog, format!("no object {number}")))
    }

    /// Reads an object: its refusals become lines of `rows`, its other lines are counted or noted, as `task` says. Bad
    /// lines are durable in quarantine when it returns, with the number of lines.
    ///
    /// # Errors
    /// The object cannot be read, or its bad lines not be kept.
    pub(crate) async fn read(&mut self, number: u32, task: Task, rows: &mut Block) -> Result<u64> {
        let (object, raw) = (self.object(number)?, self.ground.raw.clone());
        let first = self.wanted.len();
        let reading = Reading { rows: Block::default(), number, wanted: std::mem::take(&mut self.wanted), deferred: 0 };
        let gateway = self.gateway.clone();
        let take = move |reading: &mut Reading, line: &[u8]| reading.take(line, task, &gateway);
        let (mut reading, mut decoded) = each_line(&raw, &object, self.ground.limits, reading, take).await?;
        if decoded.damaged {
            tracing::warn!(raw_object = object.key, lines = decoded.lines, "a gateway object is damaged");
            reading.rows.clear();
            reading.wanted.roll_back(first);
            reading.deferred = 0;
            let refuse = |_: &mut Reading, _: &[u8]| Err(DAMAGED.to_owned());
            (reading, decoded) = each_line(&raw, &object, self.ground.limits, reading, refuse).await?;
        }
        rows.adopt(&reading.rows, reading.rows.entries());
        self.wanted = reading.wanted;
        if task != Task::Refusals {
            self.settling.push_back((number, task, self.wanted.len()));
        }
        let bad = decoded.bad.finish()?;
        if task != Task::Settle {
            self.counts.objects += 1;
            self.counts.lines += decoded.lines;
            self.counts.quarantined += bad.count;
            self.counts.deferred += reading.deferred;
        }
        // Lines that were bad at the first reading are in quarantine already: then this adds nothing.
        quarantine::keep(&raw, &object.key, bad).await?;
        Ok(decoded.lines)
    }

    /// Looks for the requests of the lines that were noted, among all rows that are there.
    ///
    /// # Errors
    /// The table cannot be read.
    pub(crate) async fn look_up(&mut self) -> Result<()> {
        self.wanted.sort();
        self.ground.known.look_for(&mut self.wanted).await?;
        self.absent = Arc::new(self.wanted.absent());
        Ok(())
    }

    /// Settles the lines of the next object: those whose request has no event become lines of `rows`. `false` if there
    /// is no object left.
    ///
    /// # Errors
    /// The object cannot be read.
    pub(crate) async fn settle_next(&mut self, rows: &mut Block) -> Result<bool> {
        let Some((number, task, end)) = self.settling.pop_front() else { return Ok(false) };
        let lines = self.settled..end;
        let noted = lines.len() as u64;
        self.settled = end;
        let mut made = 0;
        if self.wanted.events(lines).any(|event| self.absent.contains(event)) {
            let block = self.fold_absent(number).await?;
            made = block.entries().len() as u64;
            rows.adopt(&block, block.entries());
        }
        self.counts.answered += noted - made;
        self.counts.settled += if task == Task::Settle { noted } else { 0 };
        Ok(true)
    }

    async fn fold_absent(&self, number: u32) -> Result<Block> {
        let (gateway, absent) = (self.gateway.clone(), self.absent.clone());
        let take = move |rows: &mut Block, line: &[u8]| {
            let line = Line::parse(line)?;
            if !line.is_refusal() && absent.contains(&line.event_id()) {
                push(rows, number, &line, &gateway);
            }
            Ok(())
        };
        let object = self.object(number)?;
        Ok(each_line(&self.ground.raw, &object, self.ground.limits, Block::default(), take).await?.0)
    }

    /// The counts, with what the lines came to that were made.
    pub(crate) fn counts(&self, made: Written) -> GatewayCounts {
        GatewayCounts { rows: made.rows, duplicates: made.duplicates, ..self.counts }
    }
}

/// Counts the lines that the first reading of `objects` puts off: what waits in objects that are not settled.
///
/// # Errors
/// An object could not be read.
pub async fn count_deferred(raw: &Arc<dyn RawLog>, objects: &[RawObject], limits: Limits) -> Result<u64> {
    let mut deferred = 0;
    for object in objects {
        let take = |count: &mut u64, line: &[u8]| {
            *count += u64::from(!Line::parse(line)?.is_refusal());
            Ok(())
        };
        let (count, decoded) = each_line(raw, object, limits, 0, take).await?;
        deferred += if decoded.damaged { 0 } else { count };
    }
    Ok(deferred)
}

/// What an object is read into.
struct Reading {
    rows: Block,
    number: u32,
    wanted: Wanted,
    deferred: u64,
}

impl Reading {
    fn take(&mut self, line: &[u8], task: Task, gateway: &Gateway) -> std::result::Result<(), String> {
        let line = Line::parse(line)?;
        match task {
            // Folded in when the object was read for the first time.
            Task::Settle if line.is_refusal() => {}
            _ if line.is_refusal() => push(&mut self.rows, self.number, &line, gateway),
            Task::Refusals => self.deferred += 1,
            _ => self.wanted.add(&line),
        }
        Ok(())
    }
}

fn push(rows: &mut Block, number: u32, line: &Line, gateway: &Gateway) {
    rows.append_made(&line.to_event(&gateway.source, &gateway.redactor), number);
}
