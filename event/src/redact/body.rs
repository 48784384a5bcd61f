//! What of a request's body is kept, and how.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;

use super::Redactor;

/// How `request_body` stands for the bytes received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text, as received but for masks.
    Json,
    /// Other UTF-8 text, as received but for masks.
    Text,
    /// Bytes that are not UTF-8, in base64.
    Base64,
    /// There was no body.
    None,
    /// The body is an object of its own; `request_body_ref` names it.
    Ref,
    /// The body is not kept: it was not read to its end, or holds secrets that cannot be masked in place.
    Omitted,
}

impl Encoding {
    /// The word in the column `request_body_encoding`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Base64 => "base64",
            Self::None => "none",
            Self::Ref => "ref",
            Self::Omitted => "omitted",
        }
    }
}

/// A body fit for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The text to keep, if any.
    pub text: Option<String>,
    /// How it stands for the bytes received.
    pub encoding: Encoding,
}

impl Redactor {
    /// Masks a body.
    ///
    /// JSON is masked by names and by shapes whatever its `Content-Type` says, and as far as it goes where it breaks
    /// off; forms likewise where they call themselves so; other text by shapes and by `name=value` pairs. Bytes that
    /// are not UTF-8 are kept in base64 only if no secret shows in them; compressed ones, which could hide any, are not.
    pub fn body(&self, content_type: Option<&str>, bytes: &[u8]) -> Body {
        if bytes.is_empty() {
            return Body { text: None, encoding: Encoding::None };
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.binary(bytes);
        };
        if serde_json::from_str::<IgnoredAny>(text).is_ok() {
            let masked = self.json(text).unwrap_or_else(|| text.to_owned());
            return Body { text: Some(masked), encoding: Encoding::Json };
        }
        if self.hidden_by_zeros(text) {
            return Body { text: None, encoding: Encoding::Omitted };
        }
        let masked = if is_form(content_type) {
            self.form(text).unwrap_or_else(|| text.to_owned())
        } else if text.trim_start().starts_with(['{', '[']) {
            let by_name = self.json(text);
            self.text(by_name.as_deref().unwrap_or(text)).into_owned()
        } else {
            self.text(text).into_owned()
        };
        Body { text: Some(masked), encoding: Encoding::Text }
    }

    fn binary(&self, bytes: &[u8]) -> Body {
        let lossy = String::from_utf8_lossy(bytes);
        let secret = self.json(&lossy).is_some() || self.text(&lossy) != lossy || self.hidden_by_zeros(&lossy);
        if secret || is_compressed(bytes) {
            return Body { text: None, encoding: Encoding::Omitted };
        }
        Body { text: Some(STANDARD.encode(bytes)), encoding: Encoding::Base64 }
    }

    /// Whether a secret shows once NULs are left out: UTF-16 has one beside every ASCII character.
    fn hidden_by_zeros(&self, text: &str) -> bool {
        if !text.contains('\0') {
            return false;
        }
        let text = text.replace('\0', "");
        self.json(&text).is_some() || self.text(&text) != text
    }
}

fn is_form(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Whether the bytes begin as gzip, zstd, zlib, bzip2, xz or zip do.
fn is_compressed(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 8] =
        [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"BZh", b"\xfd7zXZ", b"PK\x03\x04"];
    MAGIC.iter().any(|magic| bytes.starts_with(magic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::for_tests;

    #[track_caller]
    fn check(content_type: &str, bytes: &[u8], encoding: Encoding, text: Option<&str>) {
        let body = for_tests().body(Some(content_type), bytes);
        assert_eq!((body.text.as_deref(), body.encoding), (text, encoding));
    }

    #[test]
    fn each_kind_of_body() {
        let mask = for_tests().mask("hunter2");
        check("application/json", b"", Encoding::None, None);
        check("application/json", b" {\"a\" : 1e400}", Encoding::Json, Some(" {\"a\" : 1e400}"));
        check("text/plain", br#"{"pwd":"hunter2"}"#, Encoding::Json, Some(&format!(r#"{{"pwd":"{mask}"}}"#)));
        check("application/json", br#"{"pwd":"hunter2"#, Encoding::Text, Some(&format!(r#"{{"pwd":"{mask}""#)));
        check(
            "application/x-www-form-urlencoded",
            b"a=b+c&pwd=hunter2",
            Encoding::Text,
            Some(&format!("a=b%20c&pwd={mask}")),
        );
        check("application/x-www-form-urlencoded", b"a=b+c&d=%2f", Encoding::Text, Some("a=b+c&d=%2f"));
        check("image/png", b"\x89PNG", Encoding::Base64, Some("iVBORw=="));
        check("application/json", b"{\"pwd\":\"hunter2\",\"x\":\"\xff\"}", Encoding::Omitted, None);
        check("text/plain", b"\xff AKIAIOSFODNN7EXAMPLE", Encoding::Omitted, None);
        check("application/json", b"\x1f\x8b\x08\xff", Encoding::Omitted, None);
        let utf16: Vec<u8> = r#"{"pwd":"hunter2"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
        check("application/json", &utf16, Encoding::Omitted, None);
        check("application/json", &[b"\xff\xfe", utf16.as_slice()].concat(), Encoding::Omitted, None);
        check("text/plain", b"a\0b", Encoding::Text, Some("a\0b"));
        check(
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
            b"p%77d=hunter2",
            Encoding::Text,
            Some(&format!("pwd={mask}")),
        );
        let lines = "{\"a\":1}\n{\"pwd\":[\"hunter2\"]}\n";
        let masked = lines.replace("[\"hunter2\"]", &format!("\"{}\"", for_tests().mask("[\"hunter2\"]")));
        check("application/x-ndjson", lines.as_bytes(), Encoding::Text, Some(&masked));
    }
}
