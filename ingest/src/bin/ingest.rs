//! The Lambda function `ingest`.

use std::process::ExitCode;

use ingest::aws::IngestFunction;

fn main() -> ExitCode {
    cloud::lambda::run("ingest", async |ground| IngestFunction::build(ground).await)
}
