//! Both ports on AWS: the suite of every store, on DynamoDB Local and moto, and what only this one can do wrong.
//!
//! Run by `rig/emulators/with cargo test --package rig --test store`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod backend;
#[path = "../../../ingest/tests/suite/conformance.rs"]
mod conformance;
#[path = "../../../ingest/tests/suite/conformance_lists.rs"]
mod conformance_lists;
#[path = "../../../ingest/tests/suite/rig.rs"]
mod rig;
