//! One line of the access log, read whatever a client wrote into it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::format::{ABSENT, FIELDS, TRUSTED};
use crate::time::Timestamp;

/// A request as the gateway saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub(super) request_id: String,
    pub(super) extended_request_id: Option<String>,
    pub(super) requested_at: Timestamp,
    pub(super) status: u16,
    pub(super) values: Values,
}

/// Longest id that an event keeps of its request, bytes: a client may have made it longer.
pub const LONGEST_ID: usize = 256;

/// An id as the request's event has it.
fn cut_id(id: &str) -> &str {
    &id[..id.floor_char_boundary(LONGEST_ID)]
}

/// The values of a line, one for each field of the format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values([Option<String>; FIELDS.len()]);

impl Values {
    /// The value of a field, unless it is absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let index = FIELDS.iter().position(|field| field.name == name)?;
        self.0[index].as_deref()
    }

    fn set(&mut self, index: usize, value: &str) {
        let value = value.trim();
        self.0[index] = (!value.is_empty() && value != ABSENT).then(|| value.to_owned());
    }
}

impl Line {
    /// Reads one line.
    ///
    /// It need not be JSON: what the gateway does not escape is told apart by the format itself, of which the first
    /// fields are not for a client to word. Unknown fields are passed over; `-` is no value.
    ///
    /// # Errors
    /// The line is not of the format, or does not say which request it is about, when it came, or how it ended.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(line);
        let values = match serde_json::from_str::<Json>(&text) {
            Ok(Json(values)) => values,
            Err(error) => by_format(text.trim()).ok_or_else(|| format!("no line of the access log: {error}"))?,
        };
        let extended_request_id = values.get("extendedRequestId").map(str::to_owned);
        let request_id = values.get("requestId").map(str::to_owned).or_else(|| extended_request_id.clone());
        Ok(Self {
            request_id: request_id.ok_or("requestId: missing")?,
            extended_request_id,
            requested_at: time(values.get("requestTimeEpoch"))?,
            status: status(values.get("status"))?,
            values,
        })
    }

    /// When the request came, by the gateway's clock.
    pub fn requested_at(&self) -> Timestamp {
        self.requested_at
    }

    /// The ids under which the request's own event may stand: the one that a client can choose, and the gateway's.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let extended = self.extended_request_id.as_deref().filter(|id| *id != self.request_id);
        [self.request_id.as_str()].into_iter().chain(extended).map(cut_id)
    }

    /// Whether the request cannot have an event of its own: the gateway refused it and asked nobody.
    ///
    /// In doubt it can. Then the log has to be asked, which costs time; the other mistake would cost a second event.
    pub fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) && !self.reached_integration()
    }

    /// Whether the gateway called the code behind it.
    pub(super) fn reached_integration(&self) -> bool {
        ["integrationStatus", "integrationLatency", "integrationRequestId", "integrationErrorMessage"]
            .iter()
            .any(|name| self.values.get(name).is_some())
    }
}

/// Milliseconds of the epoch, or seconds: HTTP APIs' documents do not say which. Seconds reach 10^11 in the year 5138.
fn time(value: Option<&str>) -> Result<Timestamp, String> {
    const LAST: i64 = 253_402_300_799_999;
    let value = value.ok_or("requestTimeEpoch: missing")?;
    let wrong = || format!("requestTimeEpoch: expected milliseconds since 1970, found {value:.40}");
    let number: i64 = value.parse().map_err(|_| wrong())?;
    let millis = if number < 100_000_000_000 { number.saturating_mul(1_000) } else { number };
    if (0..=LAST).contains(&millis) { Ok(Timestamp::from_micros(millis * 1_000)) } else { Err(wrong()) }
}

fn status(value: Option<&str>) -> Result<u16, String> {
    let value = value.ok_or("status: missing")?;
    let status = value.parse().ok().filter(|status| (100..600).contains(status));
    status.ok_or_else(|| format!("status: expected an HTTP status, found {value:.40}"))
}

/// The line as the format has it, without regard to JSON: each value ends where the next field begins.
///
/// Values before the first that a client words cannot hold a quotation mark. A line that breaks off after them is
/// taken, too: it says which request it is about.
fn by_format(text: &str) -> Option<Values> {
    let mut values = Values::default();
    let mut rest = text.strip_prefix(&format!("{{\"{}\":\"", FIELDS[0].name))?;
    for (index, next) in FIELDS.iter().enumerate().skip(1) {
        let separator = format!("\",\"{}\":\"", next.name);
        let (value, after) = match rest.split_once(&separator) {
            Some(split) => split,
            None if index > TRUSTED => (rest, ""),
            None => return None,
        };
        if index <= TRUSTED && value.contains('"') {
            return None;
        }
        values.set(index - 1, value);
        rest = after;
    }
    values.set(FIELDS.len() - 1, rest.strip_suffix("\"}").unwrap_or(rest));
    Some(values)
}

/// A line that is JSON and names each field of the format once at most.
struct Json(Values);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonVisitor;
        impl<'de> Visitor<'de> for JsonVisitor {
            type Value = Json;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut values, mut seen) = (Values::default(), [false; FIELDS.len()]);
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let Some(index) = FIELDS.iter().position(|field| field.name == name) else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    if std::mem::replace(&mut seen[index], true) {
                        return Err(serde::de::Error::custom(format_args!("field {name} stands twice")));
                    }
                    match map.next_value()? {
                        Scalar::Text(text) => values.set(index, &text),
                        Scalar::Number(number) => values.set(index, &number.to_string()),
                        Scalar::Absent(()) => {}
                    }
                }
                Ok(Json(values))
            }
        }
        deserializer.deserialize_map(JsonVisitor)
    }
}

/// A value as the gateway or a test harness writes it: text, a bare number, or null.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Absent(()),
}
