//! The engine on Athena.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod athena;
mod engine;
