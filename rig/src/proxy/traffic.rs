//! What went through a proxy: counts that tests assert and that costs are computed from.

use std::collections::BTreeMap;
use std::fmt;

use crate::plan::{Fault, matches};

/// One request, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// As plans name it.
    pub operation: String,
    /// What happened to it on the way.
    pub fault: Option<Fault>,
    /// Status of the answer that the client was sent; none if it was sent none.
    pub status: Option<u16>,
    /// Size of the request's body.
    pub request_bytes: u64,
    /// Size of the answer's body.
    pub response_bytes: u64,
}

/// Requests in the order in which they arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic(pub Vec<Exchange>);

impl Traffic {
    /// How many requests of each operation.
    pub fn counts(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for exchange in &self.0 {
            *counts.entry(exchange.operation.as_str()).or_default() += 1;
        }
        counts
    }

    /// How many requests of the operations that match.
    pub fn count(&self, pattern: &str) -> usize {
        self.0.iter().filter(|exchange| matches(pattern, &exchange.operation)).count()
    }

    /// The operations in the order of the requests.
    pub fn operations(&self) -> Vec<&str> {
        self.0.iter().map(|exchange| exchange.operation.as_str()).collect()
    }

    /// How many requests met a fault.
    pub fn faults(&self) -> usize {
        self.0.iter().filter(|exchange| exchange.fault.is_some()).count()
    }

    /// Bytes of all request bodies.
    pub fn request_bytes(&self) -> u64 {
        self.0.iter().map(|exchange| exchange.request_bytes).sum()
    }

    /// Bytes of all answers' bodies.
    pub fn response_bytes(&self) -> u64 {
        self.0.iter().map(|exchange| exchange.response_bytes).sum()
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Exchange { operation, fault, status, .. } in &self.0 {
            let status = status.map_or("no answer".to_owned(), |status| status.to_string());
            match fault {
                Some(fault) => writeln!(f, "{operation}: {status} ({fault:?})")?,
                None => writeln!(f, "{operation}: {status}")?,
            }
        }
        Ok(())
    }
}
