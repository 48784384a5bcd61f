//! A parameter: its declaration, its kinds, its values and how they stand in SQL.

use event::Timestamp;

use crate::named::time::TimeExpression;

/// The most rows that a `limit` may ask for.
const LARGEST_LIMIT: i64 = 10_000;
/// The longest text that a parameter may have, in bytes: what Athena takes as an execution parameter.
const LONGEST_TEXT: usize = 1_024;

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// An instant: `2026-11-20T09:30:26Z`, `2026-11-20`, or relative to now, such as `now - 24h`.
    Timestamp,
    /// Text of at most 1,024 bytes without NUL.
    String,
    /// A 64-bit whole number.
    Bigint,
    /// A number of rows from 1 to 10,000, fit to stand after `limit`.
    Limit,
}

impl ParamKind {
    /// The kind's name in headers and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::String => "string",
            Self::Bigint => "bigint",
            Self::Limit => "limit",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        [Self::Timestamp, Self::String, Self::Bigint, Self::Limit]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("expected one of timestamp, string, bigint, limit, found `{text}`"))
    }

    /// Reads a value that someone gave.
    ///
    /// # Errors
    /// The text is not of this kind; the message says what is expected, and shows at most 64 characters of the text.
    pub(crate) fn read(self, text: &str, now: Timestamp) -> Result<ParamValue, String> {
        match self {
            Self::Timestamp => TimeExpression::parse(text).map(|time| ParamValue::Timestamp(time.at(now))),
            Self::String => read_text(text),
            Self::Bigint => text
                .parse()
                .map(ParamValue::Bigint)
                .map_err(|_| format!("expected a whole number of 64 bits, found {text:.64}")),
            Self::Limit => match text.parse() {
                Ok(rows @ 1..=LARGEST_LIMIT) => Ok(ParamValue::Bigint(rows)),
                _ => Err(format!("expected a number from 1 to {LARGEST_LIMIT}, found {text:.64}")),
            },
        }
    }
}

fn read_text(text: &str) -> Result<ParamValue, String> {
    if text.len() > LONGEST_TEXT {
        return Err(format!("expected at most {LONGEST_TEXT} bytes, found {}", text.len()));
    }
    if text.contains('\0') {
        return Err("expected text without NUL".to_owned());
    }
    Ok(ParamValue::String(text.to_owned()))
}

/// The value of a parameter that nobody gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultValue {
    /// SQL's null, of the parameter's kind: the query then does without the parameter.
    Null,
    /// An instant, perhaps relative to now.
    Time(TimeExpression),
    /// Any other value.
    Value(ParamValue),
}

impl DefaultValue {
    /// Reads the default that a header declares: `null`, or text in single quotes, or a value of another kind as it is.
    pub(crate) fn parse(kind: ParamKind, text: &str) -> Result<Self, String> {
        match (kind, text) {
            (ParamKind::Limit, "null") => Err("a limit cannot be null".to_owned()),
            (_, "null") => Ok(Self::Null),
            (ParamKind::Timestamp, text) => TimeExpression::parse(text).map(Self::Time),
            (ParamKind::String, text) => text
                .strip_prefix('\'')
                .and_then(|text| text.strip_suffix('\''))
                .filter(|text| !text.contains('\''))
                .ok_or_else(|| format!("expected null or text in single quotes, found `{text}`"))
                .and_then(read_text)
                .map(Self::Value),
            (kind, text) => kind.read(text, Timestamp::default()).map(Self::Value),
        }
    }

    pub(crate) fn at(&self, now: Timestamp) -> ParamValue {
        match self {
            Self::Null => ParamValue::Null,
            Self::Time(time) => ParamValue::Timestamp(time.at(now)),
            Self::Value(value) => value.clone(),
        }
    }
}

/// What a query lets its asker say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name: `:name` in the SQL.
    pub name: &'static str,
    /// What it may be.
    pub kind: ParamKind,
    /// Its value if nobody gives one; without a default it is required.
    pub default: Option<DefaultValue>,
    /// What it means, in a phrase.
    pub meaning: &'static str,
}

/// A checked value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamValue {
    /// No value.
    Null,
    /// An instant.
    Timestamp(Timestamp),
    /// Text.
    String(String),
    /// A whole number.
    Bigint(i64),
}

impl ParamValue {
    /// The value as an expression that Trino, DataFusion and DuckDB read alike, of the type of `kind`'s columns.
    ///
    /// It is one operand wherever it stands: text is quoted, and no other rendering begins with a sign. Instants keep
    /// their microseconds, which `timestamp` without a precision would round away on Trino.
    pub(crate) fn literal(&self, kind: ParamKind) -> String {
        match self {
            Self::Null => cast("null", kind),
            Self::Timestamp(time) => cast(&quoted(&written(*time)), ParamKind::Timestamp),
            Self::String(text) => quoted(text),
            Self::Bigint(number) if *number < 0 => cast(&quoted(&number.to_string()), kind),
            Self::Bigint(number) => number.to_string(),
        }
    }

    /// The value as an expression with a question mark, and what the mark stands for: a quoted text of at most 1,024
    /// bytes. `None` if the value must stand in the statement itself.
    pub(crate) fn parameter(&self, kind: ParamKind) -> Option<(String, String)> {
        let text = match (self, kind) {
            (Self::Null, _) | (_, ParamKind::Limit) => return None,
            (Self::Timestamp(time), _) => quoted(&written(*time)),
            (Self::String(text), _) => quoted(text),
            (Self::Bigint(number), _) => quoted(&number.to_string()),
        };
        (text.len() <= LONGEST_TEXT).then(|| (cast("?", kind), text))
    }
}

/// An instant as SQL writes it, UTC, with microseconds.
fn written(time: Timestamp) -> String {
    time.to_string().replace('T', " ").replace('Z', "")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn cast(operand: &str, kind: ParamKind) -> String {
    format!("cast({operand} as {})", sql_type(kind))
}

const fn sql_type(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Timestamp => "timestamp(6)",
        ParamKind::String => "varchar",
        ParamKind::Bigint | ParamKind::Limit => "bigint",
    }
}
