//! Why a command could not do its work: one line that says what to do.

use std::fmt;

/// A command's error, for people.
#[derive(Debug)]
pub struct Failure(String);

/// What commands return.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure in one line.
    pub fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }

    /// What was being done when an error came.
    pub fn while_<E: fmt::Display>(doing: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("cannot {doing}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever the parts were.
        f.write_str(&crate::terminal::escape(&self.0))
    }
}

impl From<ingest::Error> for Failure {
    fn from(error: ingest::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<compactor::Error> for Failure {
    fn from(error: compactor::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<query::Error> for Failure {
    fn from(error: query::Error) -> Self {
        let hint = match error.kind() {
            query::ErrorKind::UnknownQuery => "; `daybook query --list` shows them all",
            _ => "",
        };
        Self(format!("{error}{hint}"))
    }
}
