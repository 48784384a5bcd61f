//! What happens between Daybook and AWS when things go wrong. Run by `rig/emulators/with`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "a test has a clock, an environment and a voice")]

mod compactor;
mod firehose;
mod proxy;
mod raw_object;
mod requests;
mod seeded;
mod store;
mod world;
