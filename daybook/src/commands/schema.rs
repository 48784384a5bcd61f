//! `daybook schema`: the event's columns, for whoever needs them.

use std::process::ExitCode;

use event::schema;

use crate::cli::{SchemaArgs, SchemaKind};
use crate::failure::Result;
use crate::output::print;

/// Prints the columns.
pub fn run(args: &SchemaArgs) -> Result<ExitCode> {
    let text = match args.format {
        SchemaKind::Json => schema::json(),
        SchemaKind::Markdown => schema::markdown(),
        SchemaKind::Athena => schema::athena(),
        SchemaKind::Hcl => schema::hcl(),
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
