//! Named queries on AWS: the function `query` asks Athena, and this one waits for it no longer than a client would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use cloud::Deadline;
use cloud::sdk::{CONNECT_TIMEOUT, SdkConfig};
use event::Timestamp;
use form_urlencoded::Serializer;
use futures::FutureExt;
use serde::{Deserialize, Serialize};

use super::errors::{self, Failed};
use crate::api::{Ask, Form, QueryFn};
use crate::error::ErrorKind;
use crate::http::cursor::Cursors;
use crate::http::{Answer, Problem};
use crate::system::System;

/// How long an answer is waited for before the client is told to come back.
const WAIT: Duration = Duration::from_secs(5);
/// What an invocation takes besides: a cold start, and reading the rows.
const ATTEMPT: Duration = Duration::from_secs(12);
/// When the client should come back, seconds.
const RETRY_AFTER: &str = "2";
/// What the function says first of what it cannot read: nothing that a client could mend.
const NO_QUESTION: &str = "this is no question";
/// The query's parameter that names a run; no query has one of its own by this name.
const RUN: &str = "run";

/// Answers named queries through the function that may read the table: this one may only call it.
#[derive(Debug)]
pub struct Questions {
    client: Client,
    function: String,
    /// Makes the tokens of runs. One is good for its tenant and its query.
    runs: Cursors,
    deadline: Deadline,
    system: System,
}

/// The function's question.
#[derive(Serialize)]
struct Question<'a> {
    query: &'a str,
    tenant: &'a str,
    format: &'a str,
    now: Timestamp,
    wait_ms: u64,
    #[serde(flatten)]
    of: Of<'a>,
}

/// What is waited for.
#[derive(Serialize)]
#[serde(untagged)]
enum Of<'a> {
    /// A new run; the same token starts no second one.
    New { parameters: BTreeMap<&'a str, &'a str>, token: String },
    /// One that goes on.
    Run { run: String },
}

/// The function's answer.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Done { body: String, bytes_read: u64, elapsed_ms: f64 },
    Running { run: String },
    Error { kind: String, detail: String },
}

