//! The crate's one error.

use std::fmt;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The raw log could not be listed, read or written.
    RawLog,
    /// The lake's files or its catalog could not be read or written.
    Lake,
    /// The table is not one that this version can work on.
    Table,
    /// Other compactors committed first, more often than this one was allowed to try again.
    Conflict,
    /// The run was stopped before its end; what it had not committed will be done by the next one.
    Stopped,
}

/// An error: its kind, what was being done, and what caused it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    context: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a cause of its own.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self { kind, context: context.into(), source: None }
    }

    /// An error with its cause.
    pub fn caused(
        kind: ErrorKind,
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, context: context.into(), source: Some(source.into()) }
    }

    /// For `map_err` on what the lake's libraries return.
    pub(crate) fn lake<E>(context: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let context = context.into();
        move |source| Self::caused(ErrorKind::Lake, context, source)
    }

    /// For `map_err` on what the raw log's storage returns.
    pub(crate) fn raw<E>(context: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let context = context.into();
        move |source| Self::caused(ErrorKind::RawLog, context, source)
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later without anybody's help.
    ///
    /// Every call of this crate may be repeated after any error: nothing is ever in the table twice (I2).
    pub fn is_retryable(&self) -> bool {
        !matches!(self.kind, ErrorKind::Table)
    }
}

/// One line, causes included.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        match &self.source {
            Some(source) => write!(f, ": {}", source.to_string().replace('\n', " ")),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
