//! The engine of a cloud: Athena.

mod convert;
mod engine;
mod failure;
mod function;

pub use engine::{AthenaEngine, Settings};
pub use function::QueryFunction;
