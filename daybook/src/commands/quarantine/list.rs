//! `daybook quarantine list`: what is there and why.

use compactor::{Limits, QuarantinedLine};
use query::{Cell, CellKind};

use super::{Quarantine, and_more, column, number, print_for_programs, text};
use crate::cli::{Format, QuarantineListArgs};
use crate::failure::Result;
use crate::output::{print, table};
use crate::place::Place;
use crate::terminal::escape;

/// How much of a line is shown, characters.
const EXCERPT: usize = 80;

/// A line, and the raw object that an earlier retry wrote it to.
struct Listed {
    line: QuarantinedLine,
    retried: Option<String>,
}

/// Prints the lines that are asked for, the first `limit` of them.
pub async fn run(place: &Place, limits: Limits, args: &QuarantineListArgs) -> Result<()> {
    let quarantine = Quarantine::open(place, limits).await?;
    let (mut shown, mut more) = (Vec::new(), 0);
    for object in &quarantine.objects {
        for lines in quarantine.lines(object).await? {
            let room = args.choice.has_room(shown.len()) && lines.iter().any(|line| args.choice.takes(line));
            let marks = if room { quarantine.retry.earlier(&lines).await? } else { vec![None; lines.len()] };
            for (line, retried) in lines.into_iter().zip(marks).filter(|(line, _)| args.choice.takes(line)) {
                match args.choice.has_room(shown.len()) {
                    true => shown.push(Listed { line, retried }),
                    false => more += 1,
                }
            }
        }
    }
    match (args.output.format(), args.full) {
        (Format::Table, false) => print(overview(&shown, more).as_bytes()),
        (Format::Table, true) => print(in_full(&shown, more).as_bytes()),
        (_, full) => {
            let mut columns = vec![
                column("raw_object", CellKind::Text),
                column("line", CellKind::Int),
                column("reason", CellKind::Text),
                column("cut", CellKind::Bool),
            ];
            let content: &[&str] = if full { &["text", "base64"] } else { &["excerpt"] };
            columns.extend(content.iter().map(|name| column(name, CellKind::Text)));
            columns.push(column("retried", CellKind::Text));
            print_for_programs(columns, shown.iter().map(|listed| row(listed, full)).collect(), more, args.output)
        }
    }
}

fn row(Listed { line, retried }: &Listed, full: bool) -> Vec<Cell> {
    let maybe = |value: &Option<String>| value.as_deref().map_or(Cell::Null, text);
    let mut cells = vec![text(&line.raw_object), number(line.line), text(&line.reason), Cell::Bool(line.cut)];
    if full {
        cells.extend([maybe(&line.text), maybe(&line.base64)]);
    } else {
        cells.push(Cell::Text(excerpt(line)));
    }
    cells.push(maybe(retried));
    cells
}

fn overview(shown: &[Listed], more: u64) -> String {
    if shown.is_empty() {
        return "No such line is in quarantine.\n".to_owned();
    }
    let mut lines = table(&["raw object", "line", "reason", "begins with", "retried"]);
    for Listed { line, retried } in shown {
        let retried = if retried.is_some() { "yes" } else { "–" };
        let (object, reason) = (escape(&line.raw_object), escape(&line.reason));
        lines.add_row([&object, &line.line.to_string(), &reason, &excerpt(line), retried]);
    }
    format!("{lines}\n{} lines.\n{}", shown.len(), and_more(more))
}

fn in_full(shown: &[Listed], more: u64) -> String {
    let mut out = String::new();
    for Listed { line, retried } in shown {
        let retried = retried.as_ref().map(|key| format!(" (retried: {})", escape(key))).unwrap_or_default();
        let end = if line.cut { "…" } else { "" };
        let content = escape(&String::from_utf8_lossy(&line.content()));
        let (object, reason) = (escape(&line.raw_object), escape(&line.reason));
        out += &format!("{object}, line {}: {reason}{retried}\n{content}{end}\n\n", line.line);
    }
    out + &format!("{} lines.\n{}", shown.len(), and_more(more))
}

/// The line's beginning, fit for a terminal whatever it holds.
fn excerpt(line: &QuarantinedLine) -> String {
    let content = line.content();
    let lossy = String::from_utf8_lossy(&content[..content.len().min(4 * EXCERPT)]);
    let begin: String = lossy.chars().take(EXCERPT).collect();
    let end = if line.cut || begin.len() < content.len() { "…" } else { "" };
    escape(&begin) + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_tame() {
        let line = |text: &str, cut| QuarantinedLine {
            raw_object: "raw/a".to_owned(),
            line: 1,
            reason: String::new(),
            cut,
            text: Some(text.to_owned()),
            base64: None,
        };
        assert_eq!(excerpt(&line("none", false)), "none");
        assert_eq!(excerpt(&line("none", true)), "none…");
        assert_eq!(excerpt(&line("\u{1b}[2J\u{202e}", false)), "\\u{1b}[2J\\u{202e}");
        assert_eq!(excerpt(&line(&"é".repeat(1_000), false)), "é".repeat(80) + "…");
        assert_eq!(excerpt(&line(&"\u{1f600}".repeat(80), false)), "\u{1f600}".repeat(80));
    }
}
