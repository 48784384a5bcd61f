//! The loop that every function runs: settings once, then one invocation after the other.

use std::cell::Cell;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::deadline::Deadline;
use crate::env::{Env, Refusal};
use crate::log::{self, Log};
use crate::metrics::Metrics;

/// What an invocation's last moments are kept for: to answer and to log. A short invocation keeps a quarter.
const MARGIN: Duration = Duration::from_millis(500);

/// Variables that the runtime cannot do without; AWS sets them all.
const RUNTIME_VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// What a function is built on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Its settings.
    pub env: Env,
    /// `production`, `staging` …: `DAYBOOK_ENVIRONMENT`.
    pub environment: String,
    /// The end of the invocation under way; the loop sets it.
    pub deadline: Deadline,
    /// What is counted; the loop writes it.
    pub metrics: Metrics,
    /// Where secrets can be masked and ids be given.
    pub log: Log,
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of it.
    pub request_id: String,
    /// `X-Amzn-Trace-Id` as Lambda knows it.
    pub trace_id: Option<String>,
    /// Whether it is the process's first.
    pub cold_start: bool,
}

/// Why an invocation failed. For whoever reads the log; Lambda tries again, or counts an error.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a function does with an event.
pub trait Function {
    /// What the invocation's caller gets, as JSON.
    type Answer: Serialize;

    /// Handles one event: any JSON text, as it was received.
    ///
    /// A panic ends the invocation, not the process.
    ///
    /// # Errors
    /// The invocation failed as a whole; what that means is the trigger's business.
    fn handle(
        &self,
        event: Box<RawValue>,
        invocation: &Invocation,
    ) -> impl Future<Output = Result<Self::Answer, Failure>>;
}

/// Runs a function until its environment is taken away.
///
/// Settings are read here, once. Whatever is missing or wrong ends the process with one line on standard error and a
/// failing code; `build` makes clients, but no request. On one thread: an invocation is one request's work, and a
/// wake-up across threads costs more than the second thread brings.
pub fn run<F: Function + 'static>(service: &str, build: impl AsyncFnOnce(&Ground) -> Result<F, Refusal>) -> ExitCode {
    let started = start(service).and_then(|ground| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Refusal::new(format!("cannot start: {error}")))?;
        runtime.block_on(async {
            let function = build(&ground).await?;
            serve(ground, function).await
        })
    });
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            // Without standard error there is nobody to tell but whoever reads the code.
            let _ = writeln!(std::io::stderr().lock(), "{service}: {refusal}");
            ExitCode::FAILURE
        }
    }
}

fn start(service: &str) -> Result<Ground, Refusal> {
    let env = Env::process();
    for name in RUNTIME_VARIABLES {
        env.required(name, "what AWS Lambda sets it to: this program runs as a Lambda function")?;
    }
    env.number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 0_i32)?;
    let log = Log::start(service, &env)?;
    let environment = env.optional("DAYBOOK_ENVIRONMENT").unwrap_or("production").to_owned();
    let metrics = Metrics::new(service, &environment);
    Ok(Ground { env, environment, deadline: Deadline::default(), metrics, log })
}

async fn serve<F: Function + 'static>(ground: Ground, function: F) -> Result<(), Refusal> {
    let around = Rc::new(Around { ground, function, warm: Cell::new(false) });
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let around = Rc::clone(&around);
        async move { around.invoke(event.payload, &event.context).await }
    });
    let ended = Runtime::new(handler).run().await;
    ended.map_err(|error| Refusal::new(format!("the Lambda Runtime API cannot be used any longer: {error}")))
}

/// What is done around each invocation.
struct Around<F> {
    ground: Ground,
    function: F,
    warm: Cell<bool>,
}

impl<F: Function> Around<F> {
    async fn invoke(&self, event: Box<RawValue>, context: &Context) -> Result<F::Answer, Diagnostic> {
        let Ground { deadline, log, metrics, .. } = &self.ground;
        let now = now();
        let invocation = Invocation {
            request_id: context.request_id.clone(),
            trace_id: context.xray_trace_id.clone(),
            cold_start: !self.warm.replace(true),
        };
        deadline.set(Some(now.0 + time_for_work(Duration::from_millis(context.deadline), now.1)));
        log.begin(keys(&invocation));
        metrics.count("ColdStarts", u64::from(invocation.cold_start));
        // Boxed: SDK calls nest so deep that the compiler cannot lay them out in one piece with the loop.
        let work = || Box::pin(self.function.handle(event, &invocation));
        let handled = match std::panic::catch_unwind(AssertUnwindSafe(work)) {
            Ok(work) => AssertUnwindSafe(work).catch_unwind().await,
            Err(panic) => Err(panic),
        };
        let answer = handled.map_or_else(|_| Err(panicked()), |handled| handled.map_err(|error| failed(&*error)));
        metrics.count("Failures", u64::from(answer.is_err()));
        let request_id = ("function_request_id", Value::from(invocation.request_id.as_str()));
        let at = u64::try_from(now.1.as_millis()).unwrap_or(u64::MAX);
        if let Some(line) = metrics.take_line(at, &[request_id]) {
            log::stdout(&line);
        }
        log.end();
        deadline.set(None);
        answer
    }
}

/// What the loop reads the machine's clocks for: a point to count from, and the time of day that Lambda's deadline is in.
#[expect(clippy::disallowed_methods, reason = "Lambda's deadline is a time of day, waiting is not")]
fn now() -> (Instant, Duration) {
    (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// What is left until `deadline` but for the [`MARGIN`]; both are times since the epoch.
fn time_for_work(deadline: Duration, now: Duration) -> Duration {
    let left = deadline.saturating_sub(now);
    left - MARGIN.min(left / 4)
}

fn keys(invocation: &Invocation) -> Map<String, Value> {
    let mut keys = Map::new();
    keys.insert("function_request_id".to_owned(), invocation.request_id.as_str().into());
    keys.insert("cold_start".to_owned(), invocation.cold_start.into());
    if let Some(trace_id) = &invocation.trace_id {
        keys.insert("xray_trace_id".to_owned(), trace_id.as_str().into());
    }
    keys
}

fn failed(error: &(dyn std::error::Error + Send + Sync)) -> Diagnostic {
    tracing::error!(%error, "the invocation failed");
    Diagnostic { error_type: "InvocationFailed".to_owned(), error_message: error.to_string() }
}

/// What a panic says may hold what it was about; the log has it, masked.
fn panicked() -> Diagnostic {
    Diagnostic { error_type: "Panicked".to_owned(), error_message: "the function panicked; see its log".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_kept_from_long_invocations_and_a_quarter_of_short_ones() {
        let check = |left: u64, expect: u64| {
            let now = Duration::from_millis(1_763_631_026_123);
            let work = time_for_work(now + Duration::from_millis(left), now);
            assert_eq!(work, Duration::from_millis(expect), "{left} ms");
        };
        check(10_000, 9_500);
        check(2_000, 1_500);
        check(1_000, 750);
        check(0, 0);
        assert_eq!(time_for_work(Duration::ZERO, Duration::from_secs(1)), Duration::ZERO, "a clock that is ahead");
    }
}
