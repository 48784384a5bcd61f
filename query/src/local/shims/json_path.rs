//! JSON paths as Trino's `json_extract` reads them, and what they lead to.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A path: `$`, then `.name`, `["name"]` or `[3]`, any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<String>);

impl JsonPath {
    /// Reads a path. No wildcards, filters or negative indexes: Trino has none either.
    ///
    /// # Errors
    /// The text is no such path; the message shows it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("invalid JSON path: {text:.64}");
        let mut rest = text.strip_prefix('$').ok_or_else(refused)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(refused)?;
            steps.push(step);
            rest = after;
        }
        Ok(Self(steps))
    }

    /// The raw JSON of the first value that the path leads to; `None` if there is none or the JSON breaks before it.
    ///
    /// The first of duplicate names counts. What follows the value is not looked at.
    pub(crate) fn find<'a>(&self, json: &'a str) -> Option<&'a str> {
        let found = Cell::new(None);
        let mut deserializer = serde_json::Deserializer::from_str(json);
        // The walk ends with an error once the value is found: that is how it stops early.
        let _ = Walk { steps: &self.0, found: &found }.deserialize(&mut deserializer);
        found.get()
    }
}

/// The first step of a path and what follows it.
fn step(path: &str) -> Option<(String, &str)> {
    if let Some(rest) = path.strip_prefix('.') {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).unwrap_or(rest.len());
        return (end > 0).then(|| (rest[..end].to_owned(), &rest[end..]));
    }
    let rest = path.strip_prefix('[')?;
    match rest.strip_prefix('"') {
        Some(rest) => {
            let (name, rest) = quoted(rest)?;
            Some((name, rest.strip_prefix(']')?))
        }
        None => {
            let (name, rest) = rest.split_once(']')?;
            let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            plain.then(|| (name.to_owned(), rest))
        }
    }
}

/// A name up to its closing quote; a backslash keeps the quote or backslash that follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => name.push(characters.next().map(|(_, c)| c).filter(|c| matches!(c, '"' | '\\'))?),
            '"' => return Some((name, &text[at + 1..])),
            character => name.push(character),
        }
    }
    None
}

/// Descends along the steps, into the object's field or the array's element of that name.
struct Walk<'p, 'f, 'a> {
    steps: &'p [String],
    found: &'f Cell<Option<&'a str>>,
}

impl<'a> DeserializeSeed<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.steps.is_empty() {
            let raw: &'a RawValue = serde::Deserialize::deserialize(deserializer)?;
            self.found.set(Some(raw.get()));
            return Err(serde::de::Error::custom("found"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, steps)) = self.steps.split_first() else { return Ok(()) };
        // Raw: a name may be no text, since half of a surrogate pair breaks no JSON.
        while let Some(name) = map.next_key::<&RawValue>()? {
            if is_named(name.get(), step) {
                return map.next_value_seed(Walk { steps, found: self.found });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        let Some((step, steps)) = self.steps.split_first() else { return Ok(()) };
        let Ok(index) = step.parse::<usize>() else { return Err(serde::de::Error::custom("no such element")) };
        for _ in 0..index {
            if elements.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        elements.next_element_seed(Walk { steps, found: self.found }).map(|_| ())
    }
}

/// Whether a JSON string says `name`.
fn is_named(raw: &str, name: &str) -> bool {
    match raw.contains('\\') {
        true => serde_json::from_str::<String>(raw).is_ok_and(|text| text == name),
        false => raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) == Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths() {
        for (text, expect) in [
            ("$", vec![]),
            ("$.a", vec!["a"]),
            ("$.a.b_c:d", vec!["a", "b_c:d"]),
            ("$[\"a.b\"].c", vec!["a.b", "c"]),
            ("$.a[0][12]", vec!["a", "0", "12"]),
            ("$[\"it's \\\" \\\\\"]", vec!["it's \" \\"]),
            ("$.é", vec!["é"]),
            ("$[a]", vec!["a"]),
        ] {
            let expect = expect.into_iter().map(str::to_owned).collect();
            assert_eq!(JsonPath::parse(text), Ok(JsonPath(expect)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in [
            "",
            "a",
            "$.",
            "$a",
            "$..a",
            "$.a.",
            "$[",
            "$[]",
            "$[-1]",
            "$[*]",
            "$.*",
            "$['a']",
            "$[\"a]",
            "$[\"a\"",
            "$.a b",
            "$.a-b",
            "$.$a",
            "$[\"a\\n\"]",
        ] {
            assert!(JsonPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn finds_the_raw_value() {
        let deep = format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000));
        for (json, path, expect) in [
            (r#"{"a":{"b":1}}"#, "$.a.b", Some("1")),
            (r#"{"a": {"b" : [1, {"c":2}]}}"#, "$.a.b[1]", Some(r#"{"c":2}"#)),
            (r#"{"a":[10,20]}"#, "$.a[1]", Some("20")),
            (r#"{"a":[10,20]}"#, "$.a[2]", None),
            (r#"{"a":[10,20]}"#, "$.a.b", None),
            (r#"{"a":{"0":"x"}}"#, "$.a[0]", Some(r#""x""#)),
            (r#"{"a":1}"#, "$.a.b", None),
            (r#"{"a":1,"a":2}"#, "$.a", Some("1")),
            (r#"{"\u0061":1}"#, "$.a", Some("1")),
            (r#"{"\ud800":0,"a":1}"#, "$.a", Some("1")),
            ("{\"\n\":0,\"a\":1}", "$.a", None),
            (r#"{"a":null}"#, "$.a", Some("null")),
            (r#"{"a":123456789012345678901234567890}"#, "$.a", Some("123456789012345678901234567890")),
            (r#"{"a":1} trailing"#, "$.a", Some("1")),
            (r#"{"b":tru,"a":1}"#, "$.a", None),
            (r#"{"a":"#, "$.a", None),
            ("", "$", None),
            ("not json", "$.a", None),
            ("7", "$", Some("7")),
            (&deep, "$.a", None),
            (&deep, "$[0][0]", None),
        ] {
            let path = JsonPath::parse(path).unwrap();
            let found = path.find(json);
            if json.len() < 1_000 {
                assert_eq!(found, expect, "{json}");
            } else {
                // Depth is somebody else's limit; here it must only do no harm.
                assert!(found.is_none_or(|raw| json.contains(raw)));
            }
        }
    }
}
