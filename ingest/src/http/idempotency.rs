//! `Idempotency-Key`: the same request twice has one effect and one answer.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use event::sha256_hex;

use super::auth::Identity;
use super::problem::Problem;
use super::request::{Received, ReceivedBody};

/// A request's key, and what it is a key to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key without quotes, to be shown in the log; what counts is the scope.
    pub key: String,
    /// Hash of tenant, actor, method, route and key.
    pub scope: String,
    /// Hash of method, path and body.
    pub fingerprint: String,
}

/// What a key matches: a token, or a quoted string whose escapes are `\"` and `\\`.
pub const PATTERN: &str = r#"^([!#-+\--:<-\[\]-~]{1,255}|"([ !#-\[\]-~]|\\["\\]){1,255}")$"#;

/// Reads the header of a request that may change something. A missing key never makes two requests equal.
///
/// # Errors
/// 400 for a key that is neither a bare token nor a quoted string of 1 to 255 visible characters, or stands twice.
pub fn key_of(received: &Received, identity: &Identity, route: &str) -> Result<Option<Key>, Problem> {
    let mut values = received.headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let refused = |detail| Problem::parameter("idempotency-key", "malformed", detail);
    if values.next().is_some() {
        return Err(refused("Idempotency-Key stands more than once."));
    }
    let key = value.to_str().ok().and_then(parse).ok_or_else(|| {
        refused("Idempotency-Key must be a token or a quoted string of 1 to 255 visible ASCII characters.")
    })?;
    let actor = identity.actor_id.as_deref().unwrap_or_default();
    let body = match &received.body {
        ReceivedBody::Whole(bytes) => sha256_hex(bytes),
        _ => String::new(),
    };
    // NUL cannot occur in any of the parts, so no two lists of parts are written alike.
    let scope = [&identity.tenant, identity.actor_type, actor, &received.method, route, &key].join("\0");
    let fingerprint = [&received.method, &received.path, &body].map(String::as_str).join("\0");
    Ok(Some(Key { scope: sha256_hex(scope.as_bytes()), fingerprint: sha256_hex(fingerprint.as_bytes()), key }))
}

fn parse(value: &str) -> Option<String> {
    let value = value.trim();
    let key = match value.strip_prefix('"') {
        None if value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')) => {
            value.to_owned()
        }
        None => return None,
        Some(rest) => unquote(rest.strip_suffix('"')?)?,
    };
    (1..=255).contains(&key.len()).then_some(key)
}

/// The content of a structured field's string (RFC 8941): `\"` and `\\` are its only escapes.
fn unquote(inner: &str) -> Option<String> {
    let (mut key, mut characters) = (String::new(), inner.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => key.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            '"' => return None,
            ' '..='~' => key.push(character),
            _ => return None,
        }
    }
    Some(key)
}

/// The scopes that this process is working on.
#[derive(Debug, Default)]
pub struct InFlight {
    scopes: Mutex<HashSet<String>>,
}

/// Keeps a scope taken until it is dropped.
#[derive(Debug)]
pub struct Guard<'a> {
    in_flight: &'a InFlight,
    scope: String,
}

impl InFlight {
    /// Takes a scope; `None` while another request has it.
    pub fn enter(&self, scope: &str) -> Option<Guard<'_>> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.insert(scope.to_owned()).then(|| Guard { in_flight: self, scope: scope.to_owned() })
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.in_flight.scopes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_tokens_or_quoted_strings() {
        let check = |value: &str, expect: Option<&str>| assert_eq!(parse(value).as_deref(), expect, "{value}");
        check("abc-123", Some("abc-123"));
        check("\"abc 123\"", Some("abc 123"));
        check(r#""a\"b\\c""#, Some(r#"a"b\c"#));
        check("\"abc", None);
        check("a b", None);
        check("", None);
        check("\"\"", None);
        check(r#""a\x""#, None);
        check(&"k".repeat(255), Some(&"k".repeat(255)));
        check(&"k".repeat(256), None);
        check("é", None);
    }

    proptest::proptest! {
        #[test]
        fn the_pattern_is_what_the_reader_does(value in "\"?([a-c!,;\\\\~]|\\\\\"){0,4}\"?|[a\"]{254,258}|[ -~]{0,3}") {
            let matches = regex::Regex::new(PATTERN).unwrap().is_match(value.trim());
            proptest::prop_assert_eq!(matches, parse(&value).is_some());
        }
    }

    #[test]
    fn a_scope_is_taken_once() {
        let in_flight = InFlight::default();
        let guard = in_flight.enter("a");
        assert!(guard.is_some() && in_flight.enter("a").is_none() && in_flight.enter("b").is_some());
        drop(guard);
        assert!(in_flight.enter("a").is_some());
    }
}
