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
use crate::named::{self, NamedQuery, Scope};
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

    async fn answer(&self, event: &str) -> Result<Box<RawValue>> {
        let refused = |error| Error::new(ErrorKind::BadParameter, format!("this is no question: {error}"));
        let question: Question = serde_json::from_str(event).map_err(refused)?;
        let Some(name) = &question.query else { return raw(&listing()) };
        let query = named::find(name)?;
        let rows = self.rows(query, &question).await?;
        let body = match question.format {
            Form::Json => String::from_utf8(format::json(query.name, &rows)?).map(RawValue::from_string),
            Form::Csv => String::from_utf8(format::csv(&rows)).map(|body| to_raw_value(&json!({"body": body}))),
            Form::Ndjson => String::from_utf8(format::ndjson(&rows)?).map(|body| to_raw_value(&json!({"body": body}))),
        };
        let body = body.map_err(unwritable)?.map_err(unwritable)?;
        if body.get().len() > LARGEST_ANSWER {
            let (bytes, rows) = (body.get().len(), rows.rows.len());
            let context = format!("the answer has {rows} rows and {bytes} bytes, Lambda gives back 6 MB: ask for less");
            return Err(Error::new(ErrorKind::BadParameter, context));
        }
        Ok(body)
    }

    async fn rows(&self, query: &NamedQuery, question: &Question) -> Result<Rows> {
        let given: Vec<(&str, String)> =
            question.parameters.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let scope = Scope { now: (self.now)(), tenant: question.tenant.clone() };
        let params = query.bind(given.iter().map(|(name, text)| (*name, text.as_str())), &scope)?;
        let left = self.ground.deadline.remaining().unwrap_or(self.settings.timeout);
        let timeout = self.settings.timeout.min(left.saturating_sub(TIME_TO_STOP));
        let engine = AthenaEngine::new(self.client.clone(), Settings { timeout, ..self.settings.clone() });
        let rows = engine.run(query, &params).await?;
        #[expect(clippy::cast_precision_loss, reason = "metrics are doubles")]
        self.ground.metrics.record("BytesScanned", Unit::Bytes, rows.bytes_read as f64);
        Ok(rows)
    }
}

impl Function for QueryFunction {
    type Answer = Box<RawValue>;

    /// A question that cannot be answered as it is gets `{"error": {"kind", "detail"}}`: asking it again would not help.
    async fn handle(&self, event: Box<RawValue>, _: &Invocation) -> Result<Box<RawValue>, Failure> {
        let error = match self.answer(event.get()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let kind = match error.kind() {
            ErrorKind::UnknownQuery => "unknown_query",
            ErrorKind::BadParameter => "bad_parameter",
            _ => return Err(error.into()),
        };
        Ok(raw(&json!({"error": {"kind": kind, "detail": error.context()}}))?)
    }
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
