//! Arguments of `sql`.

use std::time::Duration;

use clap::Args;

use super::OutputArgs;

/// What one statement may take.
#[derive(Debug, Clone, Args)]
pub struct SqlLimits {
    /// The most rows of an answer
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub rows: usize,
    /// The longest that a statement may run
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// The most memory that it may take
    #[arg(long, default_value = "512MiB", value_name = "SIZE")]
    pub query_memory: bytesize::ByteSize,
}

/// Arguments of `sql`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing but a SELECT runs, in a process of its own with the bounds below. Without a statement there is a prompt, if
standard input is a terminal; else the statement is read from there.

Examples:
  daybook sql 'select status, count(*) as n from requests group by status order by n desc'
  daybook sql --json 'select path, avg(duration_ms) as ms from requests group by path'
  daybook sql < question.sql")]
pub struct SqlArgs {
    /// One SELECT over `requests`
    pub statement: Option<String>,
    /// Its bounds.
    #[command(flatten)]
    pub limits: SqlLimits,
    /// The answer's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `sql-child`.
#[derive(Debug, Args)]
pub struct SqlChildArgs {
    /// Its bounds.
    #[command(flatten)]
    pub limits: SqlLimits,
    /// The answer's form.
    #[command(flatten)]
    pub output: OutputArgs,
}
