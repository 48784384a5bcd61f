//! What the demo prints.

use std::net::SocketAddr;

use http::Method;
use query::{Cell, Rows, Scope, named};

use super::client::{Client, Outgoing};
use super::ledger::Ledger;
use crate::cli::{EntityArgs, OutputArgs};
use crate::commands::history::{SHOWN, changes, column, only, print_json};
use crate::commands::show::state_at;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::output::{print, print_rows};
use crate::place::Place;
use crate::questions::Questions;
use crate::terminal::escape;

/// The questions of the demo, with what they are asked with, and how many rows are shown.
const QUESTIONS: &[(&str, &[(&str, &str)])] = &[
    ("traffic", &[]),
    ("errors", &[]),
    ("latency", &[]),
    ("top_actors", &[("limit", "5")]),
    ("submissions_by_user", &[("limit", "5")]),
];

/// Announces a step.
pub fn step(title: &str) -> Result<()> {
    print(format!("\n▸ {title}\n").as_bytes())
}

/// How the requests were answered.
pub fn summary(ledger: &Ledger) -> String {
    let (sent, unknown) = ledger.sent_and_unknown();
    let statuses: Vec<String> = ledger.statuses().iter().map(|(status, count)| format!("{count} × {status}")).collect();
    format!("  {sent} requests sent: {}; {unknown} without an answer, for the kill\n", statuses.join(", "))
}

/// Asks the questions and prints the answers as tables.
pub async fn questions(installation: &Installation) -> Result<()> {
    let questions = Questions::new(installation.lake().await?, installation.raw());
    let now = installation.now();
    let data = installation.folder().display();
    for (name, given) in QUESTIONS {
        let query = named::find(name)?;
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let rows = questions.run(query, &given, &Scope::operator(now)).await?;
        print(format!("\n{} (daybook query {name} --data {data})\n", escape(query.question)).as_bytes())?;
        print_rows(name, &rows, OutputArgs::TABLE)?;
    }
    Ok(())
}

/// Prints the history of the task that was changed most, and its state half-way.
pub async fn task(installation: &Installation, ledger: &Ledger) -> Result<()> {
    let id = ledger.busiest_task().ok_or_else(|| Failure::new("no task was made"))?;
    let entity = EntityArgs { kind: "task".to_owned(), id: id.clone(), tenant: None };
    let rows = changes(&Place::Folder(installation.clone()), &entity).await?;
    let data = installation.folder().display();
    print(format!("  daybook history task {id} --data {data}\n").as_bytes())?;
    print_rows("entity_history", &only(first(&rows, 8), SHOWN), OutputArgs::TABLE)?;
    let half_way = column(&rows, "received_at").nth(rows.rows.len() / 2);
    let Some(Cell::Timestamp(time)) = half_way else { return Ok(()) };
    print(format!("\n  daybook show task {id} --as-of {time} --data {data}\n").as_bytes())?;
    let state = state_at(&rows, Some(*time), None).ok_or_else(|| Failure::new("the task was not there half-way"))?;
    print_json(&state)
}

/// Reads back the submission that carried a secret.
pub async fn secret(address: SocketAddr, ledger: &Ledger) -> Result<()> {
    let (id, secret) = ledger.secret().ok_or_else(|| Failure::new("no secret was sent"))?;
    let path = format!("/data/{id}");
    ledger.sent();
    let answer = Client::of(address).send(&Outgoing::new(Method::GET, path.as_str())).await;
    ledger.answered(answer.as_ref());
    let stored = answer.ok_or_else(|| Failure::new("the submission cannot be read"))?.body["data"].to_string();
    if stored.contains(&secret) {
        return Err(Failure::new("the secret was stored"));
    }
    print(format!("  sent    \"Password\": \"{secret}\"\n  stored  {}\n  GET {path}\n", escape(&stored)).as_bytes())
}

fn first(rows: &Rows, count: usize) -> Rows {
    Rows { rows: rows.rows.iter().take(count).cloned().collect(), ..rows.clone() }
}
