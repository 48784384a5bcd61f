//! The test rig of the AWS side.

pub mod athena;
pub mod fixtures;
pub mod flow;
pub mod foreign;
pub mod http;
pub mod invoke_api;
pub mod oracle;
pub mod outsider;
pub mod plan;
pub mod proxy;
pub mod random;
pub mod runtime_api;
pub mod trino;
