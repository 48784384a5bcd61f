//! The command line.

mod import;
mod keys;
mod mend;
mod notices;
mod quarantine;
mod read;
mod settings;
mod sql;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use query::named::TimeExpression;

pub use self::import::{ImportArgs, LogFormat};
pub use self::keys::{KeysArgs, KeysCommand, KeysCreateArgs, KeysListArgs, KeysRevokeArgs};
pub use self::mend::{CompletionsArgs, DoctorArgs, ManArgs, ReplayArgs};
pub use self::notices::{NoticesArgs, NoticesCommand, NoticesListArgs, NoticesRetryArgs};
pub use self::quarantine::{
    QuarantineArgs, QuarantineChoice, QuarantineCommand, QuarantineListArgs, QuarantineRetryArgs,
};
pub use self::read::{ExportArgs, ExportFormat, ExportWhat, TailArgs};
pub use self::settings::Settings;
pub use self::sql::{SqlArgs, SqlChildArgs, SqlLimits};
use crate::cost::Frontend;
use crate::zone::Zone;

/// An API whose database is its request log.
#[derive(Debug, Parser)]
#[command(
    version = env!("DAYBOOK_VERSION"),
    about,
    max_term_width = 100,
    after_help = "\
Settings come from flags, then from the environment (DAYBOOK_DATA, DAYBOOK_LISTEN, …), then from the file that
--config names (default: daybook.toml, if there is one), under the same names everywhere.

Exit status: 0 done, 1 it could not be done or something is wrong with the installation, 2 the command line is wrong.

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
    /// Ask any question about the log: one SELECT over `requests`, or a prompt
    Sql(SqlArgs),
    /// Runs one statement, for `sql`
    #[command(hide = true)]
    SqlChild(SqlChildArgs),
    /// Show what happened to an entity, change by change
    History(HistoryArgs),
    /// Show an entity's state, now or as it was
    Show(ShowArgs),
    /// Show the newest events, and those that come
    Tail(TailArgs),
    /// Write events or entities to a file that anything reads
    Export(ExportArgs),
    /// Prove that log, table and state agree; names the first offender, exit status 1
    Verify(VerifyArgs),
    /// Rebuild the state from the log, compare it with the one that is there, or put it in its place
    Replay(ReplayArgs),
    /// Say what is wrong with this installation and how to mend it
    Doctor(DoctorArgs),
    /// Make, list and revoke API keys
    Keys(KeysArgs),
    /// List the notices that were given up, or send them again
    Notices(NoticesArgs),
    /// Print the event's columns
    Schema(SchemaArgs),
    /// Reckon what a month on AWS costs, from measured sizes and list prices
    Cost(CostArgs),
    /// Show the whole of it in a minute, on a folder of its own
    Demo(DemoArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print the manual
    Man(ManArgs),
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
    /// The zone of times in tables: utc, local, or a name such as Europe/Berlin; all other forms have UTC
    #[arg(long, env = "DAYBOOK_ZONE", value_name = "ZONE", default_value = "utc")]
    pub zone: Zone,
}

impl OutputArgs {
    /// What is shown to people who asked for nothing.
    pub const TABLE: Self = Self { format: Format::Table, json: false, zone: Zone::UTC };

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
    /// Leave out what takes reading every byte: the hash of each event, the count of raw lines
    #[arg(long)]
    pub quick: bool,
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
    /// As it was at this time, such as 2026-11-20T09:30:26Z, 2026-11-20T10:30:26+01:00 or 'now - 1h'
    #[arg(long, value_name = "TIME", conflicts_with = "at_version", value_parser = TimeExpression::parse)]
    pub as_of: Option<TimeExpression>,
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

impl Format {
    /// The word for it on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
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
