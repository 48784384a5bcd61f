//! The functions' real binaries, behind a Runtime API, on the emulators. Run by `rig/emulators/with`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../query/athena.rs"]
mod athena;
mod config;
mod ingest;
mod notices;
mod questions;
mod relay;
mod uploads;
mod whole;
mod world;
