//! Ingest as its callers see it: the two ports on both stores, every convention of the HTTP contract, the server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod auth;
mod backend;
mod conditional;
mod conformance;
mod conformance_lists;
mod conformance_unique;
mod cors;
mod credentials;
mod data;
mod edge;
mod failing;
mod gateway;
mod gateway_hostile;
mod hostile;
mod idempotency;
mod limits;
mod paging;
mod problems;
mod random;
mod rates;
mod relay;
mod retention;
mod rig;
mod secrets;
mod server;
mod simulation;
mod sqlite;
mod tasks;
mod tokens;
mod users;
