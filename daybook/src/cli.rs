//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cost::Frontend;

/// An API whose database is its request log.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    max_term_width = 100,
    after_help = "\
Settings come from flags, then from the environment (DAYBOOK_DATA, DAYBOOK_LISTEN, …), then from the file that
--config names (default: daybook.toml, if there is one), under the same names everywhere.

Exit status: 0 done, 1 it could not be done or verify found something, 2 the command line is wrong.

Examples:
  daybook serve
  daybook query traffic
  daybook query latency --param from='now - 1h' --format csv
  daybook history task 019aa0c5-6f8b-7000-8000-000000000000
  daybook lake
  daybook quarantine list
  daybook verify"
)]
pub struct Cli {
    /// File with settings [default: ./daybook.toml, if there is one]
    #[arg(long, global = true, env = "DAYBOOK_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What the file may say, too.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Settings that `daybook.toml` may hold under the same names.
#[derive(Debug, Clone, Default, Args, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Folder of the installation [default: ./daybook-data]
    #[arg(long, global = true, env = "DAYBOOK_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What is logged to standard error: error, warn, info, debug [default: warn; of serve: info]
    #[arg(long, global = true, env = "DAYBOOK_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Address to serve at; anything but loopback needs an API key [default: 127.0.0.1:3000]
    #[arg(long, global = true, env = "DAYBOOK_LISTEN", value_name = "HOST:PORT", help_heading = "Server")]
    pub listen: Option<String>,
    /// Name of the environment in every event [default: local]
    #[arg(long, global = true, env = "DAYBOOK_ENVIRONMENT", help_heading = "Server")]
    pub environment: Option<String>,
    /// What comes before every route, such as /v1
    #[arg(long, global = true, env = "DAYBOOK_BASE_PATH", value_name = "PATH", help_heading = "Server")]
    pub base_path: Option<String>,
    /// Origins that browsers may call from, separated by commas
    #[arg(long, global = true, env = "DAYBOOK_CORS_ORIGINS", value_delimiter = ',', help_heading = "Server")]
    pub cors_origins: Option<Vec<String>>,
    /// API keys as id:tenant:sha256-hex, separated by commas; without any, everybody may call
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_API_KEYS",
        hide_env_values = true,
        value_delimiter = ',',
        help_heading = "Server"
    )]
    pub api_keys: Option<Vec<String>>,
    /// Refuse changes without If-Match
    #[arg(long, global = true, env = "DAYBOOK_REQUIRE_IF_MATCH", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Server")]
    pub require_if_match: Option<bool>,
    /// Most connections that are open at once; more are refused with 503 [default: 10000, or what file descriptors allow]
    #[arg(long, global = true, env = "DAYBOOK_MAX_CONNECTIONS", value_name = "N", help_heading = "Server")]
    pub max_connections: Option<usize>,
    /// Most requests in work at once; more are refused with 503 [default: 1024]
    #[arg(long, global = true, env = "DAYBOOK_MAX_REQUESTS", value_name = "N", help_heading = "Server")]
    pub max_requests: Option<usize>,
    /// More names of JSON, form and query fields whose values are masked, separated by commas
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_MASK",
        value_delimiter = ',',
        value_name = "NAMES",
        help_heading = "Server"
    )]
    pub mask: Option<Vec<String>>,
    /// How often committed events become raw objects [default: 1s]
    #[arg(long, global = true, env = "DAYBOOK_RELAY_EVERY", value_name = "DURATION", help_heading = "Server")]
    pub relay_every: Option<String>,
    /// How long the store keeps events that the raw log has, days; 0 for ever [default: 30]
    #[arg(long, global = true, env = "DAYBOOK_EVENT_RETENTION_DAYS", value_name = "DAYS", help_heading = "Server")]
    pub event_retention_days: Option<u32>,
    /// How long it keeps submissions, days; 0 for ever [default: 0]
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_SUBMISSION_RETENTION_DAYS",
        value_name = "DAYS",
        help_heading = "Server"
    )]
    pub submission_retention_days: Option<u32>,
    /// How often the server looks whether a compaction is worth it [default: 1m]
    #[arg(long, global = true, env = "DAYBOOK_COMPACT_EVERY", value_name = "DURATION", help_heading = "Compactor")]
    pub compact_every: Option<String>,
    /// Memory that a compaction may take in all [default: 512MiB]
    #[arg(long, global = true, env = "DAYBOOK_MEMORY", value_name = "SIZE", help_heading = "Compactor")]
    pub memory: Option<String>,
    /// A longer line goes to quarantine [default: 8MiB]
    #[arg(long, global = true, env = "DAYBOOK_MAX_LINE", value_name = "SIZE", help_heading = "Compactor")]
    pub max_line: Option<String>,
    /// The installation is on AWS; credentials and region as the AWS command line finds them
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_AWS", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "AWS")]
    pub aws: Option<bool>,
    /// Folder that Terraform was applied from, or a file with `terraform output -json`: it says the names below
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_TERRAFORM", value_name = "PATH", help_heading = "AWS")]
    pub terraform: Option<PathBuf>,
    /// Bucket of the raw objects and the lake
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_BUCKET", value_name = "NAME", help_heading = "AWS")]
    pub bucket: Option<String>,
    /// DynamoDB table of the store
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_TABLE", value_name = "NAME", help_heading = "AWS")]
    pub table: Option<String>,
    /// Glue database of the table `requests`
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_DATABASE", value_name = "NAME", help_heading = "AWS")]
    pub database: Option<String>,
    /// Athena's workgroup
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_WORKGROUP", value_name = "NAME", help_heading = "AWS")]
    pub workgroup: Option<String>,
    /// Who runs queries: Athena, or this machine on the files of the lake [default: athena]
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_ENGINE", help_heading = "AWS")]
    pub engine: Option<Engine>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API, relay its events, compact them on a schedule
    Serve,
    /// Bring everything that is pending into the table, now
    Compact(CompactArgs),
    /// Make events of the access logs of other servers
    Import(ImportArgs),
    /// List the lines that are no events, or try them again
    Quarantine(QuarantineArgs),
    /// Show the table at a glance: files, days, what is pending
    Lake(LakeArgs),
    /// Ask a named query
    Query(QueryArgs),
    /// Show what happened to an entity, change by change
    History(HistoryArgs),
    /// Show an entity's state, now or as it was
    Show(ShowArgs),
    /// Prove that log, table and state agree; names the first offender, exit status 1
    Verify(VerifyArgs),
    /// Print the event's columns
    Schema(SchemaArgs),
    /// Reckon what a month on AWS costs, from measured sizes and list prices
    Cost(CostArgs),
    /// Show the whole of it in a minute, on a folder of its own
    Demo(DemoArgs),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// How results are printed
    #[arg(long, env = "DAYBOOK_FORMAT", default_value = "table")]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
}

