//! `daybook show`: an entity's state, from the log.

use std::process::ExitCode;

use event::Timestamp;
use event::domain::State;
use query::{Cell, Rows};

use super::history::{changes, column, print_json};
use crate::cli::ShowArgs;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::place::Place;

/// Prints the state now, as of a time, or after a version.
pub async fn run(config: &Config, args: &ShowArgs) -> Result<ExitCode> {
    let place = Place::of(config).await?;
    let time = args.as_of.map(|time| time.at(place.now()));
    let rows = changes(&place, &args.entity).await?;
    let (kind, id) = (&args.entity.kind, &args.entity.id);
    let absent =
        |how: &str| Failure::new(format!("{kind} {id} {how}; daybook history {kind} {id} shows when it was there"));
    let is_now = time.is_none() && args.at_version.is_none();
    let state = state_at(&rows, time, args.at_version)
        .ok_or_else(|| absent(if is_now { "was removed" } else { "was not there then" }))?;
    // A version is shown as it was made.
    let has_ended = || State::from_canonical(state.clone()).has_ended(time.unwrap_or_else(|| place.now()));
    if args.at_version.is_none() && has_ended() {
        return Err(absent(if is_now { "has expired" } else { "was not there then" }));
    }
    print_json(&state)?;
    Ok(ExitCode::SUCCESS)
}

/// The state of the highest version up to a time or a version; none if that is a deletion. Its end is not looked at.
///
/// Versions decide, not clocks: of all versions that carry an earlier time, the highest counts.
pub fn state_at(rows: &Rows, time: Option<Timestamp>, version: Option<i64>) -> Option<String> {
    let versions = column(rows, "entity_version");
    let times = column(rows, "received_at");
    let operations = column(rows, "operation");
    let states = column(rows, "state_after");
    versions
        .zip(times)
        .zip(operations.zip(states))
        .filter(|((at_version, at), _)| {
            let earlier = |limit| matches!(at, Cell::Timestamp(at) if *at <= limit);
            let is = |wanted| matches!(at_version, Cell::Int(at_version) if *at_version == wanted);
            time.is_none_or(earlier) && version.is_none_or(is)
        })
        .last()
        .and_then(|(_, (operation, state))| match (operation, state) {
            (Cell::Text(operation), Cell::Text(state)) if operation != "delete" => Some(state.clone()),
            _ => None,
        })
}
