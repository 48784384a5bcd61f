//! Logs as JSON lines, with the keys that AWS's Powertools use.
//!
//! One event is one line, whatever bytes it holds. A function handles one invocation at a time, so what belongs to the
//! invocation stands on every line between its begin and its end, wherever it was logged.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::env::{Env, Refusal};
use crate::line::json_line;

/// What is logged unless the environment says otherwise.
const DEFAULT_FILTER: &str = "info";
/// What no setting changes. The runtime logs what a handler returned; [`lambda`](crate::lambda) has done so by then. And
/// no level brings out what was received or sent: events, headers, credentials.
const NEVER: [&str; 3] =
    ["lambda_runtime::layers::panic=off", "lambda_runtime::layers::api_response=warn", "aws_smithy_runtime=debug"];
/// Keys of ours: an event's field of the same name gets an underscore.
const RESERVED: [&str; 5] = ["level", "timestamp", "message", "service", "location"];

/// Replaces secrets in a text.
type Mask = Box<dyn Fn(&str) -> String + Send + Sync>;

/// The log of this process, and what its lines say beside their events.
#[derive(Clone, Default)]
pub struct Log(Arc<Shared>);

#[derive(Default)]
struct Shared {
    service: String,
    function: Option<String>,
    mask: OnceLock<Mask>,
    invocation: Mutex<Map<String, Value>>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("service", &self.0.service).finish_non_exhaustive()
    }
}

impl Log {
    /// Starts logging for this process, panics included.
    ///
    /// The filter comes from `DAYBOOK_LOG` (directives such as `info,ingest=debug`), else from
    /// `AWS_LAMBDA_LOG_LEVEL`.
    ///
    /// # Errors
    /// The filter is none, or the process logs already.
    pub fn start(service: &str, env: &Env) -> Result<Self, Refusal> {
        let filter = filter(env)?;
        let log = Self::new(service, env);
        tracing_subscriber::registry()
            .with(Lines { log: log.clone(), write: stdout }.with_filter(filter))
            .try_init()
            .map_err(|error| Refusal::new(format!("cannot start logging: {error}")))?;
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            tracing::error!(place, reason = panic.payload_as_str(), "panicked");
        }));
        Ok(log)
    }

    fn new(service: &str, env: &Env) -> Self {
        let function = env.optional("AWS_LAMBDA_FUNCTION_NAME").map(str::to_owned);
        Self(Arc::new(Shared { service: service.to_owned(), function, ..Shared::default() }))
    }

    /// From now on, every text of every line goes through `mask`. The first one stays.
    pub fn mask_with(&self, mask: impl Fn(&str) -> String + Send + Sync + 'static) {
        // A second mask has no effect, as said above.
        let _ = self.0.mask.set(Box::new(mask));
    }

    /// Sets what every line of the invocation under way says.
    pub(crate) fn begin(&self, keys: Map<String, Value>) {
        *self.0.invocation.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Sets `correlation_id`: the id by which others know this invocation's work.
    pub fn correlate(&self, id: &str) {
        let mut invocation = self.0.invocation.lock().unwrap_or_else(PoisonError::into_inner);
        invocation.insert("correlation_id".to_owned(), id.into());
    }

    /// Ends the invocation.
    pub(crate) fn end(&self) {
        self.begin(Map::new());
    }

    fn line(&self, event: &Event<'_>, at: SystemTime) -> String {
        let mut line = Map::new();
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("timestamp".to_owned(), timestamp(at).into());
        line.insert("service".to_owned(), self.0.service.as_str().into());
        line.insert("location".to_owned(), event.metadata().target().into());
        if let Some(function) = &self.0.function {
            line.insert("function_name".to_owned(), function.as_str().into());
        }
        line.extend(self.0.invocation.lock().unwrap_or_else(PoisonError::into_inner).clone());
        event.record(&mut Fields { line: &mut line, mask: self.0.mask.get() });
        json_line(Value::Object(line).to_string())
    }
}

fn filter(env: &Env) -> Result<EnvFilter, Refusal> {
    let (name, text) = match (env.optional("DAYBOOK_LOG"), env.optional("AWS_LAMBDA_LOG_LEVEL")) {
        (Some(text), _) => ("DAYBOOK_LOG", text.to_owned()),
        (None, Some("FATAL")) => ("AWS_LAMBDA_LOG_LEVEL", "error".to_owned()),
        (None, Some(level)) => ("AWS_LAMBDA_LOG_LEVEL", level.to_lowercase()),
        (None, None) => ("", DEFAULT_FILTER.to_owned()),
    };
    EnvFilter::try_new(format!("{text},{}", NEVER.join(",")))
        .map_err(|error| Refusal::new(format!("{name}: {text:?} is no filter ({error}); try info or debug")))
}

fn timestamp(at: SystemTime) -> String {
    let millis = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let time = DateTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    time.fmt(Format::DateTime).unwrap_or_default()
}