impl Questions {
    /// Questions to the function of this name. `runs` makes the tokens of runs that a client is sent away with.
    pub fn new(sdk: &SdkConfig, function: String, runs: Cursors, deadline: Deadline, system: System) -> Self {
        let time = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT).build();
        let client = Client::from_conf(aws_sdk_lambda::config::Builder::from(sdk).timeout_config(time).build());
        Self { client, function, runs, deadline, system }
    }

    /// The questions as the API asks them.
    pub fn into_query_fn(self) -> QueryFn {
        let questions = Arc::new(self);
        Arc::new(move |ask| {
            let questions = Arc::clone(&questions);
            async move { questions.answer(&ask).await }.boxed()
        })
    }

    async fn answer(&self, ask: &Ask) -> Result<Answer, Problem> {
        let Some(name) = &ask.name else {
            return Ok(Answer::of(200, "application/json", self.invoke(b"{}".to_vec()).await?));
        };
        let form = ask.form()?;
        let question = Question {
            query: name,
            tenant: &ask.tenant,
            format: form.word(),
            now: ask.now,
            wait_ms: self.wait_ms(),
            of: self.of(ask, name)?,
        };
        let told = self.invoke(written(&question)?).await?;
        match read(&told)? {
            Told::Done { body, bytes_read, elapsed_ms } => Ok(Answer::of(200, form.media(), body)
                .with("daybook-bytes-read", bytes_read.to_string())
                .with("daybook-elapsed-ms", format!("{elapsed_ms:.1}"))),
            Told::Running { run } => Ok(self.running(ask, name, &run)),
            Told::Error { kind, detail } => Err(problem(&kind, detail)),
        }
    }

    /// How long an answer is waited for: then there is still time to say that it is not there.
    fn wait_ms(&self) -> u64 {
        let wait = self.deadline.remaining().map_or(WAIT, |left| WAIT.min(left / 2));
        u64::try_from(wait.as_millis()).unwrap_or_default()
    }

    /// What the client waits for: what it asks, or a run that an answer before named.
    fn of<'a>(&self, ask: &'a Ask, name: &str) -> Result<Of<'a>, Problem> {
        let own = || ask.parameters.iter().filter(|(name, _)| name != Form::PARAMETER);
        if let Some((_, token)) = own().find(|(name, _)| name == RUN) {
            let unknown = |_| no_such_run();
            let run = self.runs.last(&list(&ask.tenant, name), token).map_err(unknown)?;
            return match own().count() {
                1 => Ok(Of::Run { run }),
                _ => Err(Problem::parameter(
                    RUN,
                    "invalid_value",
                    "run goes with format only: the run has its parameters.",
                )),
            };
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in own() {
            if parameters.insert(name.as_str(), value.as_str()).is_some() {
                let detail = format!("parameter {name}: it is given twice");
                return Err(Problem::parameter(name, "invalid_value", detail));
            }
        }
        Ok(Of::New { parameters, token: event::hex(&(self.system.random)()) })
    }

    /// 202, and where the run is asked for.
    fn running(&self, ask: &Ask, name: &str, run: &str) -> Answer {
        let mut query = Serializer::new(String::new());
        query.append_pair(RUN, &self.runs.token(&list(&ask.tenant, name), run));
        if let Some((format, word)) = ask.parameters.iter().find(|(name, _)| name == Form::PARAMETER) {
            query.append_pair(format, word);
        }
        let body = serde_json::json!({"query": name, "status": "running"});
        let location = format!("{}?{}", ask.path, query.finish());
        Answer::json(202, &body).with("location", location).with("retry-after", RETRY_AFTER)
    }

    /// Asks the function; gives what it told.
    async fn invoke(&self, question: Vec<u8>) -> Result<Vec<u8>, Problem> {
        let call = self.client.invoke().function_name(&self.function).payload(Blob::new(question)).send();
        let what = format!("asking the function {}", self.function);
        let answered = self.deadline.bound(call).await.map_err(|elapsed| {
            tracing::error!(error = %errors::elapsed(&what, elapsed), "a query was given up");
            Problem::unavailable("The query could not be asked in time.")
        })?;
        let told = answered.map_err(|error| unasked(&what, &error))?;
        let payload = told.payload.map(Blob::into_inner).unwrap_or_default();
        match told.function_error {
            None => Ok(payload),
            Some(_) => {
                tracing::error!(error = %String::from_utf8_lossy(&payload), "the function query failed");
                Err(Problem::internal("The query failed."))
            }
        }
    }
}

fn unasked(what: &str, error: &Failed<InvokeError>) -> Problem {
    let error = errors::failed(what, error);
    tracing::error!(%error, "a query could not be asked");
    match error.kind() {
        ErrorKind::Unavailable => Problem::unavailable("Queries cannot be asked now."),
        _ => Problem::internal("The query could not be asked."),
    }
}

/// What a run's token is good for.
fn list(tenant: &str, query: &str) -> String {
    format!("{tenant}\0/queries/{query}\0")
}

fn written(question: &Question<'_>) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(question).map_err(|error| unreadable(&error))
}

