//! What one machine needs besides the store: the relay and the HTTP server.

pub mod assets;
pub mod keys;
pub mod relay;
pub mod retention;
pub mod server;
