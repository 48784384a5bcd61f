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
    /// JSON is masked by names and by shapes whatever its `Content-Type` says, forms likewise where they call
    /// themselves so, other text by shapes and by `name=value` pairs. Bytes that are not UTF-8 are kept in base64 only
    /// if no secret shows in them.
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
        let form = content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let masked = match form {
            true => self.form(text).unwrap_or_else(|| text.to_owned()),
            false => self.text(text).into_owned(),
        };
        Body { text: Some(masked), encoding: Encoding::Text }
    }

    fn binary(&self, bytes: &[u8]) -> Body {
        let lossy = String::from_utf8_lossy(bytes);
        let masked_as_json = serde_json::from_str::<IgnoredAny>(&lossy).is_ok() && self.json(&lossy).is_some();
        if masked_as_json || self.text(&lossy) != lossy {
            return Body { text: None, encoding: Encoding::Omitted };
        }
        Body { text: Some(STANDARD.encode(bytes)), encoding: Encoding::Base64 }
    }
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
        check("application/json", br#"{"pwd":"hunter2"#, Encoding::Text, Some(&format!(r#"{{"pwd":{mask}"#)));
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
    }
}
