//! Values that a seed decides: what `/random` gives.

pub mod ask;
mod generator;
mod names;
mod value;

pub use ask::Ask;
pub use value::Kind;

/// The largest whole number that every JSON reader keeps exactly: 2^53 - 1.
pub const LARGEST: u64 = (1 << 53) - 1;
