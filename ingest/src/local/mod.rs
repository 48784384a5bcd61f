//! What one machine needs besides the store: the relay, notices and the HTTP server.

pub mod assets;
pub mod keys;
#[cfg(feature = "https")]
pub mod notices;
pub mod relay;
pub mod retention;
pub mod server;
