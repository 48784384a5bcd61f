//! What the program says on standard error: its logs, and in one line why a command was not done.

use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;

use crate::failure::{Failure, Result};

/// Starts logging; `filter` as tracing's directives have it.
///
/// # Errors
/// The filter is none.
pub fn start(filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::new(format!("log = {filter:?} is no filter ({error}); try info or debug")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would say so on standard error, and panic if that cannot be done either: as on a full disk.
        .log_internal_errors(false)
        .try_init()
        .map_err(|error| Failure::new(format!("cannot start logging: {error}")))
}

/// Says why nothing was done.
pub fn complain(failure: &Failure) {
    // Where nobody can be told, the exit status has to do.
    let _ = writeln!(std::io::stderr(), "daybook: {failure}");
}

/// Says what was done, where standard output is for something else.
#[expect(clippy::print_stderr, reason = "the command's own word to its user")]
pub fn tell(text: &str) {
    eprintln!("{}", crate::terminal::escape(text));
}
