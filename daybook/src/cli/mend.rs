//! Arguments of `replay`, `doctor`, `completions` and `man`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --swap nothing is changed: the state that the log gives is compared with the one that is there, and a
difference is exit status 1. With it, a folder that has nothing but raw/ can be served again.

Examples:
  daybook replay
  daybook replay --swap && daybook verify")]
pub struct ReplayArgs {
    /// Put the rebuilt database in the place of the one that is there, which is kept beside it
    #[arg(long)]
    pub swap: bool,
    /// Also if the log itself is broken: what can be made of it is taken
    #[arg(long, requires = "swap")]
    pub force: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example: daybook completions bash > ~/.local/share/bash-completion/completions/daybook")]
pub struct CompletionsArgs {
    /// Which shell
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Example: daybook man --folder ~/.local/share/man/man1 && man daybook-import")]
pub struct ManArgs {
    /// Write a page for each command to this folder
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}
