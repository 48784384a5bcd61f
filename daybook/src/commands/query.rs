//! `daybook query`: a named query from the command line, over every tenant unless one is named.

use std::process::ExitCode;

use query::{Cell, CellKind, NamedQuery, RowColumn, Rows, Scope, named};

use crate::cli::{Format, QueryArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::output::{print, print_rows, table};
use crate::place::Place;
use crate::questions::listing;
use crate::terminal::escape;

/// Lists the queries, or runs one.
pub async fn run(config: &Config, args: &QueryArgs) -> Result<ExitCode> {
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        list(args.output.format())?;
        return Ok(ExitCode::SUCCESS);
    };
    let query = named::find(name)?;
    let given = args.params.iter().map(|param| pair(param)).collect::<Result<Vec<_>>>()?;
    let place = Place::of(config).await?;
    let scope = Scope { now: place.now(), tenant: args.tenant.clone() };
    let rows = place.ask(query, &given, &scope).await?;
    if args.output.format() == Format::Table {
        print(format!("{}\n", escape(query.question)).as_bytes())?;
    }
    print_rows(query.name, &rows, args.output.format())?;
    Ok(ExitCode::SUCCESS)
}

fn pair(param: &str) -> Result<(String, String)> {
    let pair = param.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    pair.ok_or_else(|| Failure::new(format!("--param {param:?} must be NAME=VALUE, such as from='now - 1h'")))
}

fn list(format: Format) -> Result<()> {
    match format {
        Format::Table => {}
        Format::Json => return print(format!("{}\n", listing()).as_bytes()),
        Format::Ndjson | Format::Csv => return print_rows("queries", &listed(), format),
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
