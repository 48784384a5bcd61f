//! demo
use crate::cli::DemoArgs;
use crate::failure::Result;
use std::process::ExitCode;
/// Runs the demo.
pub async fn run(_args: &DemoArgs) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
