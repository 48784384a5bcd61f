//! Folding in the gateway's own access log: every request has an event, also one that no code of ours has seen (I6).
//!
//! A gateway object is read twice. At first its *refusals* become rows: requests that the gateway turned away by
//! itself, which cannot have an event. Its other lines are put off until no event of theirs can be under way any more;
//! then each is *settled*: it is left out if the table has its request, and becomes a row if not. Both times the
//! consumed set notes it in the same commit, so every line is folded once, whatever is killed when.

mod wanted;

use std::collections::HashSet;
use std::sync::Arc;

use event::EventId;
use event::gateway::{Line, Source};
use event::redact::Redactor;
use iceberg::table::Table;

use crate::decode::{Limits, each_line};
use crate::error::Result;
use crate::lake::GatewayCounts;
use crate::lookup::look_for;
use crate::plan::Task;
use crate::quarantine;
use crate::raw::{RawLog, RawObject};
use crate::rows::{Part, Rows};
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
#[derive(Debug)]
pub(crate) struct Fold<'a> {
    raw: &'a Arc<dyn RawLog>,
    limits: Limits,
    gateway: Arc<Gateway>,
    /// Where the rows of gateway objects begin.
    part: Part,
    wanted: Wanted,
    /// The objects whose lines are being settled, and where their lines begin in `wanted`.
    settling: Vec<(RawObject, Task, usize)>,
    counts: GatewayCounts,
}

impl<'a> Fold<'a> {
    /// Begins with all events in `rows`.
    pub(crate) fn begin(raw: &'a Arc<dyn RawLog>, limits: Limits, gateway: Arc<Gateway>, rows: &mut Rows) -> Self {
        let (wanted, counts) = (Wanted::default(), GatewayCounts::default());
        Self { raw, limits, gateway, part: rows.begin_part(), wanted, settling: Vec::new(), counts }
    }

    /// Where the rows of gateway objects begin.
    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// Reads an object: its refusals become rows, its other lines are counted or noted, as `task` says. Bad lines are
    /// durable in quarantine when it returns, with the number of lines.
    pub(crate) async fn read(&mut self, object: &RawObject, task: Task, mut rows: Rows) -> Result<(Rows, u64)> {
        let (mark, first) = (rows.mark(), self.wanted.len());
        rows.begin_object(&object.key);
        let reading = Reading { rows, wanted: std::mem::take(&mut self.wanted), deferred: 0 };
        let gateway = self.gateway.clone();
        let take = move |reading: &mut Reading, line: &[u8]| reading.take(line, task, &gateway);
        let (mut reading, mut decoded) = each_line(self.raw, object, self.limits, reading, take).await?;
        if decoded.damaged {
            tracing::warn!(raw_object = object.key, lines = decoded.lines, "a gateway object is damaged");
            reading.rows.roll_back(mark);
            reading.wanted.roll_back(first);
            reading.deferred = 0;
            let refuse = |_: &mut Reading, _: &[u8]| Err(DAMAGED.to_owned());
            (reading, decoded) = each_line(self.raw, object, self.limits, reading, refuse).await?;
        }
        self.wanted = reading.wanted;
        if task != Task::Refusals {
            self.settling.push((object.clone(), task, first));
        }
        if task != Task::Settle {
            self.counts.objects += 1;
            self.counts.lines += decoded.lines;
            self.counts.quarantined += decoded.bad.len();
            self.counts.deferred += reading.deferred;
        }
        // Lines that were bad at the first reading are in quarantine already: then this adds nothing.
        quarantine::keep(self.raw, decoded.bad).await?;
        Ok((reading.rows, decoded.lines))
    }

    /// Settles the lines that were noted: those whose request is neither in the table nor among the events become rows.
    /// Returns the counts, to which only the duplicates are to be added.
    pub(crate) async fn settle(mut self, table: &Table, mut rows: Rows) -> Result<(Rows, GatewayCounts)> {
        let lines = self.wanted.len();
        self.wanted.sort();
        rows.requests_before(self.part, |time, id| self.wanted.strike(time, id));
        look_for(table, &mut self.wanted).await?;
        let absent = Arc::new(self.wanted.absent());
        let ends: Vec<usize> = self.settling.iter().skip(1).map(|(_, _, first)| *first).chain([lines]).collect();
        for ((object, task, first), end) in std::mem::take(&mut self.settling).into_iter().zip(ends) {
            let before = rows.mark();
            if self.wanted.events(first..end).any(|event| absent.contains(event)) {
                rows = self.fold_absent(&object, absent.clone(), rows).await?;
            }
            let noted = (end - first) as u64;
            self.counts.answered += noted - (rows.mark() - before) as u64;
            if task == Task::Settle {
                self.counts.settled += noted;
            }
        }
        self.counts.rows = (rows.mark() - self.part.keys) as u64;
        Ok((rows, self.counts))
    }

    async fn fold_absent(&self, object: &RawObject, absent: Arc<HashSet<EventId>>, mut rows: Rows) -> Result<Rows> {
        rows.begin_object(&object.key);
        let gateway = self.gateway.clone();
        let take = move |rows: &mut Rows, line: &[u8]| {
            let line = Line::parse(line)?;
            if !line.is_refusal() && absent.contains(&line.event_id()) {
                push(rows, &line, &gateway);
            }
            Ok(())
        };
        Ok(each_line(self.raw, object, self.limits, rows, take).await?.0)
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
    rows: Rows,
    wanted: Wanted,
    deferred: u64,
}

impl Reading {
    fn take(&mut self, line: &[u8], task: Task, gateway: &Gateway) -> std::result::Result<(), String> {
        let line = Line::parse(line)?;
        match task {
            // Folded in when the object was read for the first time.
            Task::Settle if line.is_refusal() => {}
            _ if line.is_refusal() => push(&mut self.rows, &line, gateway),
            Task::Refusals => self.deferred += 1,
            _ => self.wanted.add(&line),
        }
        Ok(())
    }
}

fn push(rows: &mut Rows, line: &Line, gateway: &Gateway) {
    let event = line.to_event(&gateway.source, &gateway.redactor);
    rows.push(&event, event.to_line().len());
}
