//! What every part on AWS has in common: how the SDK is set up, and what an invocation needs.
//!
//! Stages meet at data; what they share here is the ground under them, not their work.

mod deadline;
pub mod env;
pub mod lambda;
mod line;
pub mod log;
pub mod metrics;
pub mod sdk;

pub use deadline::{Deadline, Elapsed};
pub use env::{Env, Refusal};
pub use lambda::{Failure, Function, Ground, Invocation};
pub use metrics::{Metrics, Unit};
