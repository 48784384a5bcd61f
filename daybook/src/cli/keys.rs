//! Arguments of `keys`.

use clap::{Args, Subcommand};
use ingest::http::auth::Scope;

use super::OutputArgs;

/// Arguments of `keys`.
#[derive(Debug, Args)]
#[command(after_help = "\
A key is shown once, when it is made; what is kept of it is its SHA-256. A running server knows of a change within a
second, a deployment on AWS within a minute.

Examples:
  daybook keys create
  daybook keys create web --tenant acme --scope write --expires 90d
  key=$(daybook keys create reports --scope read)
  daybook keys list
  daybook keys revoke web")]
pub struct KeysArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it, this once
    Create(KeysCreateArgs),
    /// List the keys that were made, spent ones included; never the keys themselves
    List(KeysListArgs),
    /// Revoke a key for good; its id is not used again
    Revoke(KeysRevokeArgs),
}

/// Arguments of `keys create`.
#[derive(Debug, Args)]
pub struct KeysCreateArgs {
    /// What the log calls it: 1 to 64 of A-Z a-z 0-9 . - [default: made up]
    pub id: Option<String>,
    /// Whose data it opens
    #[arg(long, default_value = "default")]
    pub tenant: String,
    /// What it allows: read; write, to change as well; admin, for the queries, too
    #[arg(long, default_value = "admin", value_parser = str::parse::<Scope>)]
    pub scope: Scope,
    /// When it ends: a duration such as 90d, or a UTC time such as 2027-01-01T00:00:00Z [default: never]
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
    /// Print one JSON document instead of the key alone
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `keys list`.
#[derive(Debug, Args)]
pub struct KeysListArgs {
    /// The list's form.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `keys revoke`.
#[derive(Debug, Args)]
pub struct KeysRevokeArgs {
    /// The key's id
    pub id: String,
}
