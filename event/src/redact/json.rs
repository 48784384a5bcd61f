//! Masks secrets in JSON without re-serialising it: every byte that is not a secret stays as it was received.

use std::borrow::Cow;
use std::ops::Range;

use super::{Redactor, is_mask};

impl Redactor {
    /// The JSON text with its secrets masked; `None` where nothing had to be.
    ///
    /// Big integers, duplicate keys and white space survive. Text that is not quite JSON is masked as far as it reads
    /// like it.
    pub(super) fn json(&self, text: &str) -> Option<String> {
        let mut walk = Walk { text, at: 0, key_next: false, open: Vec::new() };
        let mut out = String::new();
        let mut copied = 0;
        while let Some(found) = walk.next() {
            let name = found.key.clone().map(|key| (unquoted(&text[key.clone()]), key));
            let replaced = match &name {
                Some((name, _)) if self.rules.masks_key(name) => self.masked(&mut walk, &found.value),
                _ => self.by_shape(&text[found.value.clone()]).map(|value| (found.value.clone(), value)),
            };
            // A secret may be used as a name, too.
            let renamed = name.and_then(|(name, key)| match self.value(&name) {
                Cow::Owned(masked) if masked != name => Some((key, masked)),
                _ => None,
            });
            for (span, value) in renamed.into_iter().chain(replaced) {
                out.push_str(&text[copied..span.start]);
                out.push_str(&quoted(&value));
                copied = span.end;
            }
        }
        (copied > 0).then(|| out + &text[copied..])
    }

    /// The mask for a value under a secret's name; a container is masked whole, and the walk goes on behind it.
    fn masked(&self, walk: &mut Walk<'_>, value: &Range<usize>) -> Option<(Range<usize>, String)> {
        let raw = &walk.text[value.clone()];
        match raw.as_bytes().first()? {
            b'{' | b'[' => {
                let span = value.start..container_end(walk.text.as_bytes(), value.start);
                walk.leave(span.end);
                Some((span.clone(), self.mask(&walk.text[span])))
            }
            b'"' => {
                let secret = unquoted(raw);
                let open = secret.is_empty() || is_mask(&secret);
                (!open).then(|| (value.clone(), self.mask(&secret)))
            }
            b't' | b'f' | b'n' => None,
            _ => Some((value.clone(), self.mask(raw))),
        }
    }

    /// The masked text of a string or number that looks like a secret.
    fn by_shape(&self, raw: &str) -> Option<String> {
        let text = match raw.as_bytes().first()? {
            b'"' => unquoted(raw),
            b'0'..=b'9' | b'-' if raw.len() >= 13 => Cow::Borrowed(raw),
            _ => return None,
        };
        match self.value(&text) {
            Cow::Owned(masked) if masked != text => Some(masked),
            _ => None,
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a string says, whether or not it is quite JSON: a half surrogate, an unknown escape or a missing quotation
/// mark must not shield a secret.
fn unquoted(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').unwrap_or(raw);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(raw).map_or_else(|_| Cow::Owned(unescaped(inner)), Cow::Owned)
}

fn unescaped(inner: &str) -> String {
    let mut units = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        let escaped = if character == '\\' { rest.next() } else { None };
        let code = match escaped {
            Some('u') => rest.as_str().get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        if let Some(code) = code {
            units.push(code);
            rest = rest.as_str()[4..].chars();
        } else {
            units.extend(escaped.unwrap_or(character).encode_utf16(&mut [0; 2]).iter());
        }
    }
    String::from_utf16_lossy(&units)
}

/// A value met by the walk: its span (of a container: the opening bracket alone) and the span of the key before it.
struct Found {
    key: Option<Range<usize>>,
    value: Range<usize>,
}

/// Meets every value of a JSON text in order, without recursion.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    key_next: bool,
    open: Vec<u8>,
}

impl Walk<'_> {
    /// Leaves the container that was met last and goes on at its end.
    fn leave(&mut self, end: usize) {
        self.open.pop();
        self.key_next = false;
        self.at = end;
    }

    fn next(&mut self) -> Option<Found> {
        let bytes = self.text.as_bytes();
        let mut key = None;
        while let Some(byte) = bytes.get(self.at) {
            let start = self.at;
            match byte {
                b'}' | b']' => {
                    self.open.pop();
                    self.at += 1;
                }
                b',' => {
                    self.key_next = self.open.last() == Some(&b'{');
                    self.at += 1;
                }
                b'"' if self.key_next => {
                    self.at = string_end(bytes, start);
                    self.key_next = false;
                    key = Some(start..self.at);
                }
                b'{' | b'[' => {
                    self.open.push(*byte);
                    self.key_next = *byte == b'{';
                    self.at += 1;
                    return Some(Found { key, value: start..self.at });
                }
                b':' | b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'"' => {
                    self.at = string_end(bytes, start);
                    return Some(Found { key, value: start..self.at });
                }
                _ => {
                    self.at = scalar_end(bytes, start);
                    return Some(Found { key, value: start..self.at });
                }
            }
        }
        None
    }
}

/// The end of the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn scalar_end(bytes: &[u8], start: usize) -> usize {
    let length = bytes[start..].iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
    length.map_or(bytes.len(), |length| start + length.max(1))
}

