//! What holds for every event: properties of codec, redaction, fold and ids, and the bytes that must load for ever.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod codec;
mod fold;
mod fold_assets;
mod fold_users;
mod gateway;
mod goldens;
mod ids;
mod redact;
mod schema;
mod support;
