//! The API gateway's own access log: a format that is ours, and what a line of it makes in the log of requests.
//!
//! The gateway refuses requests that no code of ours ever sees (no key, throttled, too large), and answers in the name
//! of code that crashed or took too long. Its access log is the only witness of them.

mod format;
mod line;
mod witness;

pub use format::{Frontend, field_names};
pub use line::{LONGEST_ID, Line};
pub use witness::Source;
