//! Requests in, durable events out.

pub mod api;
pub mod assets;
#[cfg(feature = "aws")]
pub mod aws;
pub mod error;
#[cfg(feature = "local")]
pub mod files;
pub mod http;
mod json;
#[cfg(feature = "local")]
pub mod local;
pub mod notice;
pub mod openapi;
mod random;
pub mod receipt;
mod record;
pub mod settings;
pub mod store;
pub mod system;

pub use api::{Api, Parts};
pub use error::{Error, ErrorKind, Result};
pub use receipt::Receipt;
pub use settings::Settings;
pub use system::System;
