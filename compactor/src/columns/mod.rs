//! Lines to columns: straight from the text into Arrow's builders.

mod tokens;

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use event::{COLUMNS, ColumnType, Event, LINE_COLUMNS, Timestamp, Value};

use crate::error::{Error, Result};
use crate::schema;
use tokens::{Token, Tokens};

/// Rows that are being built, with all of the table's columns.
#[derive(Debug)]
pub(crate) struct Columns {
    tokens: Tokens,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    ingested_at: Timestamp,
}

impl Columns {
    /// No rows; those to come enter the table at `ingested_at`.
    pub(crate) fn new(ingested_at: Timestamp) -> Self {
        let columns = COLUMNS.iter().map(|column| Column::new(column.kind)).collect();
        Self { tokens: Tokens::default(), columns, rows: 0, bytes: 0, ingested_at }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of their lines.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the event of a line of `raw_object`; says `false`, and adds nothing, if the line is none.
    ///
    /// The values are those of [`Event::from_line`], whichever way the line is read.
    pub(crate) fn push(&mut self, line: &[u8], raw_object: &str) -> bool {
        let text = simdutf8::basic::from_utf8(line).ok();
        match text.and_then(|text| self.tokens.read(text).map(|()| text)) {
            Some(text) => {
                for (column, token) in self.columns.iter_mut().zip(self.tokens.fields()) {
                    column.append_token(text, *token, &self.tokens);
                }
            }
            None => {
                let Ok(event) = Event::from_line(line) else { return false };
                for (column, value) in self.columns.iter_mut().zip(event.values()) {
                    column.append(value);
                }
            }
        }
        for (column, listed) in self.columns.iter_mut().zip(COLUMNS).skip(LINE_COLUMNS) {
            column.append(match listed.name {
                "raw_object" => Some(Value::String(raw_object)),
                "ingested_at" => Some(Value::Timestamp(self.ingested_at)),
                _ => None,
            });
        }
        self.rows += 1;
        self.bytes += line.len();
        true
    }

    /// Whether [`push`](Self::push) would add a line.
    pub(crate) fn accepts(&mut self, line: &[u8]) -> bool {
        simdutf8::basic::from_utf8(line).is_ok_and(|text| self.tokens.read(text).is_some())
            || Event::from_line(line).is_ok()
    }

    /// The rows so far; the next one begins another batch.
    ///
    /// # Errors
    /// A required column lacks a value, which reading the line rules out.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        (self.rows, self.bytes) = (0, 0);
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect();
        RecordBatch::try_new(schema::arrow_schema(), columns).map_err(Error::lake("build the rows"))
    }
}

