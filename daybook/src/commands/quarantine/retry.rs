//! `daybook quarantine retry`: what is an event by now goes into the raw log.

use compactor::{Limits, Verdict, Written};
use query::{Cell, CellKind};

use super::{Quarantine, and_more, column, number, print_for_programs, text};
use crate::cli::{Format, QuarantineRetryArgs};
use crate::failure::Result;
use crate::output::{print, table};
use crate::place::Place;
use crate::terminal::escape;

/// What a retry came to.
#[derive(Default)]
struct Report {
    shown: Vec<(Verdict, Option<String>)>,
    more: u64,
    helped: u64,
    refused: u64,
    events: u64,
    objects: u64,
    known: u64,
}

/// Tries the lines that are asked for, all of them, and prints what became of the first `limit`.
pub async fn run(place: &Place, limits: Limits, args: &QuarantineRetryArgs) -> Result<()> {
    let quarantine = Quarantine::open(place, limits).await?;
    let mut report = Report::default();
    for object in &quarantine.objects {
        for lines in quarantine.lines(object).await? {
            let (verdicts, written) = quarantine.retry.run(lines, |line| args.choice.takes(line), place.now()).await?;
            report.add_written(written.as_ref());
            for verdict in verdicts {
                let key = written.as_ref().filter(|_| verdict.events > 0).map(|written| written.key.clone());
                let room = args.choice.has_room(report.shown.len());
                report.add(verdict, key, room);
            }
        }
    }
    let compact_too = limits != Limits::default();
    match args.output.format() {
        Format::Table => print(report.text(compact_too).as_bytes()),
        _ => {
            let columns = vec![
                column("raw_object", CellKind::Text),
                column("line", CellKind::Int),
                column("outcome", CellKind::Text),
                column("events", CellKind::Int),
                column("reason", CellKind::Text),
                column("written_to", CellKind::Text),
            ];
            print_for_programs(columns, report.shown.iter().map(row).collect(), report.more, args.output)
        }
    }
}

fn row((verdict, key): &(Verdict, Option<String>)) -> Vec<Cell> {
    let Verdict { line, events, refused } = verdict;
    let maybe = |value: &Option<String>| value.as_deref().map_or(Cell::Null, text);
    let outcome = text(&outcome(verdict));
    vec![text(&line.raw_object), number(line.line), outcome, number(*events), maybe(refused), maybe(key)]
}

/// What became of a line, in words.
fn outcome(verdict: &Verdict) -> String {
    let now = match verdict.events {
        0 => None,
        1 => Some("now an event".to_owned()),
        events => Some(format!("now {events} events")),
    };
    match (now, &verdict.refused) {
        (Some(now), None) => now,
        (Some(now), Some(reason)) => format!("{now}; still refused: {reason}"),
        (None, Some(reason)) => format!("still refused: {reason}"),
        (None, None) => "nothing was lost behind it".to_owned(),
    }
}

impl Report {
    fn add_written(&mut self, written: Option<&Written>) {
        match written {
            Some(written) if written.known => self.known += 1,
            Some(written) => {
                self.objects += 1;
                self.events += written.events;
            }
            None => {}
        }
    }

    fn add(&mut self, verdict: Verdict, key: Option<String>, room: bool) {
        self.refused += u64::from(verdict.refused.is_some());
        self.helped += u64::from(verdict.refused.is_none());
        if room {
            self.shown.push((verdict, key));
        } else {
            self.more += 1;
        }
    }

    fn text(&self, compact_too: bool) -> String {
        if self.shown.is_empty() {
            return "No such line is in quarantine.\n".to_owned();
        }
        let mut lines = table(&["raw object", "line", "what became of it"]);
        for (verdict, _) in &self.shown {
            let (object, outcome) = (escape(&verdict.line.raw_object), escape(&outcome(verdict)));
            lines.add_row([object, verdict.line.line.to_string(), outcome]);
        }
        let mut out = format!("{lines}\n{} lines helped, {} still refused.\n", self.helped, self.refused);
        out += &and_more(self.more);
        if self.known > 0 {
            out += &format!("{} raw objects with such lines had been written before.\n", self.known);
        }
        if self.objects > 0 {
            let same = if compact_too { " with the same --max-line" } else { "" };
            let (events, objects) = (self.events, self.objects);
            out += &format!(
                "{events} events were written to {objects} new raw objects; daybook compact{same} brings them in.\n"
            );
        }
        out
    }
}
