//! What can be read of a head that is refused, for its event: the request line's words, and the fields that are fields.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::head::MAX_FIELDS;
use crate::http::limits;

/// Most characters of a word that names a method or a version.
const WORD: usize = 32;

/// A head as far as it can be read. Nothing of it is certain; what is not named here is not kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Salvaged {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub protocol: Option<String>,
    pub headers: HeaderMap,
}

/// Reads what there is; bytes that are not UTF-8 become U+FFFD.
pub(super) fn salvage(bytes: &[u8]) -> Salvaged {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut words = first.split_ascii_whitespace();
    let method = words.next().filter(|word| is_word(word)).unwrap_or_default().to_owned();
    if method.is_empty() {
        return Salvaged::default();
    }
    let target = words.next().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let protocol = words.next().filter(|word| word.starts_with("HTTP/") && is_word(word));
    let mut headers = HeaderMap::new();
    let mut size = 0;
    for (name, value) in lines.take(MAX_FIELDS).filter_map(field) {
        size += name.as_str().len() + value.len();
        if size > limits::HEADERS {
            break;
        }
        headers.append(name, value);
    }
    Salvaged { method, path: path.to_owned(), query, protocol: protocol.map(str::to_owned), headers }
}

fn is_word(word: &str) -> bool {
    word.len() <= WORD && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
}

/// A line that is a field by itself. One that was cut off in its value may hold half a secret and is left out, too.
fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let line = line.strip_suffix(b"\r")?;
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_there_is_read() {
        let salvaged = salvage(
            b"POST /data?a=b HTTP/1.1\r\nhost: x\r\nbad line\r\nuser-agent : u\r\nx: \0\r\naccept: */*\r\ncut: of",
        );
        assert_eq!((salvaged.method.as_str(), salvaged.path.as_str()), ("POST", "/data"));
        assert_eq!((salvaged.query.as_deref(), salvaged.protocol.as_deref()), (Some("a=b"), Some("HTTP/1.1")));
        let names: Vec<&str> = salvaged.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["host", "accept"]);
    }

    #[test]
    fn what_is_no_http_gives_nothing() {
        for bytes in [&b""[..], b"\x16\x03\x01\x02", b"\xff\xfe /x", b"password=hunter2\r\n", b"\r\n"] {
            assert_eq!(salvage(bytes), Salvaged::default(), "{}", bytes.escape_ascii());
        }
        assert_eq!(salvage(b"GET").method, "GET");
        assert_eq!(salvage(b"GET /\xff HTTP/9").path, "/\u{fffd}");
    }

    #[test]
    fn no_more_is_kept_than_a_good_request_may_have() {
        let large = format!("GET / HTTP/1.1\r\n{}", "a: 0123456789\r\n".repeat(2_000));
        assert_eq!(salvage(large.as_bytes()).headers.len(), MAX_FIELDS);
        let large = format!("GET / HTTP/1.1\r\n{}", format!("a: {}\r\n", "b".repeat(1_000)).repeat(100));
        let size: usize = salvage(large.as_bytes()).headers.values().map(HeaderValue::len).sum();
        assert!(size <= limits::HEADERS, "{size}");
    }
}
