//! The Lambda function `ingest` on a store that keeps nothing, for `bench/function/run`.

use std::process::ExitCode;

use ingest::aws::IngestFunction;

fn main() -> ExitCode {
    cloud::lambda::run("ingest", async |ground| IngestFunction::build_without_store(ground).await)
}
