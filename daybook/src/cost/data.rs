//! The data that a bill is made from, compiled in: list prices with their date, and what was measured.

use serde::Deserialize;

use crate::failure::{Failure, Result};

/// List prices, US dollars.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    pub region: String,
    pub as_of: String,
    pub source: String,
    pub api_gateway_rest_million: f64,
    pub api_gateway_http_million: f64,
    pub lambda_million_requests: f64,
    pub lambda_gb_second: f64,
    pub dynamodb_million_write_units: f64,
    pub dynamodb_million_read_units: f64,
    pub dynamodb_gb_month: f64,
    pub dynamodb_free_gb: f64,
    pub firehose_gb: f64,
    pub s3_thousand_puts: f64,
    pub s3_thousand_gets: f64,
    pub s3_gb_month: f64,
    pub glue_million_requests: f64,
    pub glue_free_million_requests: f64,
    pub logs_gb: f64,
    pub athena_terabyte: f64,
}

impl Prices {
    /// The prices of `prices.json`.
    ///
    /// # Errors
    /// The file is malformed.
    pub fn load() -> Result<Self> {
        serde_json::from_str(include_str!("prices.json")).map_err(Failure::while_("read the list prices"))
    }
}

/// What each thing takes. Write units, sizes and requests are held against what `rig/tests/store/sizes.rs` and
/// `rig/tests/faults/requests.rs` count; times are `bench/function/run`'s, memory a deployment's choice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// An event's line.
    pub line_bytes: f64,
    /// What is done with the store.
    pub operations: Operations,
    /// One request.
    pub ingest: Function,
    /// One batch of the stream.
    pub relay: Relay,
    /// The compactor, by the clock and by the line.
    pub compactor: Compactor,
    /// Delivery.
    pub firehose: Firehose,
    /// A line in the raw log, compressed.
    pub raw_bytes_per_line: f64,
    /// A row of the table.
    pub table_bytes_per_line: f64,
}

/// One of each operation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// A change of an entity that is there.
    pub change: Operation,
    /// A new entity.
    pub create: Operation,
    /// A submission.
    pub submission: Operation,
    /// A read.
    pub read: Operation,
    /// A request that is refused.
    pub refusal: Operation,
}

/// What an operation takes of the store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Write units, indexes among them.
    pub write_units: f64,
    /// Read units.
    pub read_units: f64,
    /// What it leaves in the store for a month.
    pub stored_bytes: f64,
    /// Whether its line goes to Firehose by itself, not by the relay.
    pub direct: bool,
}

/// One invocation of a function.
#[derive(Debug, Clone, Deserialize)]
pub struct Function {
    /// Configured memory.
    pub memory_mb: f64,
    /// Billed time.
    pub billed_ms: f64,
    /// What it logs, metrics included.
    pub log_bytes: f64,
}

/// The relay.
#[derive(Debug, Clone, Deserialize)]
pub struct Relay {
    /// One invocation.
    #[serde(flatten)]
    pub function: Function,
    /// Changes of one batch.
    pub lines_per_invocation: f64,
}

/// The compactor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compactor {
    /// Configured memory.
    pub memory_mb: f64,
    /// How often it is called.
    pub runs_a_day: f64,
    /// How often that is worth a commit.
    pub commits_a_day: f64,
    /// Billed time of a run that finds nothing to do.
    pub billed_ms_per_run: f64,
    /// Billed time of what it does.
    pub billed_ms_per_thousand_lines: f64,
    /// Objects that a commit writes.
    pub puts_per_commit: f64,
    /// Requests to read that a commit makes.
    pub gets_per_commit: f64,
    /// Requests to read that every run makes.
    pub gets_per_run: f64,
    /// Listings of every run; they cost what writing does.
    pub lists_per_run: f64,
    /// Requests to the catalog that every run makes.
    pub glue_requests_per_run: f64,
    /// What a run logs.
    pub log_bytes_per_run: f64,
}

/// Firehose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firehose {
    /// The age at which a buffer becomes an object.
    pub seconds_per_object: f64,
}

impl Measured {
    /// The sizes and counts of `measured.json`.
    ///
    /// # Errors
    /// The file is malformed.
    pub fn load() -> Result<Self> {
        serde_json::from_str(include_str!("measured.json")).map_err(Failure::while_("read what was measured"))
    }
}