fn read(told: &[u8]) -> Result<Told, Problem> {
    serde_json::from_slice(told).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> Problem {
    tracing::error!(%error, "question or answer of the function query cannot be read: is it of another version?");
    Problem::internal("The query failed.")
}

fn no_such_run() -> Problem {
    Problem::not_found("There is no such run of this query, or its answer is gone; ask again.")
}

fn problem(kind: &str, detail: String) -> Problem {
    match kind {
        "unknown_query" => Problem::not_found("There is no such query; GET /queries lists them."),
        "unknown_run" => no_such_run(),
        "bad_parameter" if detail.starts_with(NO_QUESTION) => {
            tracing::error!(detail, "the function query cannot read the question: is it of another version?");
            Problem::internal("The query failed.")
        }
        "bad_parameter" => Problem::of_query_parameter(detail),
        "too_large" => Problem::answer_too_large(detail),
        "timeout" => Problem::query_timeout(detail),
        "cancelled" => Problem::query_timeout("The query was stopped before it ended."),
        "out_of_memory" => Problem::unavailable(detail),
        _ => Problem::unavailable("Queries cannot be asked now."),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use super::*;

    fn questions() -> Questions {
        let sdk = SdkConfig::builder().behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest()).build();
        let system = System { random: || [0xab; 16], ..System::real() };
        Questions::new(&sdk, "f".to_owned(), Cursors::new([1; 32]), Deadline::default(), system)
    }

    fn ask(tenant: &str, parameters: &[(&str, &str)]) -> Ask {
        Ask {
            name: Some("traffic".to_owned()),
            parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            accept: None,
            tenant: tenant.to_owned(),
            now: Timestamp::parse("2026-11-20T09:30:26Z").unwrap(),
            path: "/v1/queries/traffic".to_owned(),
        }
    }

    /// The function `query` has a test that reads the same texts.
    #[test]
    fn questions_are_what_the_function_reads() {
        let questions = questions();
        let check = |ask: &Ask, expect: &str| {
            let question = Question {
                query: "traffic",
                tenant: &ask.tenant,
                format: "csv",
                now: ask.now,
                wait_ms: questions.wait_ms(),
                of: questions.of(ask, "traffic").unwrap(),
            };
            assert_eq!(String::from_utf8(written(&question).unwrap()).unwrap(), expect);
        };
        let given = ask("acme", &[("from", "now - 1h"), ("format", "csv")]);
        let asked =
            r#"{"query":"traffic","tenant":"acme","format":"csv","now":"2026-11-20T09:30:26.000000Z","wait_ms":5000"#;
        let new = r#","parameters":{"from":"now - 1h"},"token":"abababababababababababababababab"}"#;
        check(&given, &format!("{asked}{new}"));
        let running = questions.running(&given, "traffic", "q-1");
        let location = running.header("location").unwrap();
        let token = location.strip_prefix("/v1/queries/traffic?run=").unwrap().strip_suffix("&format=csv").unwrap();
        check(&ask("acme", &[("run", token)]), &format!(r#"{asked},"run":"q-1"}}"#));
    }

    #[test]
    fn a_run_is_its_tenants_and_its_querys() {
        let questions = questions();
        let token = questions.runs.token(&list("acme", "traffic"), "q-1");
        let status = |tenant: &str, query: &str, parameters: &[(&str, &str)]| {
            questions.of(&ask(tenant, parameters), query).map_or_else(|problem| problem.status, |_| 200)
        };
        assert_eq!(status("acme", "traffic", &[("run", &token)]), 200);
        assert_eq!(status("acme", "errors", &[("run", &token)]), 404);
        assert_eq!(status("other", "traffic", &[("run", &token)]), 404);
        assert_eq!(status("acme", "traffic", &[("run", "q-1")]), 404);
        assert_eq!(status("acme", "traffic", &[("run", &token), ("from", "now")]), 400);
        assert_eq!(status("acme", "traffic", &[("from", "now"), ("from", "now")]), 400);
    }

    #[test]
    fn answers_are_what_the_function_tells() {
        let status = |told: &str| match read(told.as_bytes()) {
            Ok(Told::Done { .. }) => 200,
            Ok(Told::Running { .. }) => 202,
            Ok(Told::Error { kind, detail }) => problem(&kind, detail).status,
            Err(problem) => problem.status,
        };
        assert_eq!(status(r#"{"done":{"body":"a\r\n","bytes_read":7,"elapsed_ms":1.5}}"#), 200);
        assert_eq!(status(r#"{"running":{"run":"q-1"}}"#), 202);
        let of_version = r#"{"error":{"kind":"bad_parameter","detail":"this is no question: unknown field"}}"#;
        assert_eq!(status(of_version), 500, "nobody who asked has done wrong");
        assert_eq!(status(r#"{"error":{"kind":"bad_parameter","detail":"parameter from: it is required"}}"#), 400);
        for (kind, expect) in [
            ("unknown_query", 404),
            ("unknown_run", 404),
            ("bad_parameter", 400),
            ("too_large", 400),
            ("timeout", 504),
            ("cancelled", 504),
            ("out_of_memory", 503),
            ("unavailable", 503),
        ] {
            assert_eq!(status(&format!(r#"{{"error":{{"kind":"{kind}","detail":"d"}}}}"#)), expect, "{kind}");
        }
        for other in ["", "null", r#"{"rows":[]}"#] {
            assert_eq!(status(other), 500, "{other}");
        }
    }
}
