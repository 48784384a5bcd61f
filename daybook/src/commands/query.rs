//! `daybook query`: a named query from the command line, over every tenant unless one is named.

use std::process::ExitCode;

use ingest::System;
use query::{Scope, named};

use crate::ask::{Questions, listing};
use crate::cli::{Format, QueryArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::output::{print, print_rows, table};
use crate::terminal::escape;

/// Lists the queries, or runs one.
pub async fn run(config: &Config, args: &QueryArgs) -> Result<ExitCode> {
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        list(args.output.format)?;
        return Ok(ExitCode::SUCCESS);
    };
    let query = named::find(name)?;
    let given = args.params.iter().map(|param| pair(param)).collect::<Result<Vec<_>>>()?;
    let installation = Installation::existing(&config.data, System::real()).await?;
    let scope = Scope { now: installation.now(), tenant: args.tenant.clone() };
    let rows = Questions::to(&installation).await?.run(query, &given, &scope).await?;
    if args.output.format == Format::Table {
        print(format!("{}\n", escape(query.question)).as_bytes())?;
    }
    print_rows(query.name, &rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

fn pair(param: &str) -> Result<(String, String)> {
    let pair = param.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    pair.ok_or_else(|| Failure::new(format!("--param {param:?} must be NAME=VALUE, such as from='now - 1h'")))
}

fn list(format: Format) -> Result<()> {
    if format != Format::Table {
        return print(format!("{}\n", listing()).as_bytes());
    }
    let mut queries = table(&["name", "question", "parameters (* required)"]);
    for query in named::all() {
        let params: Vec<String> = query
            .params
            .iter()
            .map(|param| {
                format!("{}{} {}", param.name, if param.default.is_none() { "*" } else { "" }, param.kind.name())
            })
            .collect();
        queries.add_row([query.name, query.question, &params.join("\n")]);
    }
    print(format!("{queries}\n").as_bytes())
}
