//! What holds for every event: properties of codec, redaction, fold and ids, and the bytes that must load for ever.

mod codec;
mod fold;
mod goldens;
mod ids;
mod redact;
mod schema;
mod support;
