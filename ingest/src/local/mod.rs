//! What one machine needs besides the store: durable files, the relay, the HTTP server.

pub mod files;
pub mod relay;
pub mod server;
