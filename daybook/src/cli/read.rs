//! Arguments of `tail` and `export`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use query::named::TimeExpression;

use crate::zone::Zone;

/// Arguments of `tail`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daybook tail --follow
  daybook tail --status 5xx --since 2d
  daybook tail --follow --json --path /tasks | jq .status")]
pub struct TailArgs {
    /// How many of the newest events
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = lines)]
    pub lines: usize,
    /// Go on with those that come
    #[arg(short, long)]
    pub follow: bool,
    /// Only those of so long ago at most
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub since: Option<Duration>,
    /// Only this status, such as 404 or 5xx
    #[arg(long, value_name = "STATUS", value_parser = status)]
    pub status: Option<String>,
    /// Only this method
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
    /// Only paths that have this in them
    #[arg(long, value_name = "TEXT")]
    pub path: Option<String>,
    /// Only this user's
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Only events of this type, such as task.created
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Print the events themselves, one a line
    #[arg(long)]
    pub json: bool,
    /// The zone of the times: utc, local, or a name such as Europe/Berlin; --json has UTC
    #[arg(long, env = "DAYBOOK_ZONE", value_name = "ZONE", default_value = "utc")]
    pub zone: Zone,
}

fn lines(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|lines| *lines <= 10_000).ok_or_else(|| "write a number up to 10000".to_owned())
}

/// A status, or a hundred of them.
fn status(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix("xx").unwrap_or(text);
    let expected = if digits.len() < text.len() { 1 } else { 3 };
    if digits.len() == expected && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("write a status such as 404, or 4xx for all of them".to_owned())
}

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportWhat {
    /// The log.
    Events,
    /// The state: every entity as it is now, deleted ones included.
    Entities,
}

/// What an export looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line; an event as the line that it was.
    Ndjson,
    /// Parquet, zstd.
    Parquet,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daybook export events --from 2026-11-01 --to 2026-12-01 > november.ndjson
  daybook export events --format parquet --output events.parquet
  daybook export entities --output entities.ndjson")]
pub struct ExportArgs {
    /// What to export
    pub what: ExportWhat,
    /// Events from this day (UTC) or time on, such as 2026-11-01, 2026-11-01T00:00:00+01:00 or 'now - 1h'
    #[arg(long, value_name = "TIME", value_parser = TimeExpression::parse)]
    pub from: Option<TimeExpression>,
    /// Events before this day (UTC) or time
    #[arg(long, value_name = "TIME", value_parser = TimeExpression::parse)]
    pub to: Option<TimeExpression>,
    /// What it looks like
    #[arg(long, default_value = "ndjson")]
    pub format: ExportFormat,
    /// File to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
