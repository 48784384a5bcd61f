//! The contract between Daybook's stages: what an event is, how it is written, what it means.
//!
//! Pure: no async, no I/O, no clock, no randomness. Times, ids' random bytes and keys are arguments.

pub mod bounds;
pub mod codec;
pub mod column;
pub mod domain;
pub mod envelope;
pub mod gateway;
pub mod id;
pub mod key;
pub mod redact;
pub mod schema;
pub mod sealed;
pub mod secret;
pub mod time;

pub use codec::{CodecError, SCHEMA_VERSION, hex, sha256_hex};
pub use column::{Column, ColumnType, Origin};
pub use envelope::{COLUMNS, Event, LINE_COLUMNS, Value};
pub use id::{EventId, EventIds};
pub use sealed::Sealed;
pub use time::Timestamp;
