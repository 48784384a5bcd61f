//! Asks the local engine: the table as it is now, and what is not in it yet.

use std::sync::Arc;
use std::time::Duration;

use compactor::{Lake, Limits as DecodeLimits, RawLog};
use event::Timestamp;
use futures::FutureExt;
use ingest::System;
use ingest::api::{Ask, Form, QueryFn};
use ingest::http::{Answer, Problem};
use query::local::{Limits, LocalEngine, Snapshot};
use query::{ErrorKind, NamedQuery, QueryEngine, Rows, Scope, format, named};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::failure::Result;

/// Headers of every answer: bytes of stored files that were read for it, and milliseconds that it took.
const BYTES_READ: &str = "daybook-bytes-read";
const ELAPSED_MS: &str = "daybook-elapsed-ms";

/// Answers named queries from one installation.
#[derive(Debug)]
pub struct Questions {
    lake: Lake,
    raw: Arc<dyn RawLog>,
    /// The last engine, by the table's metadata and what was pending: neither files nor raw objects are ever changed.
    engine: Mutex<Option<(EngineKey, LocalEngine)>>,
    /// Microseconds from some moment.
    monotonic: fn() -> u64,
}

type EngineKey = (Option<String>, u64, u64);

impl Questions {
    /// Questions to this table and what of the raw objects is not in it yet.
    pub fn new(lake: Lake, raw: Arc<dyn RawLog>) -> Self {
        Self { lake, raw, engine: Mutex::default(), monotonic: System::real().monotonic }
    }

    /// Runs a query with parameters by name.
    ///
    /// # Errors
    /// The query's, or the table or the raw log cannot be read.
    pub async fn run(&self, query: &NamedQuery, given: &[(String, String)], scope: &Scope) -> Result<Rows> {
        let params = query.bind(given.iter().map(|(name, value)| (name.as_str(), value.as_str())), scope)?;
        Ok(self.engine(scope.now).await?.run(query, &params).await?)
    }

    /// An engine over what is there now: events are seen as soon as the relay has written them.
    async fn engine(&self, now: Timestamp) -> Result<LocalEngine> {
        let table = self.lake.load().await?;
        let pending = compactor::pending(&table, &self.raw).await?;
        let key = (table.metadata_location().map(str::to_owned), pending.objects, pending.bytes);
        let mut cached = self.engine.lock().await;
        if let Some((known, engine)) = cached.as_ref()
            && *known == key
        {
            return Ok(engine.clone());
        }
        let tail = compactor::tail(&table, &self.raw, now, DecodeLimits::default()).await?;
        let snapshot = Snapshot { table, tail: tail.batches };
        let engine = match cached.as_ref() {
            Some((_, engine)) => engine.on(snapshot)?,
            None => LocalEngine::new(snapshot, Limits::default())?,
        };
        *cached = Some((key, engine.clone()));
        Ok(engine)
    }

    /// The questions as the API asks them, answered on the threads of `runtime`: an engine that computes for long gives
    /// way to nobody, and requests must not wait for it.
    pub fn into_query_fn(self, runtime: Handle) -> QueryFn {
        let questions = Arc::new(self);
        Arc::new(move |ask| {
            let questions = Arc::clone(&questions);
            let answer = runtime.spawn(async move { questions.answer(ask).await });
            async move {
                answer.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "a query was cut off");
                    Err(Problem::internal("The query failed."))
                })
            }
            .boxed()
        })
    }

    async fn answer(&self, ask: Ask) -> std::result::Result<Answer, Problem> {
        let Some(name) = &ask.name else { return Ok(Answer::json(200, &listing())) };
        let query =
            named::find(name).map_err(|_| Problem::not_found("There is no such query; GET /queries lists them."))?;
        let form = ask.form()?;
        let given: Vec<_> = ask.parameters.iter().filter(|(name, _)| name != Form::PARAMETER).cloned().collect();
        let scope = Scope::tenant(ask.now, &ask.tenant);
        let params = query
            .bind(given.iter().map(|(name, value)| (name.as_str(), value.as_str())), &scope)
            .map_err(|error| problem(&error))?;
        let begun = (self.monotonic)();
        let engine = self.engine(ask.now).await.map_err(|failure| {
            tracing::error!(%failure, "a query could not be started");
            Problem::unavailable("The table cannot be read now.")
        })?;
        let rows = engine.run(query, &params).await.map_err(|error| problem(&error))?;
        let elapsed = Duration::from_micros((self.monotonic)().saturating_sub(begun));
        let body = match form {
            Form::Csv => Ok(format::csv(&rows)),
            Form::Ndjson => format::ndjson(&rows),
            Form::Json => format::timed_json(query.name, &rows, elapsed),
        };
        let answer = Answer::of(200, form.media(), body.map_err(|error| problem(&error))?);
        let elapsed_ms = format!("{:.1}", elapsed.as_secs_f64() * 1_000.0);
        Ok(answer.with(BYTES_READ, rows.bytes_read.to_string()).with(ELAPSED_MS, elapsed_ms))
    }
}

/// Every query, for people and programs.
pub fn listing() -> serde_json::Value {
    let queries: Vec<serde_json::Value> = named::all().iter().map(NamedQuery::describe).collect();
    serde_json::json!({"count": queries.len(), "items": queries})
}

fn problem(error: &query::Error) -> Problem {
    match error.kind() {
        ErrorKind::UnknownQuery => Problem::not_found(error.context()),
        ErrorKind::BadParameter => Problem::of_query_parameter(error.context()),
        ErrorKind::Timeout => Problem::query_timeout(error.context()),
        ErrorKind::OutOfMemory => Problem::unavailable(error.context()),
        _ => {
            tracing::error!(%error, "a query failed");
            Problem::internal("The query failed.")
        }
    }
}
