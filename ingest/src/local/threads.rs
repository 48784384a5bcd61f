//! Threads apart from those that answer requests.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime of its own. What runs on it takes no thread from any other, and is cut off when this is dropped.
#[derive(Debug)]
pub struct Threads(Option<Runtime>);

impl Threads {
    /// Starts so many threads of a name, at least one.
    ///
    /// # Errors
    /// The system has none to give.
    pub fn start(name: &str, count: usize) -> io::Result<Self> {
        Builder::new_multi_thread()
            .worker_threads(count.max(1))
            .thread_name(name)
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    /// For what is to run there.
    pub fn handle(&self) -> Handle {
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for Threads {
    /// Does not wait: whatever still runs there can be cut off anywhere.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
