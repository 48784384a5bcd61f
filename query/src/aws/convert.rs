//! From Athena's texts to the cells of an answer.

use aws_sdk_athena::types::{ColumnInfo, Row};
use event::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::rows::{Cell, CellKind, RowColumn};

/// The columns of an answer with this metadata.
///
/// # Errors
/// `Engine` if a column is of a type that answers do not have, such as a list.
pub(crate) fn columns(metadata: &[ColumnInfo]) -> Result<Vec<RowColumn>> {
    let column = |column: &ColumnInfo| {
        let kind = kind(column.r#type()).ok_or_else(|| {
            let context =
                format!("the column {} is of type {}, which answers do not have", column.name(), column.r#type());
            Error::new(ErrorKind::Engine, context)
        })?;
        Ok(RowColumn { name: column.name().to_owned(), kind })
    };
    metadata.iter().map(column).collect()
}

fn kind(athena: &str) -> Option<CellKind> {
    let base = athena.split('(').next().unwrap_or_default();
    match base {
        "varchar" | "char" | "string" | "json" | "date" | "unknown" => Some(CellKind::Text),
        "tinyint" | "smallint" | "integer" | "int" | "bigint" => Some(CellKind::Int),
        "real" | "float" | "double" | "decimal" => Some(CellKind::Float),
        "boolean" => Some(CellKind::Bool),
        "timestamp" => Some(CellKind::Timestamp),
        _ => None,
    }
}

/// Whether a row is the heading that Athena gives before the first row.
pub(crate) fn is_heading(row: &Row, columns: &[RowColumn]) -> bool {
    let texts = row.data().iter().map(|datum| datum.var_char_value());
    row.data().len() == columns.len() && texts.zip(columns).all(|(text, column)| text == Some(&column.name))
}

/// The cells of a row.
///
/// # Errors
/// `Engine` if the row has another number of values, or a value is not of its column's kind.
pub(crate) fn cells(row: &Row, columns: &[RowColumn]) -> Result<Vec<Cell>> {
    if row.data().len() != columns.len() {
        let context = format!("Athena gave {} values for {} columns", row.data().len(), columns.len());
        return Err(Error::new(ErrorKind::Engine, context));
    }
    let cell = |(text, column): (Option<&str>, &RowColumn)| match text {
        None => Ok(Cell::Null),
        Some(text) => read(text, column.kind).ok_or_else(|| {
            let context = format!("{text:.64?} does not fit {}, which is {}", column.name, column.kind.name());
            Error::new(ErrorKind::Engine, context)
        }),
    };
    row.data().iter().map(|datum| datum.var_char_value()).zip(columns).map(cell).collect()
}

fn read(text: &str, kind: CellKind) -> Option<Cell> {
    match kind {
        CellKind::Text => Some(Cell::Text(text.to_owned())),
        CellKind::Int => text.parse().ok().map(Cell::Int),
        // `NaN`, `Infinity`, `1.0E-5`: what Trino writes is what Rust reads.
        CellKind::Float => text.parse().ok().map(Cell::Float),
        CellKind::Bool => text.parse().ok().map(Cell::Bool),
        CellKind::Timestamp => instant(text).map(Cell::Timestamp),
    }
}

/// `2026-11-20 09:30:26`, with any number of digits of a second after it, perhaps `UTC` at the end.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    let (day, time) = text.split_once(' ')?;
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
    Timestamp::parse(&format!("{day}T{seconds}.{fraction:.6}Z")).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::Datum;

    use super::*;

    fn info(name: &str, kind: &str) -> ColumnInfo {
        ColumnInfo::builder().name(name).r#type(kind).build().unwrap()
    }

    fn row(texts: &[Option<&str>]) -> Row {
        let datum = |text: &Option<&str>| Datum::builder().set_var_char_value(text.map(str::to_owned)).build();
        Row::builder().set_data(Some(texts.iter().map(datum).collect())).build()
    }

    #[test]
    fn reads_what_athena_writes() {
        let moment = Timestamp::parse("2026-11-20T09:30:26.123456Z").unwrap();
        for (kind, text, expect) in [
            ("varchar", Some(""), Cell::Text(String::new())),
            ("varchar(3)", Some("é\n'"), Cell::Text("é\n'".to_owned())),
            ("varchar", None, Cell::Null),
            ("bigint", Some("-9223372036854775808"), Cell::Int(i64::MIN)),
            ("integer", Some("7"), Cell::Int(7)),
            ("double", Some("1.0E-5"), Cell::Float(0.000_01)),
            ("double", Some("Infinity"), Cell::Float(f64::INFINITY)),
            ("decimal(38,2)", Some("12.50"), Cell::Float(12.5)),
            ("boolean", Some("true"), Cell::Bool(true)),
            ("date", Some("2026-11-20"), Cell::Text("2026-11-20".to_owned())),
            ("timestamp", Some("2026-11-20 09:30:26.123456"), Cell::Timestamp(moment)),
            ("timestamp(9)", Some("2026-11-20 09:30:26.123456789"), Cell::Timestamp(moment)),
            (
                "timestamp",
                Some("2026-11-20 09:30:26"),
                Cell::Timestamp(Timestamp::parse("2026-11-20T09:30:26Z").unwrap()),
            ),
        ] {
            let columns = columns(&[info("x", kind)]).unwrap();
            assert_eq!(cells(&row(&[text]), &columns).unwrap(), [expect], "{kind} {text:?}");
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        for (kind, text) in [("bigint", "1.5"), ("boolean", "yes"), ("timestamp", "yesterday"), ("double", "")] {
            let columns = columns(&[info("x", kind)]).unwrap();
            assert_eq!(cells(&row(&[Some(text)]), &columns).unwrap_err().kind(), ErrorKind::Engine, "{kind} {text}");
        }
        assert!(columns(&[info("x", "array(varchar)")]).is_err());
        assert!(cells(&row(&[None, None]), &columns(&[info("x", "bigint")]).unwrap()).is_err());
    }

    #[test]
    fn the_heading_is_told_from_a_row() {
        let columns = columns(&[info("hour_start", "timestamp"), info("requests", "bigint")]).unwrap();
        assert!(is_heading(&row(&[Some("hour_start"), Some("requests")]), &columns));
        assert!(!is_heading(&row(&[Some("2026-11-20 09:00:00"), Some("1")]), &columns));
        assert!(!is_heading(&row(&[Some("hour_start")]), &columns));
    }
}
