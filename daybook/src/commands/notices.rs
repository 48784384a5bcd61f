//! `daybook notices`: the notices that were given up are listed and sent again, beside a running server or without one.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use event::EventId;
use ingest::System;
use ingest::local::notices::{Letter, Letters, Outcome};
use query::{Cell, CellKind, RowColumn, Rows};

use crate::cli::{NoticesCommand, NoticesListArgs, NoticesRetryArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::notify;
use crate::output::{print, print_rows};
use crate::terminal::escape;

/// Does what is asked for.
pub async fn run(config: &Config, command: &NoticesCommand) -> Result<ExitCode> {
    #[cfg(feature = "aws")]
    if config.aws.is_some() {
        return Err(Failure::new(
            "notices are one machine's; on AWS an event bus is told of changes (store.event_bus)",
        ));
    }
    match command {
        NoticesCommand::Secret => {
            let installation = Installation::at(&config.data, System::real())?;
            installation.prepare().await?;
            let secret = notify::secret(config.notify_secret.as_ref(), &installation)?;
            print(format!("{}\n", secret.text()).as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        NoticesCommand::List(args) => {
            let installation = Installation::existing(&config.data, System::real()).await?;
            list(&Letters::of(installation.folder()), args)
        }
        NoticesCommand::Retry(args) => {
            retry(config, &Installation::existing(&config.data, System::real()).await?, args).await
        }
    }
}

fn list(letters: &Letters, args: &NoticesListArgs) -> Result<ExitCode> {
    let columns = [
        ("event_id", CellKind::Text),
        ("type", CellKind::Text),
        ("given_up_at", CellKind::Timestamp),
        ("attempts", CellKind::Int),
        ("reason", CellKind::Text),
    ];
    let columns = columns.into_iter().map(|(name, kind)| RowColumn { name: name.to_owned(), kind }).collect();
    let row = |letter: Letter| {
        vec![
            Cell::Text(letter.event_id.to_string()),
            Cell::Text(letter.r#type),
            Cell::Timestamp(letter.given_up_at),
            Cell::Int(letter.attempts.into()),
            Cell::Text(letter.reason),
        ]
    };
    let rows = letters.read()?.into_iter().map(row).collect();
    let rows = Rows { columns, rows, truncated: false, bytes_read: 0, cost_usd: None };
    print_rows("notices", &rows, args.output)?;
    Ok(ExitCode::SUCCESS)
}

/// Sends each once, the oldest first; those that are taken are letters no more.
async fn retry(config: &Config, installation: &Installation, args: &NoticesRetryArgs) -> Result<ExitCode> {
    let notify = config.notify.as_ref().ok_or_else(|| Failure::new("nobody is told: set notify-url"))?;
    let letters = Letters::of(installation.folder());
    let mut wanted = letters.read()?;
    if let Some(unknown) = args.ids.iter().find(|id| !wanted.iter().any(|letter| letter.event_id == **id)) {
        return Err(Failure::new(format!("no notice of event {unknown} was given up; see daybook notices list")));
    }
    wanted.retain(|letter| args.ids.is_empty() || args.ids.contains(&letter.event_id));
    let secret = notify::secret(config.notify_secret.as_ref(), installation)?;
    let receiver = notify.receiver(secret, installation.system())?;
    let mut taken: BTreeSet<EventId> = BTreeSet::new();
    for letter in &wanted {
        match receiver.send(letter.event_id, &letter.body).await {
            Outcome::Taken => {
                // One by one: whatever ends this command, what was taken is not sent once more.
                letters.remove(&BTreeSet::from([letter.event_id]))?;
                taken.insert(letter.event_id);
            }
            Outcome::Failed(reason, _) | Outcome::Refused(reason) => {
                // Nobody is there to hear that it could not be said.
                let _ = writeln!(std::io::stderr(), "{}: {}", letter.event_id, escape(&reason));
            }
        }
    }
    print(format!("{} of {} notices were taken\n", taken.len(), wanted.len()).as_bytes())?;
    Ok(if taken.len() == wanted.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