/// A column that is being built.
#[derive(Debug)]
enum Column {
    String(StringBuilder),
    Int(Int32Builder),
    Bigint(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Column {
    fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::String => Self::String(StringBuilder::new()),
            ColumnType::Int => Self::Int(Int32Builder::new()),
            ColumnType::Bigint => Self::Bigint(Int64Builder::new()),
            ColumnType::Double => Self::Double(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
        }
    }

    /// Adds a value. One of another type, which the list of columns rules out, becomes a null.
    fn append(&mut self, value: Option<Value<'_>>) {
        match (self, value) {
            (Self::String(column), Some(Value::String(text))) => column.append_value(text),
            (Self::String(column), Some(Value::Id(id))) => {
                // Writing to memory cannot fail.
                let _ = write!(column, "{id}");
                column.append_value("");
            }
            (Self::Int(column), Some(Value::Int(number))) => column.append_value(number),
            (Self::Bigint(column), Some(Value::Bigint(number))) => column.append_value(number),
            (Self::Double(column), Some(Value::Double(number))) => column.append_value(number),
            (Self::Boolean(column), Some(Value::Boolean(truth))) => column.append_value(truth),
            (Self::Timestamp(column), Some(Value::Timestamp(time))) => column.append_value(time.micros()),
            (column, _) => column.append_null(),
        }
    }

    fn append_token(&mut self, line: &str, token: Token, tokens: &Tokens) {
        match (self, token) {
            (Self::String(column), Token::Plain(start, end)) => {
                column.append_value(&line[start as usize..end as usize]);
            }
            (Self::String(column), Token::Escaped(start, end, first)) => {
                // Writing to memory cannot fail.
                tokens.unescaped(line, (start, end, first), |piece| {
                    let _ = column.write_str(piece);
                });
                column.append_value("");
            }
            // Within 32 bits: the token says so.
            (Self::Int(column), Token::Integer(number)) => column.append_value(number as i32),
            (Self::Bigint(column), Token::Integer(number)) => column.append_value(number),
            (Self::Timestamp(column), Token::Integer(number)) => column.append_value(number),
            (Self::Double(column), Token::Double(number)) => column.append_value(number),
            (Self::Boolean(column), Token::Truth(truth)) => column.append_value(truth),
            (column, _) => column.append_null(),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::String(column) => column.append_null(),
            Self::Int(column) => column.append_null(),
            Self::Bigint(column) => column.append_null(),
            Self::Double(column) => column.append_null(),
            Self::Boolean(column) => column.append_null(),
            Self::Timestamp(column) => column.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match self {
            Self::String(column) => column,
            Self::Int(column) => column,
            Self::Bigint(column) => column,
            Self::Double(column) => column,
            Self::Boolean(column) => column,
            Self::Timestamp(column) => return Arc::new(column.finish()),
        };
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usual() -> String {
        let event = Event {
            request_body: Some("{\"a\":\"\\n\\u00fc ü\"}\t/\\".to_owned()),
            path: "/data".to_owned(),
            status: 201,
            duration_ms: 1.25,
            response_bytes: Some(-7),
            cold_start: Some(true),
            ..Event::default()
        };
        String::from_utf8(event.sealed().to_line()).unwrap()
    }

    /// The row that a line makes, and whether it had tokens.
    fn row(line: &[u8]) -> (Option<RecordBatch>, bool) {
        let mut columns = Columns::new(Timestamp::from_micros(5));
        let quick = std::str::from_utf8(line).is_ok_and(|line| columns.tokens.read(line).is_some());
        let row = columns.push(line, "raw/a").then(|| columns.finish().unwrap());
        (row, quick)
    }

    /// The row of the event that a line is, value by value.
    fn slow_row(line: &[u8]) -> Option<RecordBatch> {
        let event = Event::from_line(line).ok()?;
        let mut columns = Columns::new(Timestamp::from_micros(5));
        let compactor = [Some(Value::String("raw/a")), Some(Value::Timestamp(Timestamp::from_micros(5)))];
        for (column, value) in columns.columns.iter_mut().zip(event.values().into_iter().chain(compactor)) {
            column.append(value);
        }
        Some(columns.finish().unwrap())
    }

    fn check(line: &[u8], expect_quick: bool) {
        let (found, quick) = row(line);
        let shown = String::from_utf8_lossy(line);
        assert_eq!(found, slow_row(line), "{shown}");
        assert_eq!(quick, expect_quick, "{shown}");
    }

    #[test]
    fn a_usual_line_is_read_the_quick_way() {
        check(usual().as_bytes(), true);
        check(&Event::default().to_line(), true);
    }

    #[test]
    fn what_is_unusual_is_read_to_the_same_values_or_refused() {
        let usual = usual();
        for (from, to) in [
            (r#""status":201"#, r#""status":0201"#),
            (r#""status":201"#, r#""status":-0"#),
            (r#""status":201"#, r#""status":2147483648"#),
            (r#""status":201"#, r#""status":2.0"#),
            (r#""status":201"#, r#""status":"201""#),
            (r#""status":201"#, r#""status":201 "#),
            (r#""status":201"#, r#""status":201,"status":202"#),
            (r#""status":201"#, r#""status":201,"unknown":{"status":7}"#),
            (r#""status":201"#, r#""duration_ms":2,"status":201"#),
            (r#""status":201,"#, ""),
            (r#""duration_ms":1.25"#, r#""duration_ms":1e2"#),
            (r#""duration_ms":1.25"#, r#""duration_ms":.25"#),
            (r#""duration_ms":1.25"#, r#""duration_ms":01"#),
            (r#""duration_ms":1.25"#, r#""duration_ms":1."#),
            (r#""duration_ms":1.25"#, r#""duration_ms":1e999"#),
            (r#""response_bytes":-7"#, r#""response_bytes":null"#),
            (r#""response_bytes":-7"#, r#""response_bytes":9223372036854775808"#),
            (r#""response_bytes":-7"#, r#""response_bytes":-9223372036854775808"#),
            (r#""cold_start":true"#, r#""cold_start":True"#),
            (r#""path":"/data""#, r#""path":"\u002fdata""#),
            (r#""path":"/data""#, r#""path":"\ud800""#),
            (r#""path":"/data""#, r#""path":"\x""#),
            (r#""path":"/data""#, "\"path\":\"\t\""),
            (r#""path":"/data""#, r#""path":"/data"#),
            (r#""path":"#, r#""p\u0061th":"#),
            ("{", "{ "),
            ("}", "},"),
            ("}", "} "),
            ("}", "}\r"),
            ("1970-01-01T", "1970-01-01t"),
            ("00000000-", "0000000-0"),
            ("00000000-", "AAAAAAAA-"),
        ] {
            let (first, last) = usual.rsplit_once('}').unwrap();
            let line = if from == "}" { format!("{first}{to}{last}") } else { usual.replacen(from, to, 1) };
            assert_ne!(line, usual, "{from}");
            check(line.as_bytes(), false);
        }
        check(&[usual.as_bytes(), b"\xff"].concat(), false);
        for (from, to) in [
            (r#""duration_ms":1.25"#, r#""duration_ms":-0.1234567890123456789"#),
            (r#""duration_ms":1.25"#, r#""duration_ms":0"#),
            (r#""response_bytes":-7"#, r#""response_bytes":999999999999999999"#),
            (r#""path":"/data""#, r#""path":"\"\\\/\b\f\n\r\t""#),
            (r#""path":"/data""#, r#""path":"""#),
            (r#""cold_start":true"#, r#""cold_start":false"#),
        ] {
            check(usual.replacen(from, to, 1).as_bytes(), true);
        }
        for end in 0..usual.len() {
            check(&usual.as_bytes()[..end], false);
        }
    }

    /// A value as it may stand in a line, right and wrong ones.
    fn value(kind: ColumnType) -> BoxedStrategy<String> {
        let of = |texts: &'static [&'static str]| proptest::sample::select(texts).prop_map(str::to_owned);
        let strange =
            of(&["null", "{}", "[1]", "\"\"", "tru", "-", "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\x\"", "\"\t\""]);
        let right = match kind {
            ColumnType::String => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()).boxed(),
            ColumnType::Int => any::<i32>().prop_map(|number| number.to_string()).boxed(),
            ColumnType::Bigint => any::<i64>().prop_map(|number| number.to_string()).boxed(),
            ColumnType::Double => any::<f64>().prop_map(|number| serde_json::to_string(&number).unwrap()).boxed(),
            ColumnType::Boolean => any::<bool>().prop_map(|truth| truth.to_string()).boxed(),
            ColumnType::Timestamp => {
                any::<i64>().prop_map(|micros| format!("\"{}\"", Timestamp::from_micros(micros))).boxed()
            }
        };
        let number =
            of(&["0", "-0", "00", "-1", "1.0", "1e3", "1E-400", "123456789012345678901234567890", "1.", "+1", "0.1"]);
        prop_oneof![60 => right, 1 => strange, 1 => number].boxed()
    }

    fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
        let field = |(place, column): (usize, &'static event::Column)| {
            let value = match place {
                0 => any::<u128>().prop_map(|id| format!("\"{}\"", event::EventId::from_u128(id))).boxed(),
                _ => value(column.kind),
            };
            let keep = proptest::bool::weighted(if column.required { 0.99 } else { 0.7 });
            (keep, value).prop_map(|(keep, value)| keep.then(|| (column.name.to_owned(), value)))
        };
        let all: Vec<_> = COLUMNS[..LINE_COLUMNS].iter().enumerate().map(field).collect();
        all.prop_map(|fields| fields.into_iter().flatten().collect())
    }

    proptest! {
        #[test]
        fn whatever_a_line_is_both_ways_read_the_same(
            mut fields in fields(),
            swap in proptest::option::weighted(0.2, any::<(proptest::sample::Index, proptest::sample::Index)>()),
            double in proptest::option::weighted(0.1, any::<proptest::sample::Index>()),
            unknown in proptest::option::weighted(0.1, (any::<proptest::sample::Index>(), "[a-z_]{1,9}")),
            byte in proptest::option::weighted(0.2, (any::<proptest::sample::Index>(), any::<u8>())),
        ) {
            if let Some((a, b)) = swap {
                let (a, b) = (a.index(fields.len()), b.index(fields.len()));
                fields.swap(a, b);
            }
            if let Some(place) = double {
                let again = fields[place.index(fields.len())].clone();
                fields.push(again);
            }
            if let Some((place, name)) = unknown {
                let place = place.index(fields.len());
                fields.insert(place, (name, "{\"status\":[1,\"x\"]}".to_owned()));
            }
            let text: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let mut line = format!("{{{}}}", text.join(",")).into_bytes();
            if let Some((place, byte)) = byte {
                let place = place.index(line.len());
                line[place] = byte;
            }
            prop_assert_eq!(row(&line).0, slow_row(&line), "{}", String::from_utf8_lossy(&line));
        }
    }
}
