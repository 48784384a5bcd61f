//! Answers as people and programs want them.

use std::io::Write;

use comfy_table::{Cell as TableCell, CellAlignment, ContentArrangement, Table, presets};
use query::{Cell, CellKind, Rows, format};

use crate::cli::{Format, OutputArgs};
use crate::failure::{Failure, Result};
use crate::terminal::{escape, escape_json};
use crate::zone::Zone;

/// Prints an answer.
///
/// # Errors
/// Standard output cannot be written.
pub fn print_rows(name: &str, rows: &Rows, how: OutputArgs) -> Result<()> {
    match how.format() {
        Format::Table => print(table_of(rows, how.zone).to_string().as_bytes())?,
        Format::Json => return print(&tame(format::json(name, rows)?)),
        Format::Ndjson => return print(&tame(format::ndjson(rows)?)),
        Format::Csv => return print(&format::csv(rows)),
    }
    let count = rows.rows.len();
    let more = if rows.truncated { ", and more that were cut off" } else { "" };
    let plural = if count == 1 { "" } else { "s" };
    print(format!("\n{count} row{plural}{more}\n").as_bytes())
}

/// JSON that means the same and moves no terminal's cursor.
fn tame(json: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(json) {
        Ok(text) => escape_json(&text).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Writes to standard output. A reader that has gone, such as `head`, ends the program's output without complaint.
///
/// # Errors
/// It cannot be written.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::while_("print")(error)),
        _ => Ok(()),
    }
}

/// Writes to standard output what goes on and on: a reader that has gone ends the program.
///
/// # Errors
/// It cannot be written.
pub fn print_or_end(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.map_err(Failure::while_("print")),
    }
}

/// A table with this head, as all of them look.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head.iter().map(|name| escape(name)));
    table
}

fn table_of(rows: &Rows, zone: Zone) -> Table {
    let names: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
    let mut table = table(&names);
    for row in &rows.rows {
        table.add_row(row.iter().map(|cell| TableCell::new(escape(&text(cell, zone)))));
    }
    for (index, column) in rows.columns.iter().enumerate() {
        if matches!(column.kind, CellKind::Int | CellKind::Float)
            && let Some(column) = table.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A cell for people: times to the second by their clock, floats to the thousandth.
pub fn text(cell: &Cell, zone: Zone) -> String {
    match cell {
        Cell::Null => "–".to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => format!("{number:.3}"),
        Cell::Bool(value) => value.to_string(),
        Cell::Timestamp(time) => zone.seconds(*time),
    }
}
