//! `daybook quarantine`: the lines that are no events, and what can be done about them.

mod list;
mod retry;

use std::process::ExitCode;
use std::sync::Arc;

use compactor::{QuarantinedLine, RawLog, RawObject, Retry, read_quarantine};
use query::{Cell, CellKind, RowColumn, Rows};

use crate::cli::{Format, OutputArgs, QuarantineChoice, QuarantineCommand};
use crate::config::Config;
use crate::failure::Result;
use crate::output::print_rows;
use crate::place::Place;
use crate::terminal::escape;

/// Lists quarantined lines, or tries them again.
pub async fn run(config: &Config, command: &QuarantineCommand) -> Result<ExitCode> {
    let place = Place::of(config).await?;
    match command {
        QuarantineCommand::List(args) => list::run(&place, config.limits, args).await?,
        QuarantineCommand::Retry(args) => retry::run(&place, config.limits, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything in quarantine, one object after the other: by day of arrival, then by name.
struct Quarantine {
    raw: Arc<dyn RawLog>,
    objects: Vec<RawObject>,
    retry: Retry,
}

impl Quarantine {
    async fn open(place: &Place, limits: compactor::Limits) -> Result<Self> {
        let raw = place.raw();
        let objects = raw.list_quarantine().await?;
        let retry = Retry::new(Arc::clone(&raw), &objects, limits).await?;
        Ok(Self { raw, objects, retry })
    }

    /// The lines of a quarantine object in their order, those of one raw object together.
    async fn lines(&self, object: &RawObject) -> Result<Vec<Vec<QuarantinedLine>>> {
        let mut lines = read_quarantine(&self.raw, &object.key).await?;
        lines.sort_by(|a, b| (&a.raw_object, a.line).cmp(&(&b.raw_object, b.line)));
        Ok(lines.chunk_by(|a, b| a.raw_object == b.raw_object).map(<[_]>::to_vec).collect())
    }
}

impl QuarantineChoice {
    /// Whether a line is asked for.
    fn takes(&self, line: &QuarantinedLine) -> bool {
        line.raw_object.contains(&self.object) && line.reason.contains(&self.reason)
    }

    /// Whether there is room for one more.
    fn has_room(&self, shown: usize) -> bool {
        self.limit == 0 || shown < self.limit
    }
}

fn column(name: &str, kind: CellKind) -> RowColumn {
    RowColumn { name: name.to_owned(), kind }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn number(number: u64) -> Cell {
    Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Prints rows for programs, and on standard error how many were left out.
fn print_for_programs(columns: Vec<RowColumn>, mut rows: Vec<Vec<Cell>>, more: u64, how: OutputArgs) -> Result<()> {
    if how.format() == Format::Csv {
        // JSON has escapes of its own; a list that is looked at has not.
        rows.iter_mut().flatten().for_each(disarm);
    }
    let rows = Rows { columns, rows, truncated: more > 0, bytes_read: 0, cost_usd: None };
    print_rows("quarantine", &rows, how)?;
    if more > 0 {
        tracing::warn!("{more} more lines are not shown; --limit 0 shows all");
    }
    Ok(())
}

fn disarm(cell: &mut Cell) {
    if let Cell::Text(text) = cell {
        *text = escape(text);
    }
}

/// What people are told about lines that are not shown.
fn and_more(more: u64) -> String {
    if more == 0 { String::new() } else { format!("{more} more are not shown; --limit 0 shows all.\n") }
}
