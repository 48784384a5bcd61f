//! Answers as CSV (RFC 4180), safe to open in a spreadsheet.

use std::borrow::Cow;

use crate::rows::{Cell, Rows};

/// A header line and a line per row, each ended by CR LF.
///
/// A null is an empty field, empty text is `""`. Text that a spreadsheet would take for a formula gets a leading `'`;
/// numbers, times and truth values are never altered.
pub fn csv(rows: &Rows) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, rows.columns.iter().map(|column| quoted(&column.name)));
    for cells in &rows.rows {
        line(&mut out, cells.iter().map(field));
    }
    out
}

fn line<'a>(out: &mut Vec<u8>, fields: impl Iterator<Item = Cow<'a, str>>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(field.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn field(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Null => Cow::Borrowed(""),
        Cell::Text(text) => quoted(text),
        Cell::Int(number) => Cow::Owned(number.to_string()),
        Cell::Float(number) => Cow::Owned(number.to_string()),
        Cell::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Cell::Timestamp(time) => Cow::Owned(time.to_string()),
    }
}

/// Text as a field: disarmed if a spreadsheet would run it, in quotes where RFC 4180 asks for them.
fn quoted(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let special = text.is_empty() || text.contains(['"', ',', '\r', '\n']);
    match (formula, special) {
        (false, false) => Cow::Borrowed(text),
        (true, false) => Cow::Owned(format!("'{text}")),
        (_, true) => {
            let guard = if formula { "'" } else { "" };
            Cow::Owned(format!("\"{guard}{}\"", text.replace('"', "\"\"")))
        }
    }
}