/// Writes each event as one line, at once.
struct Lines {
    log: Log,
    write: fn(&str),
}

impl<S: Subscriber> Layer<S> for Lines {
    #[expect(clippy::disallowed_methods, reason = "a log line says when it was written")]
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        (self.write)(&self.log.line(event, SystemTime::now()));
    }
}

/// Writes a line to standard output, which Lambda hands to CloudWatch.
pub(crate) fn stdout(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed output leaves nobody to tell.
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}

/// An event's fields, on their way into its line.
struct Fields<'a> {
    line: &'a mut Map<String, Value>,
    mask: Option<&'a Mask>,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let name = if name != "message" && RESERVED.contains(&name) { format!("{name}_") } else { name.to_owned() };
        self.line.insert(name, value);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let text = self.mask.map_or_else(|| value.to_owned(), |mask| mask(value));
        self.put(field, text.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    thread_local! {
        static WRITTEN: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
    }

    /// What a piece of code logs, line by line.
    fn logged(log: &Log, work: impl FnOnce()) -> Vec<Value> {
        let write = |line: &str| WRITTEN.with_borrow_mut(|written| written.push(line.to_owned()));
        let subscriber = tracing_subscriber::registry().with(Lines { log: log.clone(), write });
        tracing::subscriber::with_default(subscriber, work);
        let written = WRITTEN.take();
        written
            .iter()
            .map(|line| {
                assert!(line.chars().all(|c| !c.is_control() && !"\u{2028}\u{2029}".contains(c)), "{line:?}");
                serde_json::from_str(line).unwrap()
            })
            .collect()
    }

    fn log() -> Log {
        Log::new("ingest", &Env::of([("AWS_LAMBDA_FUNCTION_NAME", "daybook-ingest")]))
    }

    #[test]
    fn lines_have_powertools_keys() {
        let log = log();
        let keys = serde_json::json!({"function_request_id": "r-1", "cold_start": true, "xray_trace_id": "Root=1-a"});
        log.begin(keys.as_object().unwrap().clone());
        log.correlate("gateway-1");
        let line = logged(&log, || tracing::warn!(count = 3, error = %"broken", "the store failed")).pop().unwrap();
        for (key, expect) in [
            ("level", "WARN"),
            ("message", "the store failed"),
            ("service", "ingest"),
            ("function_name", "daybook-ingest"),
            ("function_request_id", "r-1"),
            ("correlation_id", "gateway-1"),
            ("xray_trace_id", "Root=1-a"),
            ("error", "broken"),
        ] {
            assert_eq!(line[key], expect, "{key}");
        }
        assert_eq!((&line["cold_start"], &line["count"]), (&true.into(), &3.into()));
        log.end();
        let line = logged(&log, || tracing::info!("idle")).pop().unwrap();
        assert_eq!((&line["function_request_id"], &line["correlation_id"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn one_event_is_one_line_and_no_field_takes_the_place_of_a_key() {
        let hostile = "a\r\nb\u{0}\u{1b}[2J\u{2028}{\"level\":\"INFO\"}";
        let lines = logged(&log(), || tracing::error!(level = "forged", path = hostile, "{hostile}"));
        let [line] = &lines[..] else { panic!("{} lines", lines.len()) };
        assert_eq!((&line["message"], &line["path"]), (&hostile.into(), &hostile.into()));
        assert_eq!((&line["level"], &line["level_"]), (&"ERROR".into(), &"forged".into()));
    }

    #[test]
    fn secrets_are_masked_everywhere() {
        let log = log();
        log.mask_with(|text| text.replace("hunter2", "[redacted]"));
        let pair = ("hunter2", 1);
        let lines = logged(&log, || tracing::info!(plain = "hunter2", ?pair, shown = %"x hunter2", "got hunter2"));
        assert!(!lines[0].to_string().contains("hunter2"), "{}", lines[0]);
        assert_eq!(lines[0]["shown"], "x [redacted]");
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_631_026_123);
        assert_eq!(timestamp(at), "2025-11-20T09:30:26.123Z");
    }

    #[test]
    fn the_level_comes_from_either_variable() {
        let check = |name: &str, value: &str| filter(&Env::of([(name, value)])).map(|filter| filter.to_string());
        assert!(check("DAYBOOK_LOG", "warn,ingest=debug").unwrap().contains("ingest=debug"));
        assert!(check("AWS_LAMBDA_LOG_LEVEL", "FATAL").unwrap().contains("error"));
        assert!(check("AWS_LAMBDA_LOG_LEVEL", "DEBUG").unwrap().contains("debug"));
        let refusal = check("DAYBOOK_LOG", "ingest=loud").unwrap_err().to_string();
        assert!(refusal.starts_with("DAYBOOK_LOG: \"ingest=loud\" is no filter"), "{refusal}");
    }
}
