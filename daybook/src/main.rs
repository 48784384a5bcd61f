//! `daybook`: an API whose database is its request log, on one machine.

#[cfg(feature = "aws")]
mod aws;
mod cli;
mod commands;
mod config;
mod cost;
mod demo;
mod descriptors;
mod doctor;
mod failure;
mod import;
mod installation;
mod keyring;
mod logging;
mod notify;
mod output;
mod place;
mod questions;
mod replay;
mod sql;
mod terminal;
mod verify;
mod zone;

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::failure::Failure;

/// What one thread takes another gives back here, in every request and every batch: the C library's allocator pays for
/// that, and keeps what compactions gave back (ADR 0022).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            logging::complain(&failure);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let config = Config::load(&cli)?;
    logging::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve => commands::serve::run(config).await,
            Command::Compact(args) => commands::compact::run(&config, &args).await,
            Command::Import(args) => commands::import::run(&config, &args).await,
            Command::Quarantine(args) => commands::quarantine::run(&config, &args.command).await,
            Command::Lake(args) => commands::lake::run(&config, &args).await,
            Command::Query(args) => commands::query::run(&config, &args).await,
            Command::Sql(args) => commands::sql::run(&config, &args).await,
            Command::SqlChild(args) => sql::child::run(&config, &args).await,
            Command::History(args) => commands::history::run(&config, &args).await,
            Command::Show(args) => commands::show::run(&config, &args).await,
            Command::Tail(args) => commands::tail::run(&config, &args).await,
            Command::Export(args) => commands::export::run(&config, &args).await,
            Command::Replay(args) => commands::replay::run(&config, &args).await,
            Command::Doctor(args) => commands::doctor::run(&config, &args).await,
            Command::Completions(args) => commands::shell::completions(&args),
            Command::Man(args) => commands::shell::man(&args),
            Command::Verify(args) => commands::verify::run(&config, &args).await,
            Command::Keys(args) => commands::keys::run(&config, &args.command).await,
            Command::Notices(args) => commands::notices::run(&config, &args.command).await,
            Command::Schema(args) => commands::schema::run(&args),
            Command::Cost(args) => commands::cost::run(&args),
            Command::Demo(args) => demo::run(&args).await,
        }
    })
}
