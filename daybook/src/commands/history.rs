//! `daybook history`: what happened to an entity, from the log.

use std::process::ExitCode;

use query::{Cell, Rows, Scope, named};

use crate::cli::{EntityArgs, Format, HistoryArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::output::{print, print_rows};
use crate::place::Place;
use crate::zone::Zone;

/// What the terminal shows of each change; the other forms have all columns.
pub const SHOWN: &[&str] = &["entity_version", "received_at", "event_type", "changed_by", "event_data"];

/// Prints an entity's changes in version order.
pub async fn run(config: &Config, args: &HistoryArgs) -> Result<ExitCode> {
    let rows = changes(&Place::of(config).await?, &args.entity).await?;
    let rows = if args.output.format() == Format::Table { only(rows, SHOWN) } else { rows };
    print_rows("entity_history", &rows, args.output)?;
    Ok(ExitCode::SUCCESS)
}

/// All changes of an entity, as the log has them.
///
/// # Errors
/// There are none, or entities of several tenants have this id and none is named.
pub async fn changes(place: &Place, entity: &EntityArgs) -> Result<Rows> {
    let given = [("entity_type", entity.kind.as_str()), ("entity_id", entity.id.as_str())];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let scope = Scope { now: place.now(), tenant: entity.tenant.clone() };
    let rows = place.ask(named::find("entity_history")?, &given, &scope).await?;
    let EntityArgs { kind, id, .. } = entity;
    let mut tenants: Vec<String> =
        column(&rows, "tenant").map(|tenant| crate::output::text(tenant, Zone::UTC)).collect();
    tenants.dedup();
    match tenants.as_slice() {
        [] => {
            Err(Failure::new(format!("the log has no change of {kind} {id}; look at its kind and id, and at --data")))
        }
        [_] => Ok(rows),
        several => {
            let names = several.join(", ");
            Err(Failure::new(format!("{kind} {id} is an entity of {names}: say which with --tenant")))
        }
    }
}

/// The cells of one column; none if the query gives no such column.
pub fn column<'a>(rows: &'a Rows, name: &str) -> impl Iterator<Item = &'a Cell> {
    let index = rows.columns.iter().position(|column| column.name == name);
    rows.rows.iter().filter_map(move |row| row.get(index?))
}

/// The rows with these columns alone.
pub fn only(rows: Rows, names: &[&str]) -> Rows {
    let kept: Vec<usize> =
        names.iter().filter_map(|name| rows.columns.iter().position(|column| column.name == *name)).collect();
    let pick = |row: &Vec<Cell>| kept.iter().map(|index| row[*index].clone()).collect();
    Rows {
        columns: kept.iter().map(|index| rows.columns[*index].clone()).collect(),
        rows: rows.rows.iter().map(pick).collect(),
        ..rows
    }
}

/// Prints JSON text so that people can read it; text that is no JSON as it is.
pub fn print_json(text: &str) -> Result<()> {
    let value: std::result::Result<serde_json::Value, _> = serde_json::from_str(text);
    let pretty = value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    let lines: Vec<String> = pretty.as_deref().unwrap_or(text).lines().map(crate::terminal::escape).collect();
    print(format!("{}\n", lines.join("\n")).as_bytes())
}
