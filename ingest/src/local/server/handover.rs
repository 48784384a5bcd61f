//! What the guard knows of the request that it lets through next, for the service that is about to get it.

use std::sync::{Mutex, PoisonError};

use super::head::Flaw;
use crate::http::Arrival;

/// A request that was let through.
#[derive(Debug)]
pub(super) struct Passed {
    /// When its first byte came.
    pub arrival: Arrival,
    /// Why it is refused, and the bytes that came of its head; hyper has seen a stand-in for it.
    pub refused: Option<(Flaw, Vec<u8>)>,
}

/// The place where the guard of a connection leaves word for the service. hyper reads one head, and calls the service
/// with it, before it reads the next: there is never more than one.
#[derive(Debug, Default)]
pub(super) struct Handover(Mutex<Option<Passed>>);

impl Handover {
    /// Leaves word.
    pub(super) fn put(&self, passed: Passed) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(passed);
    }

    /// Takes it.
    pub(super) fn take(&self) -> Option<Passed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
