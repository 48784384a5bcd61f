//! The function `query`: a question as JSON in, its answer as JSON out.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_athena::Client;
use cloud::{Env, Failure, Function, Ground, Invocation, Refusal, Unit};
use event::Timestamp;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::aws::engine::{AthenaEngine, Settings};
use crate::engine::QueryEngine;
use crate::error::{Error, ErrorKind, Result};
use crate::named::{self, NamedQuery, Params, Scope};
use crate::{Rows, format};

/// The largest answer that Lambda gives back, bytes, with some room for what is around it.
const LARGEST_ANSWER: usize = 6 * 1_024 * 1_024 - 4_096;
/// What is kept of an invocation's time to stop a query that takes too long.
const TIME_TO_STOP: Duration = Duration::from_secs(2);

/// Answers named queries with Athena.
///
/// Whoever may invoke the function is the operator: without a tenant, every tenant's requests are seen.
#[derive(Debug)]
pub struct QueryFunction {
    client: Client,
    settings: Settings,
    ground: Ground,
    now: fn() -> Timestamp,
}

/// What the function is asked. An empty question asks for the list of queries.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Question {
    /// The query's name.
    query: Option<String>,
    /// Its parameters by name; numbers and texts.
    parameters: BTreeMap<String, Value>,
    /// Whose requests are seen.
    tenant: Option<String>,
    /// The answer's form.
    format: Form,
    /// What `now` means in times; unless given, now.
    now: Option<Timestamp>,
    /// How long to wait for the answer: then the run goes on, and the answer is its id. Unless given, the query's end is
    /// waited for, or it is stopped when the function's time is over.
    wait_ms: Option<u64>,
    /// The run to go on waiting for, as an answer before named it; nothing is started then.
    run: Option<String>,
    /// The same text starts no second run.
    token: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Json,
    Csv,
    Ndjson,
}

impl QueryFunction {
    /// Reads the settings: `DAYBOOK_WORKGROUP` and `DAYBOOK_DATABASE` must be there, `DAYBOOK_RESULTS` and
    /// `DAYBOOK_REUSE_MINUTES` may.
    ///
    /// # Errors
    /// One is missing or makes no sense; or a query file is malformed.
    pub async fn build(ground: &Ground, now: fn() -> Timestamp) -> Result<Self, Refusal> {
        let settings = settings(&ground.env)?;
        named::check().map_err(|error| Refusal::new(error.to_string()))?;
        let client = Client::new(&cloud::sdk::config().await);
        Ok(Self { client, settings, ground: ground.clone(), now })
    }

    async fn answer(&self, question: &Question) -> Result<Box<RawValue>> {
        let Some(name) = &question.query else { return raw(&listing()) };
        let query = named::find(name)?;
        let answer = match question.wait_ms {
            Some(wait) => self.step(query, question, Duration::from_millis(wait)).await?,
            None => {
                let rows = self.rows(query, question).await?;
                match question.format {
                    Form::Json => {
                        RawValue::from_string(text_of(Form::Json, query, &rows, None)?).map_err(unwritable)?
                    }
                    form => raw(&json!({"body": text_of(form, query, &rows, None)?}))?,
                }
            }
        };
        if answer.get().len() > LARGEST_ANSWER {
            let bytes = answer.get().len();
            let context = format!("the answer has {bytes} bytes, and Lambda gives back 6 MB: ask for less");
            return Err(Error::new(ErrorKind::TooLarge, context));
        }
        Ok(answer)
    }

    /// The rows of a query that is waited for until it ends.
    async fn rows(&self, query: &NamedQuery, question: &Question) -> Result<Rows> {
        let params = self.bind(query, question)?;
        let rows = self.engine(self.time()).run(query, &params).await?;
        self.count(&rows);
        Ok(rows)
    }

    /// Starts a query, or goes on with one that was started, and waits for so long: `done` with the answer as text, or
    /// `running` with the run.
    async fn step(&self, query: &NamedQuery, question: &Question, wait: Duration) -> Result<Box<RawValue>> {
        let wait = wait.min(self.time());
        let engine = self.engine(self.settings.timeout);
        let id = match (&question.run, &question.token) {
            (Some(id), _) => id.clone(),
            (None, Some(token)) => engine.begin(query, &self.bind(query, question)?, token).await?,
            (None, None) => {
                let context = "this is no question: a run that is not waited for needs a token";
                return Err(Error::new(ErrorKind::BadParameter, context));
            }
        };
        let ended = engine.wait_for(query.name, &id, wait, (self.now)()).await;
        let Some(ended) = ended.map_err(|error| of_own_run(error, question))? else {
            return raw(&json!({"running": {"run": id}}));
        };
        self.count(&ended.rows);
        let body = text_of(question.format, query, &ended.rows, Some(ended.took))?;
        let elapsed_ms = ended.took.as_secs_f64() * 1_000.0;
        raw(&json!({"done": {"body": body, "bytes_read": ended.rows.bytes_read, "elapsed_ms": elapsed_ms}}))
    }

    fn bind(&self, query: &NamedQuery, question: &Question) -> Result<Params> {
        let given: Vec<(&str, String)> =
            question.parameters.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let now = question.now.unwrap_or_else(self.now);
        let scope = Scope { now, tenant: question.tenant.clone() };
        query.bind(given.iter().map(|(name, text)| (*name, text.as_str())), &scope)
    }

