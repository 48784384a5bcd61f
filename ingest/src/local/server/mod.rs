//! HTTP/1.1 from strangers: hyper behind a guard that looks at every head first, waits for nobody for ever, and lets no
//! request by without an event.

mod accept;
mod body;
mod capacity;
mod chunks;
mod connection;
mod guard;
mod handover;
mod head;
mod outgoing;
mod patience;
mod refuse;
mod salvage;
mod upload;

pub use accept::{listen, serve, serve_stream};
pub use capacity::{Capacity, FILES, Limits};