impl OutputArgs {
    /// The form that is wanted.
    pub fn format(self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// Arguments of `compact`.
#[derive(Debug, Args)]
#[command(after_help = "DIR may hold nothing but raw/: the table is made beside it in lake/.")]
pub struct CompactArgs {
    /// Only if it is worth a commit, as the server would: 64 MiB are pending, or something has waited for an hour
    #[arg(long)]
    pub if_due: bool,
    /// How long a line of an API gateway's log waits for its request's event [default: 49h]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub settle: Option<Duration>,
    /// The summary's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

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

/// Arguments of `quarantine`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daybook quarantine list
  daybook quarantine list --object dt=2026-11-20 --reason 'not a JSON object' --full
  daybook quarantine retry                       # after an upgrade, or once a damaged object was replaced
  daybook quarantine retry --max-line 32MiB      # then compact with the same --max-line")]
pub struct QuarantineArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: QuarantineCommand,
}

/// What can be done with lines that are no events. Nothing deletes them.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List them: object, line, reason, beginning
    List(QuarantineListArgs),
    /// Try them again; what is an event now goes into the raw log, for the next compaction
    Retry(QuarantineRetryArgs),
}

/// Which quarantined lines.
#[derive(Debug, Args)]
pub struct QuarantineChoice {
    /// Only lines of raw objects whose key has this in it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub object: String,
    /// Only lines whose reason has this in it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Show at most so many; 0 shows all
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: usize,
}

/// Arguments of `quarantine list`.
#[derive(Debug, Args)]
pub struct QuarantineListArgs {
    /// Which lines.
    #[command(flatten)]
    pub choice: QuarantineChoice,
    /// All that was kept of each line, not only its beginning
    #[arg(long)]
    pub full: bool,
    /// The list's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `quarantine retry`.
#[derive(Debug, Args)]
pub struct QuarantineRetryArgs {
    /// Which lines.
    #[command(flatten)]
    pub choice: QuarantineChoice,
    /// The report's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `lake`.
#[derive(Debug, Args)]
#[command(after_help = "The forms ndjson and csv have a row for each day; json has everything.")]
pub struct LakeArgs {
    /// How many of the last days to show
    #[arg(long, default_value_t = 14, value_name = "N", conflicts_with = "all")]
    pub days: usize,
    /// Show all days
    #[arg(long)]
    pub all: bool,
    /// The facts' form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Relay what the store has and the log lacks
    #[cfg(feature = "aws")]
    #[arg(long)]
    pub repair: bool,
    /// The report's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `query`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daybook query --list
  daybook query traffic --param from='now - 7d'
  daybook query entity_history --param entity_id=019aa0c5-6f8b-7000-8000-000000000000 --format json")]
pub struct QueryArgs {
    /// The query's name
    #[arg(required_unless_present = "list")]
    pub name: Option<String>,
    /// A parameter of the query; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Only this tenant's requests [default: all tenants']
    #[arg(long)]
    pub tenant: Option<String>,
    /// List the queries and their parameters
    #[arg(long)]
    pub list: bool,
    /// The answer's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The entity.
    #[command(flatten)]
    pub entity: EntityArgs,
    /// The answer's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Which entity.
#[derive(Debug, Args)]
pub struct EntityArgs {
    /// Kind of the entity, such as task
    pub kind: String,
    /// Its id
    pub id: String,
    /// Owner of the entity [default: whoever has one with this id]
    #[arg(long)]
    pub tenant: Option<String>,
}

/// Which entity, and when.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daybook show task 019aa0c5-6f8b-7000-8000-000000000000
  daybook show task 019aa0c5-6f8b-7000-8000-000000000000 --as-of 2026-11-20T09:30:26Z
  daybook show task 019aa0c5-6f8b-7000-8000-000000000000 --version 3")]
pub struct ShowArgs {
    /// The entity.
    #[command(flatten)]
    pub entity: EntityArgs,
    /// As it was at this time (UTC)
    #[arg(long, value_name = "TIME", conflicts_with = "at_version")]
    pub as_of: Option<String>,
    /// As it was after this version
    #[arg(long = "version", id = "at_version", value_name = "N")]
    pub at_version: Option<i64>,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
#[command(after_help = "Example: daybook schema --format athena")]
pub struct SchemaArgs {
    /// For whom: `json` and `markdown` to read, `athena` as DDL, `hcl` for Terraform
    #[arg(long, default_value = "markdown")]
    pub format: SchemaKind,
}

/// Arguments of `cost`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daybook cost
  daybook cost --changes 200000 --creates 50000 --reads 3000000 --frontend http")]
pub struct CostArgs {
    /// Changes of entities that are there [default: a million, if nothing else is said]
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub changes: u64,
    /// New entities
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub creates: u64,
    /// Submissions
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub submissions: u64,
    /// Reads
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub reads: u64,
    /// Requests that are refused
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub refusals: u64,
    /// Which API of API Gateway stands in front
    #[arg(long, default_value = "rest")]
    pub frontend: Frontend,
    /// The bill's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the folder here instead of in a temporary place
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// How many requests to send
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(500..))]
    pub requests: u32,
}

/// Who runs queries on an installation on AWS.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Athena.
    Athena,
    /// This machine, which reads the files of the lake and what is not in it yet.
    Local,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180.
    Csv,
}

/// How the columns are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// An array of objects.
    Json,
    /// A table.
    Markdown,
    /// Statements for Athena.
    Athena,
    /// A list for Terraform.
    Hcl,
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;

    #[test]
    fn aws_is_said_before_or_after_the_command_and_takes_no_word_of_it() {
        for line in
            ["daybook --aws verify --repair", "daybook verify --aws --repair", "daybook --aws=true verify --repair"]
        {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.settings.aws, Some(true), "{line}");
            assert!(matches!(cli.command, Command::Verify(args) if args.repair), "{line}");
        }
        let cli = Cli::try_parse_from(["daybook", "query", "--aws", "traffic", "--engine", "local"]).unwrap();
        assert_eq!(cli.settings.engine, Some(Engine::Local));
        assert!(matches!(cli.command, Command::Query(args) if args.name.as_deref() == Some("traffic")));
    }
}
