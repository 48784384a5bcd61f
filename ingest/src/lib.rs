//! Requests in, durable events out.

pub mod api;
pub mod error;
pub mod files;
pub mod http;
pub mod local;
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
