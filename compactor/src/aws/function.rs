//! The function `compactor`: a schedule's event or an operator's wish in, what the run did out.

use std::sync::Arc;

use cloud::sdk::SdkConfig;
use cloud::{Deadline, Failure, Function, Ground, Invocation, Metrics, Refusal, Unit};
use event::Timestamp;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::gateway::gateway;
use super::pace::Pace;
use super::settings::Settings;
use crate::compact::{Compaction, Summary};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::lake::Lake;
use crate::raw::RawLog;

/// What the function knows of the world outside.
#[derive(Debug, Clone, Copy)]
pub struct System {
    /// The time of day, UTC.
    pub now: fn() -> Timestamp,
    /// Sixteen unpredictable bytes.
    pub random: fn() -> [u8; 16],
}

/// Compacts a bucket's raw log into the table of a Glue database.
///
/// Any number may run at once, and each may be stopped anywhere: see [`Compaction::run`]. Before its time is over a run
/// begins no further commit; one that takes longer than all before it is dropped without a commit, and so is done again.
#[derive(Debug)]
pub struct CompactorFunction {
    settings: Settings,
    gateway: Option<Gateway>,
    system: System,
    deadline: Deadline,
    metrics: Metrics,
    sdk: SdkConfig,
    raw: Arc<dyn RawLog>,
    /// Opened by the first invocation, since that takes requests.
    lake: OnceCell<Lake>,
}

impl CompactorFunction {
    /// Reads the settings: `DAYBOOK_BUCKET` and `DAYBOOK_DATABASE` must be there; `DAYBOOK_MEMORY`,
    /// `DAYBOOK_COMPACT_MIN`, `DAYBOOK_COMPACT_WAIT` and `DAYBOOK_GATEWAY_SETTLE` may. With `DAYBOOK_INSTALLATION_KEY`
    /// and `DAYBOOK_MASK`, which must be those of ingest, the gateway's own log is folded in.
    ///
    /// # Errors
    /// One is missing or makes no sense.
    pub async fn build(ground: &Ground, system: System) -> std::result::Result<Self, Refusal> {
        let settings = Settings::of(&ground.env)?;
        let gateway = gateway(&ground.env, &ground.environment)?;
        let sdk = cloud::sdk::config().await;
        let raw = Arc::new(super::raw_log(&sdk, &settings.bucket));
        let (deadline, metrics) = (ground.deadline.clone(), ground.metrics.clone());
        Ok(Self { settings, gateway, system, deadline, metrics, sdk, raw, lake: OnceCell::new() })
    }

    async fn lake(&self) -> Result<&Lake> {
        let Settings { bucket, database, .. } = &self.settings;
        self.lake.get_or_try_init(|| super::lake(&self.sdk, bucket, database)).await
    }

    async fn compact(&self, forced: bool) -> Result<Summary> {
        let mut options = self.settings.options.clone();
        options.forced = forced;
        let pace = Pace::default();
        let mut run = Compaction::new(self.lake().await?, self.raw.clone(), options);
        if let Some(gateway) = &self.gateway {
            run = run.with_gateway(gateway.clone());
        }
        let run = run.until(|| pace.is_over(self.deadline.remaining()));
        run.run((self.system.now)(), &self.system.random).await
    }

    fn measure(&self, summary: &Summary) {
        let counts = summary.counts;
        for (name, count) in [
            ("Commits", summary.commits),
            ("CommitsOvertaken", summary.overtaken),
            ("ObjectsCompacted", counts.objects),
            ("RowsWritten", counts.rows),
            ("DuplicatesDropped", counts.duplicates),
            ("LinesQuarantined", counts.quarantined + counts.gateway.quarantined),
            ("GatewayRowsWritten", counts.gateway.rows),
        ] {
            self.metrics.count(name, count);
        }
        #[expect(clippy::cast_precision_loss, reason = "metrics are doubles")]
        self.metrics.record("CompactionLag", Unit::Seconds, summary.left.lag((self.system.now)()).as_secs() as f64);
    }
}

impl Function for CompactorFunction {
    type Answer = Box<RawValue>;

    async fn handle(&self, event: Box<RawValue>, _: &Invocation) -> std::result::Result<Box<RawValue>, Failure> {
        let forced = is_forced(event.get())?;
        let summary = match self.deadline.bound(self.compact(forced)).await {
            Ok(summary) => summary?,
            Err(elapsed) => {
                let context =
                    "one commit takes longer than is left: give the function more time, or less DAYBOOK_COMMIT_BYTES";
                return Err(Error::caused(ErrorKind::Stopped, context, elapsed).into());
            }
        };
        self.measure(&summary);
        if summary.commits > 0 {
            let Summary { commits, bytes_in, bytes_out, left, .. } = summary;
            tracing::info!(commits, rows = summary.counts.rows, bytes_in, bytes_out, left = left.objects, "compacted");
        }
        Ok(to_raw_value(&answer(&summary))?)
    }
}

/// Whether the event asks for a commit however little is pending. A schedule's event, whatever is in it, does not.
///
/// # Errors
/// It asks for something else.
fn is_forced(event: &str) -> Result<bool, String> {
    let refused = |message: &str| format!("the event is not understood: {message}");
    let event: Value = serde_json::from_str(event).map_err(|error| refused(&error.to_string()))?;
    match event.get("action") {
        None => Ok(false),
        Some(Value::String(action)) if action == "compact" => match event.get("force") {
            None => Ok(false),
            Some(Value::Bool(force)) => Ok(*force),
            Some(_) => Err(refused("force is neither true nor false")),
        },
        Some(_) => Err(refused("the only action is compact")),
    }
}

fn answer(summary: &Summary) -> Value {
    let Summary { counts, files, bytes_in, bytes_out, commits, overtaken, left } = summary;
    json!({
        "commits": commits,
        "overtaken": overtaken,
        "objects": counts.objects,
        "lines": counts.lines,
        "rows": counts.rows,
        "duplicates": counts.duplicates,
        "quarantined": counts.quarantined,
        "gateway": {
            "objects": counts.gateway.objects,
            "lines": counts.gateway.lines,
            "rows": counts.gateway.rows,
            "answered": counts.gateway.answered,
            "duplicates": counts.gateway.duplicates,
            "quarantined": counts.gateway.quarantined,
            "deferred": counts.gateway.deferred,
            "settled": counts.gateway.settled,
        },
        "files": files,
        "bytes_in": bytes_in,
        "bytes_out": bytes_out,
        "left": {
            "objects": left.objects,
            "bytes": left.bytes,
            "oldest": left.oldest.map(|oldest| oldest.to_string()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedules_event_forces_nothing_and_a_wish_is_exact() {
        let check = |event: &str, expect: Option<bool>| assert_eq!(is_forced(event).ok(), expect, "{event}");
        check("{}", Some(false));
        check("null", Some(false));
        check("[1]", Some(false));
        check(r#"{"version":"0","detail-type":"Scheduled Event","detail":{},"force":true}"#, Some(false));
        check(r#"{"action":"compact"}"#, Some(false));
        check(r#"{"action":"compact","force":true}"#, Some(true));
        check(r#"{"action":"compact","force":"yes"}"#, None);
        check(r#"{"action":"expire"}"#, None);
        check(r#"{"action":1}"#, None);
    }
}
