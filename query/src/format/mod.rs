//! Answers as bytes: JSON, NDJSON and CSV.

mod csv;
mod json;

pub use csv::csv;
pub use json::{json, ndjson, timed_json};
