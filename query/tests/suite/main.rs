//! Named queries, the local engine and the formats, seen from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod answers;
mod binding;
mod catalogue;
mod extremes;
mod fixture;
mod formats;
mod free;
mod functions;
mod golden;
mod oracle;
mod pruning;
mod snapshots;
mod table;