    /// How long something may take, so that a query that takes longer can be stopped.
    fn time(&self) -> Duration {
        let left = self.ground.deadline.remaining().unwrap_or(self.settings.timeout);
        self.settings.timeout.min(left.saturating_sub(TIME_TO_STOP))
    }

    fn engine(&self, timeout: Duration) -> AthenaEngine {
        AthenaEngine::new(self.client.clone(), Settings { timeout, ..self.settings.clone() })
    }

    #[expect(clippy::cast_precision_loss, reason = "metrics are doubles")]
    fn count(&self, rows: &Rows) {
        self.ground.metrics.record("BytesScanned", Unit::Bytes, rows.bytes_read as f64);
    }
}

impl Function for QueryFunction {
    type Answer = Box<RawValue>;

    /// A question that cannot be answered as it is gets `{"error": {"kind", "detail"}}`: asking it again would not help.
    /// Who does not wait is told so of everything that is nobody's fault here, too, and what may pass.
    async fn handle(&self, event: Box<RawValue>, _: &Invocation) -> Result<Box<RawValue>, Failure> {
        let refused = |error| Error::new(ErrorKind::BadParameter, format!("this is no question: {error}"));
        let (answer, waits) = match serde_json::from_str::<Question>(event.get()) {
            Ok(question) => (self.answer(&question).await, question.wait_ms.is_none()),
            Err(error) => (Err(refused(error)), true),
        };
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let kind = match error.kind() {
            ErrorKind::UnknownQuery => "unknown_query",
            ErrorKind::BadParameter => "bad_parameter",
            ErrorKind::TooLarge => "too_large",
            _ if waits => return Err(error.into()),
            ErrorKind::UnknownRun => "unknown_run",
            ErrorKind::Timeout => "timeout",
            ErrorKind::OutOfMemory => "out_of_memory",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::Unavailable => "unavailable",
            _ => return Err(error.into()),
        };
        if kind == "unavailable" {
            tracing::warn!(%error, "Athena takes no query now");
        }
        Ok(raw(&json!({"error": {"kind": kind, "detail": error.context()}}))?)
    }
}

/// Athena's not knowing a run that was begun just now is a failure, and nothing that its asker could know of.
fn of_own_run(error: Error, question: &Question) -> Error {
    match error.kind() {
        ErrorKind::UnknownRun if question.run.is_none() => {
            Error::new(ErrorKind::Engine, "Athena does not know the query that it began").with_source(error)
        }
        _ => error,
    }
}

/// Rows in a form.
fn text_of(form: Form, query: &NamedQuery, rows: &Rows, took: Option<Duration>) -> Result<String> {
    let bytes = match (form, took) {
        (Form::Json, Some(took)) => format::timed_json(query.name, rows, took)?,
        (Form::Json, None) => format::json(query.name, rows)?,
        (Form::Csv, _) => format::csv(rows),
        (Form::Ndjson, _) => format::ndjson(rows)?,
    };
    String::from_utf8(bytes).map_err(unwritable)
}

fn settings(env: &Env) -> Result<Settings, Refusal> {
    let workgroup = env.required("DAYBOOK_WORKGROUP", "Athena's workgroup")?;
    let database = env.required("DAYBOOK_DATABASE", "the Glue database that holds the table")?;
    let minutes = env.number("DAYBOOK_REUSE_MINUTES", 0_u64)?;
    Ok(Settings {
        results: env.optional("DAYBOOK_RESULTS").map(str::to_owned),
        reuse: (minutes > 0).then(|| Duration::from_secs(minutes.saturating_mul(60))),
        ..Settings::new(workgroup, database)
    })
}

/// A parameter as [`NamedQuery::bind`] reads it; null is what an empty text is.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn listing() -> Value {
    let queries: Vec<Value> = named::all().iter().map(NamedQuery::describe).collect();
    json!({"count": queries.len(), "items": queries})
}

fn raw(value: &Value) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(unwritable)
}

fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Engine, "the answer cannot be written as JSON").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The function `ingest` has a test that writes the same texts.
    #[test]
    fn questions_are_what_ingest_asks() {
        let asked =
            r#"{"query":"traffic","tenant":"acme","format":"csv","now":"2026-11-20T09:30:26.000000Z","wait_ms":5000"#;
        let read = |rest: &str| serde_json::from_str::<Question>(&format!("{asked}{rest}")).unwrap();
        let new = read(r#","parameters":{"from":"now - 1h"},"token":"abababababababababababababababab"}"#);
        assert_eq!((new.tenant.as_deref(), new.format, new.wait_ms), (Some("acme"), Form::Csv, Some(5_000)));
        assert_eq!((text(&new.parameters["from"]), new.token.map(|it| it.len())), ("now - 1h".to_owned(), Some(32)));
        assert_eq!(new.now, Timestamp::parse("2026-11-20T09:30:26Z").ok());
        assert_eq!(read(r#","run":"q-1"}"#).run.as_deref(), Some("q-1"));
        assert!(serde_json::from_str::<Question>(r#"{"nosuch":1}"#).is_err());
    }
}
