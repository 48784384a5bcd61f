//! The Lambda function `compactor`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use compactor::aws::{CompactorFunction, System};
use event::Timestamp;

fn main() -> ExitCode {
    cloud::lambda::run("compactor", async |ground| CompactorFunction::build(ground, System { now, random }).await)
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[expect(clippy::expect_used, reason = "an operating system that gives no randomness cannot be served safely")]
#[expect(clippy::disallowed_methods, reason = "the one place that asks for randomness")]
fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
