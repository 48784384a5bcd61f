//! The engine of a cloud: Athena.

mod convert;
mod engine;
mod failure;

pub use engine::{AthenaEngine, Settings};