/// The end of the object or array that begins at `start`.
fn container_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return at + 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use crate::redact::for_tests;

    #[track_caller]
    fn masks(text: &str, secret: &str, literal: &str) {
        let redactor = for_tests();
        let expect = text.replace(literal, &format!("\"{}\"", redactor.mask(secret)));
        assert_eq!(redactor.json(text), Some(expect.clone()));
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(&expect).is_ok());
    }

    #[test]
    fn values_under_secret_names() {
        masks(r#"{"password":"hunter2","a":1}"#, "hunter2", r#""hunter2""#);
        masks(r#" { "a" : [ { "API-Key" : "hunter2" } ] } "#, "hunter2", r#""hunter2""#);
        masks(r#"{"pass\u0077ord":"hunter2"}"#, "hunter2", r#""hunter2""#);
        masks(r#"{"pin":1234}"#, "1234", "1234");
        masks(r#"{"secret":"a\"b"}"#, "a\"b", r#""a\"b""#);
        masks(r#"{"session":{"a":[1,"]}"]},"b":2}"#, r#"{"a":[1,"]}"]}"#, r#"{"a":[1,"]}"]}"#);
        masks(r#"{"token":[1,2],"b":2}"#, "[1,2]", "[1,2]");
        masks(r#"{"token":[1,2],"b":{"pwd":[1,2]},"pwd":[1,2]}"#, "[1,2]", "[1,2]");
    }

    #[test]
    fn values_that_look_like_secrets() {
        masks(r#"{"note":"AKIAIOSFODNN7EXAMPLE"}"#, "AKIAIOSFODNN7EXAMPLE", r#""AKIAIOSFODNN7EXAMPLE""#);
        masks(r#"["4111111111111111"]"#, "4111111111111111", r#""4111111111111111""#);
        masks(r#"{"n":4111111111111111}"#, "4111111111111111", "4111111111111111");
        masks(r#""AKIAIOSFODNN7EXAMPLE""#, "AKIAIOSFODNN7EXAMPLE", r#""AKIAIOSFODNN7EXAMPLE""#);
    }

    #[test]
    fn names_that_are_secrets() {
        masks(r#"{"AKIAIOSFODNN7EXAMPLE":[1,2]}"#, "AKIAIOSFODNN7EXAMPLE", r#""AKIAIOSFODNN7EXAMPLE""#);
    }

    #[test]
    fn strings_that_are_not_quite_json_shield_nothing() {
        let redactor = for_tests();
        for text in [
            r#"{"a":"\ud800 AKIA\u0049OSFODNN7EXAMPLE"}"#,
            r#"{"a":"\x AKIAIOSFODNN7EXAMPLE"#,
            r#"{"pwd":{"a":"IOSFODNN7EXAMPLE"#,
            r#"{"\x pwd":1,"p\u0077d":"IOSFODNN7EXAMPLE\""#,
            "{\"a\":1}\n{\"pwd\":[\"IOSFODNN7EXAMPLE\"]}",
        ] {
            let masked = redactor.json(text).unwrap();
            assert!(!masked.contains("OSFODNN7EXAMPLE"), "{masked}");
        }
    }

    #[test]
    fn masking_twice_changes_nothing() {
        let redactor = for_tests();
        let once = redactor.json(r#"{"pwd":"hunter2","pin":7,"cvv":[1],"a":"AKIAIOSFODNN7EXAMPLE"}"#).unwrap();
        assert_eq!(redactor.json(&once), None);
    }

    #[test]
    fn everything_else_stays_to_the_byte() {
        let redactor = for_tests();
        for text in [
            r#"{"n":123456789012345678901234567890,"a":1,"a":2,  "b":"\u00e9\/"}"#,
            r#"{"token":null,"secret":"","pin":true,"password":{}}"#.trim_end_matches(r#","password":{}}"#),
            "[]",
            "0",
            r#"{"passwords":"x","tokenize":"y"}"#,
        ] {
            assert_eq!(redactor.json(text), None, "{text}");
        }
    }

    #[test]
    fn hostile_depth_needs_no_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(for_tests().json(&deep), None);
    }
}
