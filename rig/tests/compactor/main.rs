//! The compactor on S3 and Glue, or what stands in for them: run it with `rig/emulators/with`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compaction;
mod concurrency;
mod crash;
mod faults;
mod foreign;
mod function;
mod lake;
mod raw_log;
#[path = "../../../compactor/tests/suite/raw_log_suite.rs"]
mod raw_log_suite;
mod requests;
#[expect(dead_code, reason = "the half of it that is about a lake in a folder")]
#[path = "../../../compactor/tests/suite/support.rs"]
mod support;
mod world;
