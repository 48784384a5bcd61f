//! `daybook query`: a named query from the command line, over every tenant unless one is named.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use query::format::timed_json;
use query::{Cell, CellKind, NamedQuery, RowColumn, Rows, Scope, named};

use crate::cli::{Format, OutputArgs, QueryArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::output::{print, print_rows, table};
use crate::place::Place;
use crate::questions::listing;
use crate::terminal::{escape, escape_json};

/// Lists the queries, or runs one.
pub async fn run(config: &Config, args: &QueryArgs) -> Result<ExitCode> {
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        list(args.output)?;
        return Ok(ExitCode::SUCCESS);
    };
    let query = named::find(name)?;
    let given = args.params.iter().map(|param| pair(param)).collect::<Result<Vec<_>>>()?;
    let place = Place::of(config).await?;
    let scope = Scope { now: place.now(), tenant: args.tenant.clone() };
    let monotonic = place.system().monotonic;
    let begun = monotonic();
    let rows = place.ask(query, &given, &scope).await?;
    let elapsed = Duration::from_micros(monotonic().saturating_sub(begun));
    show(query, &rows, elapsed, args.output)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the answer, and what it took: in the JSON, below the table, beside rows for programs on the terminal alone.
fn show(query: &NamedQuery, rows: &Rows, elapsed: Duration, how: OutputArgs) -> Result<()> {
    match how.format() {
        Format::Json => {
            print(escape_json(&String::from_utf8_lossy(&timed_json(query.name, rows, elapsed)?)).as_bytes())
        }
        Format::Table => {
            print(format!("{}\n", escape(query.question)).as_bytes())?;
            print_rows(query.name, rows, how)?;
            print(format!("{}\n", took(rows, elapsed)).as_bytes())
        }
        Format::Ndjson | Format::Csv => {
            print_rows(query.name, rows, how)?;
            let mut notes = std::io::stderr().lock();
            if notes.is_terminal() {
                // Whoever cannot be told this has the answer all the same.
                let _ = writeln!(notes, "{}", took(rows, elapsed));
            }
            Ok(())
        }
    }
}

/// `1.2 MiB read in 34 ms`; with what it costs where that is something.
fn took(rows: &Rows, elapsed: Duration) -> String {
    let read = ByteSize(rows.bytes_read).display().iec();
    let cost = rows.cost_usd.map_or_else(String::new, |usd| format!(", about ${usd:.6}"));
    format!("{read} read in {:.0} ms{cost}", elapsed.as_secs_f64() * 1_000.0)
}

fn pair(param: &str) -> Result<(String, String)> {
    let pair = param.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    pair.ok_or_else(|| Failure::new(format!("--param {param:?} must be NAME=VALUE, such as from='now - 1h'")))
}

fn list(how: OutputArgs) -> Result<()> {
    match how.format() {
        Format::Table => {}
        Format::Json => return print(format!("{}\n", listing()).as_bytes()),
        Format::Ndjson | Format::Csv => return print_rows("queries", &listed(), how),
    }
    let mut queries = table(&["name", "question", "parameters (* required)"]);
    for query in named::all() {
        queries.add_row([query.name, query.question, &params(query, "\n")]);
    }
    print(format!("{queries}\n").as_bytes())
}

/// One row a query.
fn listed() -> Rows {
    let columns = ["name", "question", "grain", "params"];
    let columns = columns.map(|name| RowColumn { name: name.to_owned(), kind: CellKind::Text });
    let row = |query: &NamedQuery| {
        let cells = [query.name, query.question, query.grain, &params(query, ", ")];
        cells.map(|text| Cell::Text(text.to_owned())).to_vec()
    };
    let rows = named::all().iter().map(row).collect();
    Rows { columns: columns.to_vec(), rows, truncated: false, bytes_read: 0, cost_usd: None }
}

/// A query's parameters: name, a mark if it is required, type.
fn params(query: &NamedQuery, separator: &str) -> String {
    let required = |param: &query::Param| if param.default.is_none() { "*" } else { "" };
    let params = query.params.iter();
    let params = params.map(|param| format!("{}{} {}", param.name, required(param), param.kind.name()));
    params.collect::<Vec<_>>().join(separator)
}
