//! Arguments of `quarantine`.

use clap::{Args, Subcommand};

use super::OutputArgs;

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
