//! `Range`, `If-Range` and `If-None-Match` of a content that never changes (RFC 9110, 13 and 14).

use super::problem::Problem;
use super::request::Received;

/// What a request wants of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranged {
    /// Nothing: it has it already.
    Known,
    /// All of it.
    Whole,
    /// These bytes.
    Part {
        /// The first.
        start: u64,
        /// How many, at least one.
        length: u64,
    },
}

/// Reads what a request wants of a content of so many bytes with this strong entity tag.
///
/// Several ranges, and units other than bytes, are answered with all of it, as the standard allows.
///
/// # Errors
/// 416: the content has none of the bytes.
pub fn asked(received: &Received, size: u64, tag: &str) -> Result<Ranged, Problem> {
    let tags = received.headers.get_all("if-none-match").iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
    if tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag) {
        return Ok(Ranged::Known);
    }
    // Of a part of a content there is no head: a range is for GET alone.
    if received.method != "GET" {
        return Ok(Ranged::Whole);
    }
    // A date never matches: contents have none that is exact enough.
    if received.headers.contains_key("if-range") && received.header("if-range") != Some(tag) {
        return Ok(Ranged::Whole);
    }
    let range = received.header("range").and_then(|value| value.trim().strip_prefix("bytes="));
    match range.map(|range| part(range, size)) {
        None | Some(Spec::Other) => Ok(Ranged::Whole),
        Some(Spec::Bytes { start, length }) => Ok(Ranged::Part { start, length }),
        Some(Spec::Outside) => Err(Problem::no_such_range(format!("The content has {size} bytes."))
            .with("content-range", format!("bytes */{size}"))),
    }
}

enum Spec {
    Bytes { start: u64, length: u64 },
    Outside,
    Other,
}

fn part(range: &str, size: u64) -> Spec {
    let Some((first, last)) = range.split_once('-') else { return Spec::Other };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX));
    match (first.trim(), last.trim()) {
        ("", "") => Spec::Other,
        ("", last) => match number(last) {
            Some(last) if last > 0 && size > 0 => {
                Spec::Bytes { start: size.saturating_sub(last), length: last.min(size) }
            }
            Some(_) => Spec::Outside,
            None => Spec::Other,
        },
        (first, last) => match (number(first), if last.is_empty() { Some(u64::MAX) } else { number(last) }) {
            (Some(first), Some(last)) if first > last => Spec::Other,
            (Some(first), Some(_)) if first >= size => Spec::Outside,
            (Some(first), Some(last)) => Spec::Bytes { start: first, length: last.min(size - 1) - first + 1 },
            _ => Spec::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_with(headers: &[(&'static str, &str)], size: u64) -> Result<Ranged, u16> {
        asked_by("GET", headers, size)
    }

    fn asked_by(method: &str, headers: &[(&'static str, &str)], size: u64) -> Result<Ranged, u16> {
        let mut received = Received {
            arrival: super::super::Arrival { received_at: event::Timestamp::default(), started: 0 },
            method: method.to_owned(),
            mount: String::new(),
            path: String::new(),
            query: None,
            headers: http::HeaderMap::new(),
            body: super::super::ReceivedBody::Whole(bytes::Bytes::new()),
            client_ip: None,
            protocol: None,
            request_id: None,
            invocation_id: None,
            cold_start: None,
            vouched: None,
        };
        for (name, value) in headers {
            received.headers.append(*name, http::HeaderValue::from_str(value).unwrap());
        }
        asked(&received, size, "\"t\"").map_err(|problem| problem.status)
    }

    #[test]
    fn ranges() {
        let check = |range: &str, size: u64, expect: Result<Ranged, u16>| {
            assert_eq!(asked_with(&[("range", range)], size), expect, "{range} of {size}");
        };
        let part = |start, length| Ok(Ranged::Part { start, length });
        check("bytes=0-0", 10, part(0, 1));
        check("bytes=2-", 10, part(2, 8));
        check("bytes=2-99999999999999999999999", 10, part(2, 8));
        check("bytes=-3", 10, part(7, 3));
        check("bytes=-30", 10, part(0, 10));
        for outside in ["bytes=10-", "bytes=99999999999999999999999-", "bytes=-0"] {
            check(outside, 10, Err(416));
        }
        check("bytes=0-", 0, Err(416));
        check("bytes=-1", 0, Err(416));
        for whole in ["bytes=3-2", "bytes=a-b", "bytes=0-1,3-4", "bytes=-", "bytes=+1-2", "lines=0-1", "bytes", ""] {
            check(whole, 10, Ok(Ranged::Whole));
        }
    }

    #[test]
    fn conditions() {
        let range = ("range", "bytes=0-0");
        let check = |headers: &[(&'static str, &str)], expect: Ranged| {
            assert_eq!(asked_with(headers, 10), Ok(expect), "{headers:?}");
        };
        let part = Ranged::Part { start: 0, length: 1 };
        check(&[range, ("if-range", "\"t\"")], part);
        check(&[range, ("if-range", "\"other\"")], Ranged::Whole);
        check(&[range, ("if-range", "W/\"t\"")], Ranged::Whole);
        check(&[range, ("if-range", "Sun, 22 Nov 2026 00:00:00 GMT")], Ranged::Whole);
        check(&[range, ("if-none-match", "\"x\", W/\"t\"")], Ranged::Known);
        check(&[("if-none-match", "*")], Ranged::Known);
        check(&[("if-none-match", "\"x\"")], Ranged::Whole);
        for outside in ["bytes=0-0", "bytes=10-"] {
            assert_eq!(asked_by("HEAD", &[("range", outside)], 10), Ok(Ranged::Whole));
        }
        assert_eq!(asked_by("HEAD", &[range, ("if-none-match", "*")], 10), Ok(Ranged::Known));
    }
}
