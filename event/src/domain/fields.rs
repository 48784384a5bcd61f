//! Reads a command's JSON object field by field and says everything that is wrong with it at once.

use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

/// One thing that is wrong with a request's content.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// JSON pointer to the field (RFC 6901), or the name of a parameter or header.
    pub pointer: String,
    /// A word that programs can switch on: `missing`, `unknown`, `duplicate`, `invalid_type`, `invalid_value`, …
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
}

impl FieldError {
    /// An error of the top-level field `name`.
    pub fn field(name: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")), code, detail: detail.into() }
    }

    /// An error of a query parameter or header, named as it stands in the request.
    pub fn parameter(name: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: name.to_owned(), code, detail: detail.into() }
    }

    /// An error of the body as a whole.
    pub fn whole(code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: String::new(), code, detail: detail.into() }
    }
}

/// What a text that is not blank matches: it has a character that is no white space of Unicode's.
pub const NOT_BLANK: &str = r"[^\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]";

/// Most errors that one answer lists: a hostile body must not make the answer, or its event, larger than itself.
const ERRORS_MAX: usize = 20;
/// Most characters of a field's name that an error repeats.
const NAME_MAX: usize = 64;

/// The fields of a JSON object, taken out one by one; what is left over is unknown.
#[derive(Debug)]
pub struct Fields {
    fields: Vec<(String, Value)>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// The text is not JSON, or its value is not an object.
    pub fn parse(body: &str) -> Result<Self, FieldError> {
        let Object(pairs) = serde_json::from_str(body).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => FieldError::whole("invalid_type", "The body must be a JSON object."),
            _ => FieldError::whole("malformed", format!("The body is not valid JSON: {error}.")),
        })?;
        // A set, not a search: 4 MiB hold half a million names, and comparing each with each would take minutes (I9).
        let mut seen: HashSet<&str> = HashSet::with_capacity(pairs.len());
        let first: Vec<bool> = pairs.iter().map(|(name, _)| seen.insert(name)).collect();
        let mut read = Self { fields: Vec::with_capacity(pairs.len()), errors: Vec::new() };
        for ((name, value), first) in pairs.into_iter().zip(first) {
            if first {
                read.fields.push((name, value));
            } else {
                let name = shown(&name);
                read.error(FieldError::field(&name, "duplicate", format!("The field {name:?} stands twice.")));
            }
        }
        Ok(read)
    }

    /// Whether the object has the field and it is not yet taken.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// Takes a field out; `null` counts as a value.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.fields.iter().position(|(known, _)| known == name)?;
        Some(self.fields.remove(index).1)
    }

    /// Takes out a string of at least one visible and at most `max` characters, if it is there.
    pub fn text(&mut self, name: &str, max: usize) -> Option<String> {
        let text = match self.take(name)? {
            Value::String(text) => text,
            _ => return self.wrong(name, "invalid_type", format!("{name} must be a string.")),
        };
        if text.trim().is_empty() {
            return self.wrong(name, "invalid_value", format!("{name} must not be empty."));
        }
        if text.chars().count() > max {
            return self.wrong(name, "too_long", format!("{name} must have at most {max} characters."));
        }
        Some(text)
    }

    /// Takes out one of `allowed`, if it is there.
    pub fn choice<T>(&mut self, name: &str, allowed: &[&str], parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.take(name)?;
        match value.as_str().map(&parse) {
            Some(Some(parsed)) => Some(parsed),
            Some(None) => self.wrong(name, "invalid_value", format!("{name} must be one of {}.", allowed.join(", "))),
            None => self.wrong(name, "invalid_type", format!("{name} must be a string.")),
        }
    }

    /// Takes out a whole number of a range, if it is there.
    pub fn whole(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.take(name)?;
        let (least, most) = (range.start(), range.end());
        match whole(&value) {
            Some(number) if range.contains(&number) => Some(number),
            _ if value.is_number() => {
                self.wrong(name, "invalid_value", format!("{name} must be a whole number from {least} to {most}."))
            }
            _ => self.wrong(name, "invalid_type", format!("{name} must be a number.")),
        }
    }

    /// Notes that a required field is not there.
    pub fn missing(&mut self, name: &str) {
        self.error(FieldError::field(name, "missing", format!("{name} is required.")));
    }

    /// Notes an error; those after the first twenty are left out.
    pub fn error(&mut self, error: FieldError) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        }
    }

    fn wrong<T>(&mut self, name: &str, code: &'static str, detail: String) -> Option<T> {
        self.error(FieldError::field(name, code, detail));
        None
    }

    /// Ends the reading of a command that knows no other fields.
    ///
    /// # Errors
    /// Everything that was wrong, fields left over included.
    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        for (name, _) in std::mem::take(&mut self.fields).into_iter().take(ERRORS_MAX) {
            let name = shown(&name);
            self.error(FieldError::field(&name, "unknown", format!("There is no field {name:?}.")));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }

    /// Ends the reading of a command that keeps whatever else it is given.
    ///
    /// # Errors
    /// Everything that was wrong with the fields that were taken.
    pub fn finish_open(self) -> Result<(), Vec<FieldError>> {
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }
}

/// A field's name as an error repeats it.
fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(NAME_MAX).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

/// An object's pairs in order, names that stand twice included.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// A whole number, also as `107.0` or `1e2`: what JSON Schema takes for an integer, up to where numbers are exact.
fn whole(value: &Value) -> Option<i64> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    let of_float = |number: f64| (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64);
    value.as_i64().or_else(|| of_float(value.as_f64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_million_names_take_no_time_and_few_words() {
        let names: Vec<String> = (0..400_000).map(|n| format!("\"{n}\":0")).collect();
        let errors = Fields::parse(&format!("{{{}}}", names.join(","))).unwrap().finish().unwrap_err();
        assert_eq!((errors.len(), errors[0].pointer.as_str()), (ERRORS_MAX, "/0"));
        let twice = Fields::parse(&format!("{{{}}}", vec![r#""a":0"#; 100_000].join(","))).unwrap();
        assert_eq!(twice.finish_open().unwrap_err().len(), ERRORS_MAX);
    }

    #[test]
    fn the_pattern_is_what_the_reader_does() {
        let pattern = regex::Regex::new(NOT_BLANK).unwrap();
        for letter in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = format!(" {letter}\n");
            assert_eq!(pattern.is_match(&text), !text.trim().is_empty(), "{letter:?}");
        }
    }

    #[test]
    fn a_long_name_is_not_repeated_whole() {
        let errors = Fields::parse(&format!("{{\"{}\":0}}", "é".repeat(1_000))).unwrap().finish().unwrap_err();
        assert_eq!(errors[0].pointer, format!("/{}…", "é".repeat(NAME_MAX)));
    }
}
