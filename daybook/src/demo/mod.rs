//! `daybook demo`: the whole of it in a minute, on real processes, real requests and real files.

mod client;
mod ledger;
mod proof;
mod server;
mod show;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use compactor::Options;
use ingest::System;

use self::ledger::Ledger;
use self::server::Server;
use self::show::step;
use crate::cli::DemoArgs;
use crate::commands;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::output::print;
use crate::place::Place;
use crate::verify::{Depth, verify};

/// Clients that send at the same time.
const CLIENTS: usize = 16;
/// Memory that the demo's compaction may take, bytes.
const MEMORY: u64 = 256 << 20;

/// Runs the demo; fails if anything that it claims does not hold.
pub async fn run(args: &DemoArgs) -> Result<ExitCode> {
    let system = System::real();
    let begun = (system.monotonic)();
    let installation = Installation::at(&folder(args)?, system)?;
    let ledger = Arc::new(Ledger::default());

    let requests = usize::try_from(args.requests).unwrap_or(usize::MAX);

    step("Start the server on an empty folder")?;
    let mut server = Server::start(&installation, None).await?;
    server.introduce(&installation)?;

    step("Send requests, and kill the server with SIGKILL in the middle")?;
    let traffic = tokio::spawn(traffic::send(server.address(), requests, CLIENTS, Arc::clone(&ledger)));
    while ledger.answers() < requests / 2 {
        if traffic.is_finished() {
            return Err(Failure::new(format!(
                "the server gave {} answers only; is something amiss?",
                ledger.answers()
            )));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.kill().await?;
    print(format!("  killed after {} answers; starting it again\n", ledger.answers()).as_bytes())?;
    let server = Server::start(&installation, Some(server.address())).await?;
    server.introduce(&installation)?;
    traffic.await.map_err(Failure::while_("send the demo's requests"))?;
    print(show::summary(&ledger).as_bytes())?;

    step("Compact the raw objects into the Iceberg table, while the server runs")?;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let options = Options { memory: MEMORY, ..Options::default() }.forced();
    let (summary, elapsed) =
        commands::compact::compact_all(&Place::Folder(installation.clone()), options, None, false).await?;
    print(format!("  {}\n", commands::compact::sentence(&summary, elapsed, installation.now())).as_bytes())?;

    step("Ask five named questions")?;
    show::questions(&installation).await?;

    step("What happened to one task, and what it was in between")?;
    show::task(&installation, &ledger).await?;

    step("A secret that was sent comes back masked")?;
    show::secret(server.address(), &ledger).await?;

    step("Stop the server with SIGTERM, then verify everything from what is on disk")?;
    server.terminate().await?;
    installation.settle().await?;
    let report = verify(&installation, Depth::Whole).await?;
    print(format!("{}\n", commands::verify::text(&report)).as_bytes())?;
    let proof = proof::check(&installation, &ledger).await?;
    if !report.holds() || !proof.holds() {
        return Err(Failure::new(format!(
            "the demo found a fault: {proof}; look at {}",
            installation.folder().display()
        )));
    }
    let seconds = Duration::from_micros((system.monotonic)().saturating_sub(begun)).as_secs_f64();
    let files = installation.folder().display();
    print(format!("\nProven in {seconds:.0} s: {proof}; state is the fold of the log. Files: {files}\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn folder(args: &DemoArgs) -> Result<PathBuf> {
    match &args.folder {
        Some(folder) if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) => {
            Err(Failure::new(format!("{} is not empty; the demo needs a folder of its own", folder.display())))
        }
        Some(folder) => Ok(folder.clone()),
        None => {
            let folder = tempfile::Builder::new().prefix("daybook-demo-").tempdir();
            Ok(folder.map_err(Failure::while_("make a temporary folder"))?.keep())
        }
    }
}
