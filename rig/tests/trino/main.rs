//! The named queries on a real Trino, alone and behind the stand-in for Athena: run it with `rig/emulators/with-trino`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod api;
mod bounds;
mod equal;
mod functions;
mod loading;
mod parameters;
mod queries;
mod views;
mod world;
