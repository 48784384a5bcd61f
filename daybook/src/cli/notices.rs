//! Arguments of `notices`.

use clap::{Args, Subcommand};
use event::EventId;

use super::OutputArgs;

/// Arguments of `notices`.
#[derive(Debug, Args)]
#[command(after_help = "\
A server with --notify-url sends a signed notice of every event that --notify-events chooses. What the receiver does not
take for about a day is a dead letter, kept in notices/dead.ndjson of the data folder.

Examples:
  daybook notices secret
  daybook notices list
  daybook notices retry --notify-url https://hooks.example.org/daybook")]
pub struct NoticesArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: NoticesCommand,
}

/// What can be done with notices.
#[derive(Debug, Subcommand)]
pub enum NoticesCommand {
    /// Print the secret that receivers check signatures with
    Secret,
    /// List the notices that were given up
    List(NoticesListArgs),
    /// Send notices that were given up once more; exit status 1 if one is not taken
    Retry(NoticesRetryArgs),
}

/// Arguments of `notices list`.
#[derive(Debug, Args)]
pub struct NoticesListArgs {
    /// The list's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `notices retry`.
#[derive(Debug, Args)]
pub struct NoticesRetryArgs {
    /// Ids of their events [default: all of them]
    #[arg(value_name = "EVENT_ID")]
    pub ids: Vec<EventId>,
}
