//! The process that runs one statement: it opens the table, bounds itself, reads the statement, answers, ends.

use std::io::Read;
use std::process::ExitCode;

use query::local::{Limits, LocalEngine, Select};

use super::limits::confine;
use super::snapshot;
use crate::cli::SqlChildArgs;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::output::print_rows;

/// A longer statement is refused anyway, bytes.
const LONGEST: u64 = 64 << 10;

/// Answers the statement on standard input.
pub async fn run(config: &Config, args: &SqlChildArgs) -> Result<ExitCode> {
    let installation = Installation::at(&config.data, ingest::System::real())?;
    let log = snapshot(&installation.lake().await?, &installation.raw(), installation.now()).await?;
    let given = &args.limits;
    let memory = usize::try_from(given.query_memory.as_u64()).unwrap_or(usize::MAX);
    let limits = Limits { rows: given.rows, timeout: given.timeout, memory_bytes: memory };
    let engine = LocalEngine::new(log, limits)?;
    confine(given.query_memory.as_u64(), given.timeout)?;
    let mut statement = String::new();
    std::io::stdin().take(LONGEST).read_to_string(&mut statement).map_err(Failure::while_("read the statement"))?;
    let rows = engine.select(&Select::parse(&statement)?).await?;
    print_rows("sql", &rows, args.output)?;
    Ok(ExitCode::SUCCESS)
}
