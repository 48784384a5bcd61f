//! Both ports on AWS: the suite of every store, on DynamoDB Local and moto, and what only this one can do wrong.
//!
//! Run by `rig/emulators/with cargo test --package rig --test store`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod api_keys;
#[path = "../../../ingest/tests/suite/assets.rs"]
mod assets;
#[path = "../../../ingest/tests/suite/auth.rs"]
mod auth;
mod backend;
mod bucket;
mod claims;
#[path = "../../../ingest/tests/suite/conditional.rs"]
mod conditional;
#[path = "../../../ingest/tests/suite/conformance.rs"]
mod conformance;
#[path = "../../../ingest/tests/suite/conformance_ends.rs"]
mod conformance_ends;
#[path = "../../../ingest/tests/suite/conformance_lists.rs"]
mod conformance_lists;
#[path = "../../../ingest/tests/suite/conformance_unique.rs"]
mod conformance_unique;
#[path = "../../../ingest/tests/suite/contract.rs"]
mod contract;
#[path = "../../../ingest/tests/suite/cors.rs"]
mod cors;
#[path = "../../../ingest/tests/suite/data.rs"]
mod data;
mod ended;
#[path = "../../../ingest/tests/suite/expiry.rs"]
mod expiry;
#[path = "../../../ingest/tests/suite/failing.rs"]
mod failing;
mod faults;
#[path = "../../../ingest/tests/suite/idempotency.rs"]
mod idempotency;
#[path = "../../../ingest/tests/suite/limits.rs"]
mod limits;
mod limits_of_dynamodb;
#[path = "../../../ingest/tests/suite/paging.rs"]
mod paging;
#[path = "../../../ingest/tests/suite/problems.rs"]
mod problems;
#[path = "../../../ingest/tests/suite/rig.rs"]
mod rig;
#[path = "../../../ingest/tests/suite/schema.rs"]
mod schema;
#[path = "../../../ingest/tests/suite/secrets.rs"]
mod secrets;
mod sizes;
#[path = "../../../ingest/tests/suite/tasks.rs"]
mod tasks;
#[path = "../../../ingest/tests/suite/users.rs"]
mod users;
