//! The test rig of the AWS side.

pub mod fixtures;
pub mod flow;
pub mod foreign;
pub mod oracle;
pub mod outsider;
pub mod plan;
pub mod proxy;
pub mod random;
pub mod runtime_api;
