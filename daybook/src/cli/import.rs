//! Arguments of `import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The format of another server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Apache's and nginx's combined format.
    Combined,
    /// Apache's common format.
    Common,
    /// JSON lines, by the names that nginx, Caddy and others use.
    Ndjson,
    /// AWS's application load balancer.
    Alb,
    /// AWS's CloudFront, its standard log.
    Cloudfront,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "\
A line's identity is the log's name, the line's number and its bytes: to import a log again adds nothing, also if it
has grown. Lines that are none of the format go to quarantine.

Examples:
  daybook import --format combined access.log access.log.2.gz
  daybook import --format combined --source web1 /mnt/web1/access.log
  journalctl -o cat -u caddy | daybook import --format ndjson --source caddy -")]
pub struct ImportArgs {
    /// Files, plain, gzip or zstd; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What the lines are
    #[arg(long)]
    pub format: LogFormat,
    /// Name of the log [default: the file's, without .gz or .zst]
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Name of the service that wrote it [default: daybook]
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Owner of the requests
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub tenant: String,
    /// Show at most so many of the lines that could not be read
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}
