//! Whether the store may still acknowledge anything, and why not.

use std::sync::OnceLock;

use crate::error::{Error, ErrorKind};

/// Good until it is ended; ended for good. Shared by all that write.
#[derive(Debug, Default)]
pub struct Standing {
    ended: OnceLock<String>,
}

impl Standing {
    /// Nothing is acknowledged from here on. The first reason is kept.
    pub fn end(&self, reason: impl Into<String>) {
        let reason = reason.into();
        tracing::error!(reason, "the store has stopped: nothing more is acknowledged");
        // Whoever came first has said what the cause is; what follows are its consequences.
        let _ = self.ended.set(reason);
    }

    /// Why nothing is acknowledged any more, if that is so.
    pub fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    /// The error of work that came too late.
    pub fn stopped(&self) -> Error {
        let reason = self.ended().unwrap_or("its writer has stopped");
        Error::new(ErrorKind::Unknown, format!("the store has stopped ({reason}); restart to open the log anew"))
    }
}
