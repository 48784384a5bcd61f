//! One query: how it is started, where it stands, how it is stopped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Refused, results};
use crate::trino::{Answer, Failure, Page, Trino};

/// The longest statement that Athena takes, bytes.
const LONGEST_STATEMENT: usize = 262_144;
/// The most parameters of a statement, and the most characters of each.
const PARAMETERS: (usize, usize) = (25, 1_024);
/// Characters of a token.
const TOKEN: std::ops::RangeInclusive<usize> = 32..=128;

/// A query that was started.
#[derive(Debug)]
pub(super) struct Execution {
    pub id: String,
    request: Value,
    progress: Mutex<Progress>,
    stop: Notify,
}

#[derive(Debug, Default)]
struct Progress {
    state: State,
    trino_id: Option<String>,
    answer: Answer,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Queued,
    Running,
    Succeeded,
    Failed(Failure),
    Cancelled,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed(_) => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl Execution {
    /// Starts what is asked for, as the query of this number; what is wrong with the SQL is said later, by its state.
    pub fn start(trino: Trino, number: usize, request: &Value) -> Result<Arc<Self>, Refused> {
        let statement = statement(request)?;
        let schema = request["QueryExecutionContext"]["Database"].as_str().unwrap_or("default").to_owned();
        let id = Uuid::from_u128(number as u128).to_string();
        let execution =
            Arc::new(Self { id, request: request.clone(), progress: Mutex::default(), stop: Notify::new() });
        let running = Arc::clone(&execution);
        tokio::spawn(async move { running.run(&trino, &schema, &statement).await });
        Ok(execution)
    }

    async fn run(&self, trino: &Trino, schema: &str, statement: &str) {
        let mut page = match trino.begin(schema, statement).await {
            Ok(page) => page,
            Err(error) => return self.end(State::Failed(internal(&error))),
        };
        loop {
            if let Some(ended) = self.note(&page) {
                return self.end(ended);
            }
            let next = tokio::select! {
                next = trino.next(&page) => next,
                () = self.stop.notified() => {
                    let stopped = trino.stop(&page).await;
                    return self.end(stopped.map_or_else(|error| State::Failed(internal(&error)), |()| State::Cancelled));
                }
            };
            page = match next {
                Ok(Some(next)) => next,
                Ok(None) => return self.end(State::Succeeded),
                Err(error) => return self.end(State::Failed(internal(&error))),
            };
        }
    }

    /// Keeps what a page says; gives the state if it is the query's end.
    fn note(&self, page: &Page) -> Option<State> {
        let mut progress = self.progress();
        progress.trino_id = Some(page.id.clone());
        if page.stats.state != "QUEUED" {
            progress.state = State::Running;
        }
        match (&page.error, progress.answer.take(page)) {
            (Some(failure), _) => Some(State::Failed(failure.clone())),
            (None, Err(error)) => Some(State::Failed(internal(&error))),
            (None, Ok(())) => None,
        }
    }

    fn end(&self, state: State) {
        self.progress().state = state;
    }

    /// Ends the query, unless it has ended.
    pub fn stop(&self) {
        self.stop.notify_one();
    }

    pub fn trino_id(&self) -> Option<String> {
        self.progress().trino_id.clone()
    }

    /// What `GetQueryExecution` gives.
    pub fn describe(&self) -> Value {
        let progress = self.progress();
        let mut status = json!({"State": progress.state.name()});
        match &progress.state {
            State::Failed(failure) => {
                let reason = format!("{}: {}", failure.error_name, failure.message);
                status["AthenaError"] = athena_error(failure, &reason);
                status["StateChangeReason"] = reason.into();
            }
            State::Cancelled => status["StateChangeReason"] = "Query cancelled by user".into(),
            _ => {}
        }
        json!({"QueryExecution": {
            "QueryExecutionId": self.id,
            "Query": self.request["QueryString"],
            "ExecutionParameters": self.request["ExecutionParameters"],
            "QueryExecutionContext": self.request["QueryExecutionContext"],
            "WorkGroup": self.request["WorkGroup"].as_str().unwrap_or("primary"),
            "StatementType": "DML",
            "Status": status,
            "Statistics": {"DataScannedInBytes": progress.answer.bytes},
            "EngineVersion": {"EffectiveEngineVersion": "Athena engine version 3"},
        }})
    }

    /// What `GetQueryResults` gives.
    pub fn results(&self, request: &Value) -> Result<Value, Refused> {
        let progress = self.progress();
        match &progress.state {
            State::Succeeded => results::page(&progress.answer, request),
            State::Queued | State::Running => {
                let state = progress.state.name();
                Err(Refused::invalid(format!("Query has not yet finished. Current state: {state}")))
            }
            ended => {
                let state = ended.name();
                Err(Refused::invalid(format!("Query did not finish successfully. Final query state: {state}")))
            }
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The statement with its parameters, as Trino takes both.
fn statement(request: &Value) -> Result<String, Refused> {
    let statement = request["QueryString"].as_str().unwrap_or_default();
    if statement.is_empty() || statement.len() > LONGEST_STATEMENT {
        return Err(Refused::invalid(format!("queryString must have 1 to {LONGEST_STATEMENT} bytes")));
    }
    if request["ClientRequestToken"].as_str().is_some_and(|token| !TOKEN.contains(&token.len())) {
        return Err(Refused::invalid("clientRequestToken must have 32 to 128 characters"));
    }
    let Some(parameters) = request["ExecutionParameters"].as_array() else { return Ok(statement.to_owned()) };
    let (most, longest) = PARAMETERS;
    let parameters: Vec<&str> = parameters.iter().filter_map(Value::as_str).collect();
    let fits = |parameter: &&str| (1..=longest).contains(&parameter.chars().count());
    if !(1..=most).contains(&parameters.len()) || !parameters.iter().all(fits) {
        return Err(Refused::invalid(format!("executionParameters are 1 to {most} of 1 to {longest} characters")));
    }
    Ok(format!("execute immediate '{}' using {}", statement.replace('\'', "''"), parameters.join(", ")))
}

/// Category 1 is the system's fault, 2 the user's.
fn athena_error(failure: &Failure, reason: &str) -> Value {
    let of_user = failure.error_type == "USER_ERROR";
    json!({"ErrorCategory": if of_user { 2 } else { 1 }, "Retryable": !of_user, "ErrorMessage": reason})
}

/// The failure of a server that gives no answer.
fn internal(error: &crate::http::Error) -> Failure {
    let (error_name, error_type) = ("GENERIC_INTERNAL_ERROR".to_owned(), "INTERNAL_ERROR".to_owned());
    Failure { message: error.to_string(), error_name, error_type }
}
