//! The compactor as its callers see it: raw objects in, rows out, whatever happens in between.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compaction;
mod concurrency;
mod crash;
mod cycles;
mod damage;
mod faulty_catalog;
mod gateway;
mod inspect;
mod lookup;
mod properties;
mod raw_log;
mod raw_log_suite;
mod reader;
mod retry;
mod support;
mod tail;
mod upkeep;
