//! The list of questions, compiled into the binary.

use std::sync::LazyLock;

use crate::error::{Error, ErrorKind, Result};
use crate::named::header::{self, Header};
use crate::named::param::Param;

/// A question with the SQL that answers it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedQuery {
    /// Its name, which is its file's name without `.sql`.
    pub name: &'static str,
    /// The question, in a sentence.
    pub question: &'static str,
    /// What one row of the answer stands for.
    pub grain: &'static str,
    /// What the asker may or must say, in the order of the header.
    pub params: Vec<Param>,
    /// The whole file: header, then one statement in Trino's SQL with `:name` placeholders.
    pub sql: &'static str,
}

macro_rules! files {
    ( $( $name:literal ),+ $(,)? ) => {
        &[ $( (concat!($name, ".sql"), include_str!(concat!("../../../athena/queries/", $name, ".sql"))) ),+ ]
    };
}

/// Every file of `athena/queries`, in the order in which they are listed to people.
const FILES: &[(&str, &str)] = files![
    "traffic",
    "availability",
    "peaks",
    "hour_of_week",
    "errors",
    "refusals",
    "failures",
    "authentication_failures",
    "latency",
    "slowest",
    "bytes_by_route",
    "unmatched_paths",
    "top_actors",
    "clients",
    "api_keys",
    "tenants",
    "user_requests",
    "visits",
    "new_users",
    "submissions_by_user",
    "duplicate_submissions",
    "entity_history",
    "entity_as_of",
    "entity_authors",
    "entity_reads",
    "changes_by_author",
    "deletions",
    "chain_breaks",
    "task_status",
    "task_throughput",
    "task_transitions",
    "task_lead_times",
    "idempotency",
    "replays",
    "masked_secrets",
    "find_request",
    "find_trace",
    "ingest_paths",
    "freshness",
    "late_events",
    "cold_starts",
    "versions",
];

impl NamedQuery {
    /// The question as programs are told of it.
    pub fn describe(&self) -> serde_json::Value {
        let param = |param: &Param| {
            serde_json::json!({
                "name": param.name,
                "type": param.kind.name(),
                "required": param.default.is_none(),
                "meaning": param.meaning,
            })
        };
        let params: Vec<_> = self.params.iter().map(param).collect();
        serde_json::json!({"name": self.name, "question": self.question, "grain": self.grain, "params": params})
    }
}

static PARSED: LazyLock<Result<Vec<NamedQuery>>> =
    LazyLock::new(|| FILES.iter().map(|(file, text)| parse(file, text)).collect());

/// Every question. Empty if a file is malformed, which [`check`] reports.
pub fn all() -> &'static [NamedQuery] {
    PARSED.as_deref().unwrap_or_default()
}

/// Confirms that every question is well formed; a composition root calls it before it serves.
///
/// # Errors
/// `BadQueryFile`, naming the first bad file and line.
pub fn check() -> Result<()> {
    match &*PARSED {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(error.kind(), error.context())),
    }
}

/// The question called `name`.
///
/// # Errors
/// `UnknownQuery`, naming it and those there are.
pub fn find(name: &str) -> Result<&'static NamedQuery> {
    all().iter().find(|query| query.name == name).ok_or_else(|| {
        let known: Vec<&str> = all().iter().map(|query| query.name).collect();
        Error::new(ErrorKind::UnknownQuery, format!("no query is called {name:.64}; there are {}", known.join(", ")))
    })
}

/// Reads a query file: its header, and the placeholders of its statement.
///
/// # Errors
/// `BadQueryFile`, naming file and line: the header breaks its grammar, the name is not the file's, a placeholder is not
/// declared or a declared parameter not used.
pub fn parse(file: &str, text: &'static str) -> Result<NamedQuery> {
    let Header { name, question, grain, params } = header::parse(file, text)?;
    let query = NamedQuery { name, question, grain, params, sql: text };
    query.check_placeholders(file)?;
    Ok(query)
}

impl NamedQuery {
    /// The declaration of the parameter called `name`.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }
}
