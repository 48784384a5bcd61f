//! Ingest as its callers see it: the two ports on both stores, every convention of the HTTP contract, the server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod assets;
mod auth;
mod backend;
mod bad_input;
mod bad_parameters;
mod caching;
mod conditional;
mod conformance;
mod conformance_ends;
mod conformance_lists;
mod conformance_unique;
mod contents;
mod contract;
mod cors;
mod credentials;
mod data;
mod docs;
mod edge;
mod ended_contents;
mod expiry;
mod failing;
mod gateway;
mod gateway_hostile;
mod hostile;
mod idempotency;
mod jwks;
mod limits;
mod notices;
mod paging;
mod problems;
mod random;
mod rates;
mod relay;
mod retention;
mod rig;
mod schema;
mod secrets;
mod server;
mod simulation;
mod sqlite;
mod tasks;
mod tokens;
mod uploads;
mod users;
