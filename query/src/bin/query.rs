//! The Lambda function `query`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use event::Timestamp;
use query::aws::QueryFunction;

fn main() -> ExitCode {
    cloud::lambda::run("query", async |ground| QueryFunction::build(ground, now).await)
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
