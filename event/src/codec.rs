//! The event's line: JSON in a fixed field order, one line, nulls left out, no spaces.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::column::Origin;
use crate::envelope::{COLUMNS, Event, Value};
use crate::id::EventId;
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// The `schema_version` that this code writes.
pub const SCHEMA_VERSION: i32 = 1;

/// The field that holds the hash of all others.
pub(crate) const HASH: &str = "event_hash";

/// Why a line is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecError {
    column: Option<&'static str>,
    reason: String,
}

impl CodecError {
    pub(crate) fn field(column: &'static str, reason: String) -> Self {
        Self { column: Some(column), reason }
    }

    fn line(reason: impl Into<String>) -> Self {
        Self { column: None, reason: reason.into() }
    }

    /// The column at fault, where it is one column's.
    pub fn column(&self) -> Option<&'static str> {
        self.column
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "{column}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for CodecError {}

/// A column's Rust type: how it stands in the line and how it is read from it.
pub(crate) trait Field: Sized {
    fn read_field(json: &str) -> Result<Self, String>;
    fn write_field(&self, name: &str, out: &mut Vec<u8>);
    fn value(&self) -> Option<Value<'_>>;
}

fn write_json(name: &str, value: &impl serde::Serialize, out: &mut Vec<u8>) {
    if out.last().is_some_and(|last| *last != b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    // Writing JSON scalars to memory has no way to fail; a type that could would break the line, so nothing is written.
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// A finite number, read exactly: serde_json's quick reading may be off by one unit in the last place, and the event's
/// hash would no longer be that of its line.
fn read_number(json: &str) -> Option<f64> {
    let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    json.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}

macro_rules! field {
    ($type:ty, $what:literal, |$self:ident| $value:expr) => {
        field!($type, $what, |json| serde_json::from_str(json).ok(), |$self| $value);
    };
    ($type:ty, $what:literal, |$json:ident| $read:expr, |$self:ident| $value:expr) => {
        impl Field for $type {
            fn read_field(json: &str) -> Result<Self, String> {
                let $json = json;
                $read.ok_or_else(|| format!(concat!("expected ", $what, ", found {}"), excerpt(json)))
            }
            fn write_field(&self, name: &str, out: &mut Vec<u8>) {
                write_json(name, self, out);
            }
            fn value(&self) -> Option<Value<'_>> {
                let $self = self;
                Some($value)
            }
        }
    };
}

field!(String, "a string", |v| Value::String(v));
field!(EventId, "a UUID in lower case with hyphens", |v| Value::Id(*v));
field!(i32, "a 32-bit integer", |v| Value::Int(*v));
field!(i64, "a 64-bit integer", |v| Value::Bigint(*v));
field!(f64, "a number", |json| read_number(json), |v| Value::Double(*v));
field!(bool, "true or false", |v| Value::Boolean(*v));
field!(Timestamp, "a UTC time such as 2026-11-20T09:30:26.123456Z", |v| Value::Timestamp(*v));

impl<T: Field> Field for Option<T> {
    fn read_field(json: &str) -> Result<Self, String> {
        if json == "null" { Ok(None) } else { T::read_field(json).map(Some) }
    }
    fn write_field(&self, name: &str, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.write_field(name, out);
        }
    }
    fn value(&self) -> Option<Value<'_>> {
        self.as_ref().and_then(Field::value)
    }
}

/// The first characters of a value at fault, fit for an error message.
fn excerpt(json: &str) -> String {
    let mut text: String = json.chars().take(40).collect();
    if text.len() < json.len() {
        text.push('…');
    }
    text
}

/// A line's fields in the order they stand in, values untouched.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(COLUMNS.len());
                while let Some(Name(name)) = map.next_key()? {
                    fields.push((name, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A field's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Event {
    /// Reads one line.
    ///
    /// Takes fields in any order and keeps unknown ones in `extra`.
    ///
    /// # Errors
    /// The line is not UTF-8 or not one JSON object, spans lines, names a field twice, lacks a required one, or
    /// gives a known field another type. Nothing is ever coerced.
    pub fn from_line(line: &[u8]) -> Result<Self, CodecError> {
        let text = std::str::from_utf8(line).map_err(|error| CodecError::line(format!("not UTF-8: {error}")))?;
        if text.contains('\n') {
            return Err(CodecError::line("more than one line"));
        }
        let Fields(fields) =
            serde_json::from_str(text).map_err(|error| CodecError::line(format!("not a JSON object: {error}")))?;
        let mut event = Self::default();
        let mut seen: HashSet<&str> = HashSet::with_capacity(fields.len());
        for (name, raw) in &fields {
            if !seen.insert(name) {
                return Err(CodecError::line(format!("field {} stands twice", excerpt(name))));
            }
            match event.read_field(name, raw.get()) {
                Some(result) => result?,
                None => event.extra.push((name.to_string(), (*raw).to_owned())),
            }
        }
        for column in COLUMNS.iter().filter(|c| c.required && c.origin == Origin::Line) {
            if !seen.contains(column.name) {
                return Err(CodecError::field(column.name, "missing".to_owned()));
            }
        }
        Ok(event)
    }

    /// Writes the event as one line, without a line feed.
    pub fn to_line(&self) -> Vec<u8> {
        self.render(None).0
    }

    /// SHA-256 of the line without `event_hash`, in hex.
    pub fn compute_hash(&self) -> String {
        sha256_hex(&self.render(Some(HASH)).0)
    }

    /// Whether the event is what was sealed: its hash is that of its line.
    pub fn hash_holds(&self) -> bool {
        self.compute_hash() == self.event_hash
    }

    /// Sets `event_hash`; to be called last, once every other field has its value.
    #[must_use]
    pub fn sealed(self) -> Self {
        Sealed::of(self).into_event()
    }

    /// The line, but for one field, and where that would stand.
    pub(crate) fn render(&self, without: Option<&str>) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(1_536 + self.request_body.as_ref().map_or(0, String::len));
        out.push(b'{');
        let left_out = self.write_fields(&mut out, without);
        for (name, value) in &self.extra {
            if out.last().is_some_and(|last| *last != b'{') {
                out.push(b',');
            }
            out.extend_from_slice(serde_json::Value::from(name.as_str()).to_string().as_bytes());
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b'}');
        (out, left_out)
    }
}

/// Two events are equal when their lines are.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.to_line() == other.to_line()
    }
}

/// SHA-256 of `bytes`, in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
