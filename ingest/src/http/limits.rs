//! How large a request may be. Each limit has its status; none makes a request vanish.

use super::problem::Problem;
use super::request::{Received, ReceivedBody};

/// Largest body, bytes (413).
pub const BODY: usize = 4 << 20;
/// Largest body that stands in its event, bytes; a larger one is set aside.
pub const INLINE_BODY: usize = 64 << 10;
/// Deepest nesting of a JSON body (400).
pub const JSON_DEPTH: usize = 64;
/// Largest sum of header names and values, bytes (431).
pub const HEADERS: usize = 10 << 10;
/// Longest path, bytes (414).
pub const PATH: usize = event::bounds::PATH;
/// Longest query string, bytes (414).
pub const QUERY: usize = event::bounds::QUERY;

/// Checks a request's sizes.
///
/// # Errors
/// The first limit it is over, or what is wrong with how its body came.
pub fn check(received: &Received) -> Result<(), Problem> {
    if received.path.len() > PATH {
        return Err(Problem::uri_too_long(format!("The path has {} bytes, {PATH} are allowed.", received.path.len())));
    }
    let query = received.query.as_ref().map_or(0, String::len);
    if query > QUERY {
        return Err(Problem::uri_too_long(format!("The query string has {query} bytes, {QUERY} are allowed.")));
    }
    let headers = headers_size(received);
    if headers > HEADERS {
        return Err(Problem::headers_too_large(format!("The headers have {headers} bytes, {HEADERS} are allowed.")));
    }
    match &received.body {
        ReceivedBody::TooLarge { .. } => {
            Err(Problem::too_large(format!("The body is over the limit of {BODY} bytes.")).with("connection", "close"))
        }
        ReceivedBody::Late { .. } => Err(Problem::late("The body did not come in time.").with("connection", "close")),
        ReceivedBody::Broken { reason, .. } => Err(Problem::invalid(*reason).with("connection", "close")),
        ReceivedBody::Whole(_) | ReceivedBody::Kept { .. } => Ok(()),
    }
}

/// Bytes of all header names and values.
pub fn headers_size(received: &Received) -> usize {
    received.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Bytes that a body takes as a JSON string: escapes counted, or in base64 if it is not text.
pub fn size_in_json(body: &[u8]) -> usize {
    if std::str::from_utf8(body).is_err() {
        return body.len().div_ceil(3) * 4 + 2;
    }
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    body.iter().map(escaped).sum::<usize>() + 2
}

/// Whether the body is compressed or otherwise encoded.
pub fn is_encoded(received: &Received) -> bool {
    let mut codings = received.headers.get_all("content-encoding").iter();
    codings.any(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// The deepest nesting of brackets outside strings.
pub fn json_depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::{json_depth, size_in_json};

    #[test]
    fn a_body_s_size_in_json_is_exact() {
        let every: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        for text in ["", "a", r#"{"a":"\\"}"#, &every] {
            assert_eq!(size_in_json(text.as_bytes()), serde_json::to_string(text).unwrap().len(), "{text}");
        }
        assert_eq!([size_in_json(b"\xff"), size_in_json(b"\xff\xff\xff\xff")], [6, 10]);
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(json_depth(""), 0);
        assert_eq!(json_depth(r#"{"a":[1,{"b":2}],"c":"[[[["}"#), 3);
        assert_eq!(json_depth(r#"["\"[",[]]"#), 2);
        assert_eq!(json_depth(&"[".repeat(100_000)), 100_000);
    }
}
