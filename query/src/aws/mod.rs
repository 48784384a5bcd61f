//! The engine of a cloud: Athena.

mod convert;
mod engine;
mod failure;
mod function;
mod run;

pub use engine::{AthenaEngine, Settings};
pub use function::QueryFunction;
pub use run::Ended;
