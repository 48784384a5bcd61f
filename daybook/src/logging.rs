//! What the program says on standard error: its logs, and in one line why a command was not done.

use std::io::IsTerminal;

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
        .try_init()
        .map_err(|error| Failure::new(format!("cannot start logging: {error}")))
}

/// Says why nothing was done.
#[expect(clippy::print_stderr, reason = "the command's own word to its user")]
pub fn complain(failure: &Failure) {
    eprintln!("daybook: {failure}");
}
