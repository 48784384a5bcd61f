//! `daybook cost`: what a month on AWS costs.

use std::process::ExitCode;

use comfy_table::CellAlignment;
use query::{Cell, CellKind, RowColumn, Rows};

use crate::cli::{CostArgs, Format};
use crate::cost::{Item, Measured, Prices, Workload, bill, total};
use crate::failure::Result;
use crate::output::{print, print_rows, table};

/// Prints the bill of a month.
pub fn run(args: &CostArgs) -> Result<ExitCode> {
    let prices = Prices::load()?;
    let bill = bill(&workload(args), &Measured::load()?, &prices);
    match args.output.format() {
        Format::Table => print(text(&bill, &prices).as_bytes())?,
        _ => print_rows("cost", &rows(&bill), args.output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn workload(args: &CostArgs) -> Workload {
    let number = |count: u64| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
    let said = [args.changes, args.creates, args.submissions, args.reads, args.refusals].iter().any(|it| *it > 0);
    Workload {
        changes: number(if said { args.changes } else { 1_000_000 }),
        creates: number(args.creates),
        submissions: number(args.submissions),
        reads: number(args.reads),
        refusals: number(args.refusals),
        frontend: args.frontend,
    }
}

fn text(bill: &[Item], prices: &Prices) -> String {
    let mut lines = table(&["service", "what", "quantity", "unit", "USD"]);
    for item in bill {
        let (quantity, usd) = (format!("{:.3}", item.quantity), format!("{:.2}", item.usd));
        lines.add_row([item.service, item.what, &quantity, item.unit, &usd]);
    }
    lines.add_row(["total", "", "", "", &format!("{:.2}", total(bill))]);
    for index in [2, 4] {
        if let Some(column) = lines.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let Prices { region, as_of, source, athena_terabyte, .. } = prices;
    format!(
        "{lines}\nA month at the list prices of {region}, {as_of}: {source}.\n\
         Queries in Athena come on top: ${athena_terabyte:.2} a terabyte read.\n"
    )
}

fn rows(bill: &[Item]) -> Rows {
    let column = |name: &str, kind| RowColumn { name: name.to_owned(), kind };
    let columns = vec![
        column("service", CellKind::Text),
        column("what", CellKind::Text),
        column("quantity", CellKind::Float),
        column("unit", CellKind::Text),
        column("usd", CellKind::Float),
    ];
    let row = |item: &Item| {
        let text = |text: &str| Cell::Text(text.to_owned());
        vec![text(item.service), text(item.what), Cell::Float(item.quantity), text(item.unit), Cell::Float(item.usd)]
    };
    let rows = bill.iter().map(row).collect();
    Rows { columns, rows, truncated: false, bytes_read: 0, cost_usd: None }
}
