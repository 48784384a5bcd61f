//! Query strings and form bodies: `name=value` pairs.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::Redactor;

/// What a canonical query string escapes: what would change its meaning, and what a log should not hold raw.
const ESCAPED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'<').add(b'=').add(b'>');

impl Redactor {
    /// The canonical, redacted form of a query string; `None` for an empty one.
    ///
    /// Pairs are sorted by name, in the order they came where names are equal, and escaped in one way, since
    /// gateways reorder and re-escape them. Bytes that are not UTF-8 become U+FFFD.
    pub fn query(&self, raw: &str) -> Option<String> {
        let mut pairs = self.masked_pairs(raw.as_bytes(), |name| self.rules.masks_query(name));
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        let text = join(&pairs);
        (!text.is_empty()).then_some(text)
    }

    /// A path with its secrets masked, also those that are spelled with percent signs; else as it was received.
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let masked = self.text(path);
        if !masked.contains('%') {
            return masked;
        }
        let decoded = percent_decode_str(&masked).decode_utf8_lossy();
        let hidden = self.text(&decoded);
        if hidden == decoded {
            return masked.clone();
        }
        Cow::Owned(utf8_percent_encode(&hidden, ESCAPED).to_string())
    }

    /// A form body with its secrets masked; `None` where nothing had to be, so that the bytes can stay as they came.
    pub(super) fn form(&self, body: &str) -> Option<String> {
        let pairs = self.masked_pairs(body.as_bytes(), |name| self.rules.masks_key(name));
        let plain: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        (pairs != plain).then(|| join(&pairs))
    }

    fn masked_pairs(&self, raw: &[u8], masks: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        form_urlencoded::parse(raw)
            .map(|(name, value)| {
                let value =
                    if masks(&name) && !value.is_empty() { self.mask(&value) } else { self.value(&value).into_owned() };
                (self.value(&name).into_owned(), value)
            })
            .collect()
    }
}

fn join(pairs: &[(String, String)]) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| match value.is_empty() {
            true => escaped(name),
            false => format!("{}={}", escaped(name), escaped(value)),
        })
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use crate::redact::for_tests;

    #[track_caller]
    fn check(raw: &str, expect: &str) {
        assert_eq!(for_tests().query(raw).unwrap_or_default(), expect);
    }

    #[test]
    fn is_canonical() {
        check("", "");
        check("b=2&a=1", "a=1&b=2");
        check("a=2&a=1", "a=2&a=1");
        check("a=%41&b=x+y&c=%2F", "a=A&b=x%20y&c=/");
        check("q=%0D%0Aevil", "q=%0D%0Aevil");
        check("bad=%ff%", "bad=%EF%BF%BD%25");
        check("flag", "flag");
    }

    #[test]
    fn paths_stay_but_for_their_secrets() {
        let redactor = for_tests();
        for path in ["/tasks/%2e%2e/%ff%00%", "/a b/é", ""] {
            assert_eq!(redactor.path(path), path);
        }
        let mask = redactor.mask("AKIAIOSFODNN7EXAMPLE");
        assert_eq!(redactor.path("/a/AKIAIOSFODNN7EXAMPLE/b"), format!("/a/{mask}/b"));
        assert_eq!(redactor.path("/a/%41KIAIOSFODNN7EXAMPLE/%0A"), format!("/a/{mask}/%0A"));
        assert_eq!(redactor.path("/pin%3Dhunter2"), format!("/pin%3D{}", redactor.mask("hunter2")));
    }

    #[test]
    fn secrets_are_masked_by_name_and_by_shape() {
        let redactor = for_tests();
        check("X-Amz-Signature=hunter2", &format!("X-Amz-Signature={}", redactor.mask("hunter2")));
        check("apiKey=hunter2", &format!("apiKey={}", redactor.mask("hunter2")));
        check("client_secret=hunter2", &format!("client_secret={}", redactor.mask("hunter2")));
        check("x=AKIAIOSFODNN7EXAMPLE", &format!("x={}", redactor.mask("AKIAIOSFODNN7EXAMPLE")));
        check("token=", "token");
    }
}
