//! The crate's one error: what kind it is, where it happened, what caused it.

use std::fmt;

/// What went wrong, as far as a caller needs to tell cases apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No query has this name.
    UnknownQuery,
    /// A parameter is unknown, missing or malformed; the context names it.
    BadParameter,
    /// A query file breaks the grammar of its header; the context names file and line.
    BadQueryFile,
    /// The query took longer than the engine allows.
    Timeout,
    /// The query needed more memory than the engine allows.
    OutOfMemory,
    /// The engine takes no queries right now.
    Unavailable,
    /// The asker gave up, or someone stopped the query.
    Cancelled,
    /// A run of a query is not known, or its rows are gone.
    UnknownRun,
    /// The question reads more bytes than it may, or the answer has more than can be carried.
    TooLarge,
    /// The table holds something that this engine must not ignore and cannot read.
    Unsupported,
    /// The engine failed: bad SQL, unreadable files, a broken expectation.
    Engine,
}

/// Why a query gave no rows.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    context: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that nothing else caused.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self { kind, context: context.into(), source: None }
    }

    /// Adds the cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind, to decide on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened, without its cause: fit for the client where the kind is the client's fault.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Timeout | ErrorKind::OutOfMemory | ErrorKind::Unavailable)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
