//! `daybook keys`: API keys are made, listed and revoked, while a server runs or before the first one does.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use event::Timestamp;
use ingest::http::auth::ApiKey;
use ingest::http::auth::key::{Minted, Wanted};
use query::{Cell, CellKind, RowColumn, Rows};
use serde_json::json;

use crate::cli::{KeysCommand, KeysCreateArgs, KeysListArgs, KeysRevokeArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::keyring::Keyring;
use crate::output::{print, print_rows};

/// Does what is asked for.
pub async fn run(config: &Config, command: &KeysCommand) -> Result<ExitCode> {
    let keyring = match command {
        KeysCommand::Create(_) => Keyring::made(config).await?,
        KeysCommand::List(_) | KeysCommand::Revoke(_) => Keyring::existing(config).await?,
    };
    let now = (ingest::System::real().now)();
    match command {
        KeysCommand::Create(args) => create(&keyring, args, now).await?,
        KeysCommand::List(args) => list(&keyring, args, now).await?,
        KeysCommand::Revoke(args) => revoke(&keyring, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the key to standard output and what it is good for to standard error, so that a script gets the key alone.
async fn create(keyring: &Keyring, args: &KeysCreateArgs, now: Timestamp) -> Result<()> {
    let wanted = Wanted {
        id: args.id.clone(),
        tenant: args.tenant.clone(),
        scope: args.scope,
        expires_at: args.expires.as_deref().map(|when| expiry(when, now)).transpose()?,
    };
    let Minted { text, key } = keyring.create(wanted).await?;
    if args.json {
        let shown = json!({
            "id": key.id, "key": text, "tenant": key.tenant, "scope": key.scope, "expires_at": key.expires_at,
        });
        return print(format!("{shown}\n").as_bytes());
    }
    print(format!("{text}\n").as_bytes())?;
    let until = key.expires_at.map_or_else(|| "never expires".to_owned(), |end| format!("expires {end}"));
    note(&format!("key {} of tenant {}, scope {}, {until}; it is not shown again", key.id, key.tenant, key.scope));
    Ok(())
}

async fn list(keyring: &Keyring, args: &KeysListArgs, now: Timestamp) -> Result<()> {
    let columns = [
        ("id", CellKind::Text),
        ("tenant", CellKind::Text),
        ("scope", CellKind::Text),
        ("state", CellKind::Text),
        ("created_at", CellKind::Timestamp),
        ("expires_at", CellKind::Timestamp),
        ("revoked_at", CellKind::Timestamp),
    ];
    let columns = columns.into_iter().map(|(name, kind)| RowColumn { name: name.to_owned(), kind }).collect();
    let rows = keyring.all().await?.iter().map(|key| row(key, now)).collect();
    print_rows("keys", &Rows { columns, rows, truncated: false, bytes_read: 0, cost_usd: None }, args.output)
}

fn row(key: &ApiKey, now: Timestamp) -> Vec<Cell> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let time = |time: Option<Timestamp>| time.map_or(Cell::Null, Cell::Timestamp);
    let state = match key.spent(now) {
        None => "good",
        Some(_) if key.revoked_at.is_some() => "revoked",
        Some(_) => "expired",
    };
    vec![
        text(&key.id),
        text(&key.tenant),
        text(key.scope.as_str()),
        text(state),
        time(key.created_at),
        time(key.expires_at),
        time(key.revoked_at),
    ]
}

async fn revoke(keyring: &Keyring, args: &KeysRevokeArgs) -> Result<()> {
    let key = keyring.revoke(&args.id).await?;
    let at = key.revoked_at.unwrap_or_default();
    print(format!("key {} of tenant {} is revoked since {at}\n", key.id, key.tenant).as_bytes())
}

/// A time, or a duration from now on.
fn expiry(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(time) = Timestamp::parse(text) {
        return Ok(time);
    }
    let wrong = || {
        Failure::new(format!("expires = {text:?} is no time; write a duration such as 90d, or 2027-01-01T00:00:00Z"))
    };
    let duration: Duration = humantime::parse_duration(text).map_err(|_| wrong())?;
    let micros = i64::try_from(duration.as_micros()).map_err(|_| wrong())?;
    Ok(Timestamp::from_micros(now.micros().saturating_add(micros)))
}

/// Says something that is no part of the answer.
fn note(line: &str) {
    // Nobody is there to hear that it could not be said.
    let _ = writeln!(std::io::stderr(), "{line}");
}
