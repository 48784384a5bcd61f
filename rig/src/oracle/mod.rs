//! The oracle: a client that writes down what it sends and hears, and a judgement on what the log says of it.

mod audit;
mod chain;
mod client;
mod ledger;

pub use audit::{Sums, audit};
pub use client::Client;
pub use ledger::{Attempt, Heard, Ledger, Sent};

use std::collections::{BTreeMap, BTreeSet};

use compactor::Counts;
use event::Event;
use ingest::store::{EntityRef, Stored};

/// What is there when everything has been relayed and compacted, read past every fault.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The table's rows, as the events that they were made from.
    pub rows: Vec<Event>,
    /// The table's own account.
    pub counts: Counts,
    /// Raw lines, counted anew.
    pub raw_lines: u64,
    /// The ids of all events in raw objects.
    pub raw_ids: BTreeSet<String>,
    /// The stored state of every entity that a row names.
    pub stored: BTreeMap<EntityRef, Option<Stored>>,
    /// The SHA-256 of every body that a row says was set aside; none if it is not there.
    pub bodies: BTreeMap<String, Option<String>>,
}
