//! The Lambda function `relay`.

use std::process::ExitCode;

use ingest::aws::RelayFunction;

fn main() -> ExitCode {
    cloud::lambda::run("relay", async |ground| RelayFunction::build(ground).await)
}
