//! `daybook verify`: proves the installation, or names the first offender.

use std::process::ExitCode;

use comfy_table::CellAlignment;
use query::{Cell, CellKind, RowColumn, Rows};

use crate::cli::{Format, VerifyArgs};
use crate::config::Config;
#[cfg(feature = "aws")]
use crate::failure::Failure;
use crate::failure::Result;
use crate::output::{print, print_rows, table};
use crate::place::Place;
use crate::terminal::escape;
use crate::verify::{Check, Depth, Report, verify};

/// Verifies and reports; exit status 1 if anything is wrong.
pub async fn run(config: &Config, args: &VerifyArgs) -> Result<ExitCode> {
    let depth = if args.quick { Depth::Columns } else { Depth::Whole };
    let report = match Place::of(config).await? {
        #[cfg(feature = "aws")]
        Place::Folder(_) if args.repair => {
            return Err(Failure::new("--repair is for --aws: on one machine every command relays what is not relayed"));
        }
        Place::Folder(installation) => verify(&installation, depth).await?,
        #[cfg(feature = "aws")]
        Place::Aws(deployment) => crate::aws::verify(&deployment, depth, args.repair).await?,
    };
    match args.output.format() {
        Format::Table => print(format!("{}\n", text(&report)).as_bytes())?,
        Format::Json => print(format!("{}\n", json(&report)).as_bytes())?,
        Format::Ndjson | Format::Csv => print_rows("verify", &rows(&report), args.output)?,
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let mut checks = table(&["", "what must hold", "checked", "result"]);
    for check in &report.checks {
        let result = match &check.offender {
            Some(offender) => format!("BROKEN: {}", escape(offender)),
            None if check.detail.is_empty() => "holds".to_owned(),
            None => format!("holds: {}", check.detail),
        };
        checks.add_row([check.id, check.statement, &check.checked.to_string(), &result]);
    }
    if let Some(column) = checks.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let verdict = match report.checks.iter().find(|check| check.offender.is_some()) {
        None => "Everything holds.".to_owned(),
        Some(check) => format!("{} is broken: {}", check.id, escape(check.offender.as_deref().unwrap_or_default())),
    };
    format!("{checks}\n{verdict}")
}

/// One row a check.
fn rows(report: &Report) -> Rows {
    let column = |name: &str, kind| RowColumn { name: name.to_owned(), kind };
    let columns = vec![
        column("invariant", CellKind::Text),
        column("statement", CellKind::Text),
        column("checked", CellKind::Int),
        column("holds", CellKind::Bool),
        column("offender", CellKind::Text),
    ];
    let row = |check: &Check| {
        vec![
            Cell::Text(check.id.to_owned()),
            Cell::Text(check.statement.to_owned()),
            Cell::Int(i64::try_from(check.checked).unwrap_or(i64::MAX)),
            Cell::Bool(check.offender.is_none()),
            check.offender.clone().map_or(Cell::Null, Cell::Text),
        ]
    };
    Rows { columns, rows: report.checks.iter().map(row).collect(), truncated: false, bytes_read: 0, cost_usd: None }
}

fn json(report: &Report) -> serde_json::Value {
    let checks: Vec<_> = report
        .checks
        .iter()
        .map(|check| {
            serde_json::json!({
                "invariant": check.id,
                "statement": check.statement,
                "checked": check.checked,
                "holds": check.offender.is_none(),
                "offender": check.offender,
            })
        })
        .collect();
    serde_json::json!({"holds": report.holds(), "checks": checks})
}
