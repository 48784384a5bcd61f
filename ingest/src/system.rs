//! The machine's clock and randomness, asked in this one place and handed to everything else as functions.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use event::Timestamp;

/// What a process knows of the world outside: tests hand in their own.
#[derive(Debug, Clone, Copy)]
pub struct System {
    /// The time of day, UTC.
    pub now: fn() -> Timestamp,
    /// Microseconds that only ever grow, for durations.
    pub monotonic: fn() -> u64,
    /// Sixteen unpredictable bytes.
    pub random: fn() -> [u8; 16],
}

impl System {
    /// The real clock and the operating system's randomness.
    pub const fn real() -> Self {
        Self { now, monotonic, random }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
fn monotonic() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::expect_used, reason = "an operating system that gives no randomness cannot be served safely")]
#[expect(clippy::disallowed_methods, reason = "the one place that asks for randomness")]
fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
