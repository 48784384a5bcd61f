//! The same commands against an installation on AWS.

mod deployment;
mod settings;
mod verify;

pub use deployment::{Deployment, ask};
pub use settings::Settings;
pub use verify::verify;
