//! Reads a command's JSON object field by field and says everything that is wrong with it at once.

use std::fmt;

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
        let mut fields: Vec<(String, Value)> = Vec::with_capacity(pairs.len());
        let mut errors = Vec::new();
        for (name, value) in pairs {
            if fields.iter().any(|(known, _)| *known == name) {
                errors.push(FieldError::field(&name, "duplicate", format!("The field {name:?} stands twice.")));
            } else {
                fields.push((name, value));
            }
        }
        Ok(Self { fields, errors })
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

    /// Notes that a required field is not there.
    pub fn missing(&mut self, name: &str) {
        self.errors.push(FieldError::field(name, "missing", format!("{name} is required.")));
    }

    /// Notes an error of the body as a whole.
    pub fn error(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    fn wrong<T>(&mut self, name: &str, code: &'static str, detail: String) -> Option<T> {
        self.errors.push(FieldError::field(name, code, detail));
        None
    }

    /// Ends the reading of a command that knows no other fields.
    ///
    /// # Errors
    /// Everything that was wrong, fields left over included.
    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        for (name, _) in &self.fields {
            self.errors.push(FieldError::field(name, "unknown", format!("There is no field {name:?}.")));
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
