//! `daybook completions` and `daybook man`: what shells and `man` want to know.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::failure::{Failure, Result};
use crate::output::print;

/// Prints the completions of a shell.
pub fn completions(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "daybook", &mut out);
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual's first page, or writes one page for each command to a folder.
pub fn man(args: &ManArgs) -> Result<ExitCode> {
    match &args.folder {
        None => print(&page(Cli::command())?)?,
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(Failure::while_(format_args!("make {}", folder.display())))?;
            clap_mangen::generate_to(Cli::command(), folder)
                .map_err(Failure::while_(format_args!("write the manual to {}", folder.display())))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    clap_mangen::Man::new(command).render(&mut out).map_err(Failure::while_("render the manual"))?;
    Ok(out)
}
