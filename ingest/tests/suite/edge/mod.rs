//! The server's edge, over raw sockets: whatever a client does, its requests are events and the others do not notice.

#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "a test has a clock, an environment and a voice")]

mod arbitrary;
mod capacity;
mod framing;
mod fresh;
mod slow;
