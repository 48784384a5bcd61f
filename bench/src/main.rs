//! What the scripts of `bench/` run: the server, the generator of raw objects, the compaction.

mod compact;
mod deliveries;
mod generate;
mod serve;
mod traffic;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// As in `daybook`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[derive(Debug, Parser)]
#[command(name = "bench", about)]
enum Command {
    /// Serve the API on the real store or on one that keeps nothing, to be compared
    Serve(serve::Serve),
    #[command(flatten)]
    Measured(Measured),
}

/// Commands that say what they did, as one line of JSON.
#[derive(Debug, Subcommand)]
enum Measured {
    /// Make raw objects of mixed traffic
    Generate(generate::Day),
    /// Compact a folder's raw objects
    Compact(compact::Compact),
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let said = match command {
        Command::Serve(args) => return runtime.block_on(serve::serve(&args)),
        Command::Measured(Measured::Generate(day)) => generate::generate(&day)?,
        Command::Measured(Measured::Compact(args)) => runtime.block_on(compact::compact(&args))?,
    };
    say(&said);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark speaks to whoever runs it")]
fn say(said: &serde_json::Value) {
    println!("{said}");
}

#[expect(clippy::print_stderr, reason = "a benchmark speaks to whoever runs it")]
fn tell(text: &str) {
    eprintln!("bench: {text}");
}
