//! What a line of somebody's log says of a request, before anything of it is masked.

use std::borrow::Cow;

use event::Timestamp;

/// A request as another server's log has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen<'a> {
    /// When it came, by that server's clock.
    pub at: Timestamp,
    /// The client's address.
    pub client_ip: Option<Cow<'a, str>>,
    /// Who the client said to be.
    pub user: Option<Cow<'a, str>>,
    /// The method, as it was sent.
    pub method: Cow<'a, str>,
    /// Path, with the query if there was one.
    pub target: Cow<'a, str>,
    /// `HTTP/1.1` …
    pub protocol: Option<Cow<'a, str>>,
    /// The host asked for.
    pub host: Option<Cow<'a, str>>,
    /// Status of the answer.
    pub status: i32,
    /// Size of the request, bytes, as that log counts it.
    pub request_bytes: Option<i64>,
    /// Size of the answer, bytes.
    pub response_bytes: Option<i64>,
    /// How long it took, milliseconds.
    pub duration_ms: Option<f64>,
    /// The `Referer`.
    pub referer: Option<Cow<'a, str>>,
    /// The `User-Agent`.
    pub agent: Option<Cow<'a, str>>,
    /// That server's id of the request.
    pub request_id: Option<Cow<'a, str>>,
    /// 32 hex digits.
    pub trace_id: Option<String>,
    /// The request's `Content-Type`.
    pub content_type: Option<Cow<'a, str>>,
    /// The request's body.
    pub body: Option<Cow<'a, str>>,
}

/// A value, unless the log says that there is none.
pub fn some(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    (!text.is_empty() && text != "-").then_some(text)
}

impl<'a> Seen<'a> {
    /// Sets what a request line such as `GET /path HTTP/1.1` says. One that is no HTTP stays as it is, as the path of a
    /// request without a method that is known.
    pub fn set_request_line(&mut self, line: Cow<'a, str>) {
        let (start, end) = (line.find(' '), line.rfind(' '));
        let is_method = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase());
        match (start, end) {
            (Some(start), Some(end)) if is_method(&line[..start]) => {
                let (target, protocol) = match line[end + 1..].starts_with("HTTP/") && start < end {
                    true => (start + 1..end, Some(part(&line, end + 1..line.len()))),
                    false => (start + 1..line.len(), None),
                };
                self.method = part(&line, 0..start);
                self.target = part(&line, target);
                self.protocol = protocol;
            }
            _ => self.target = some(line).unwrap_or_default(),
        }
    }
}

/// A part of a text, borrowed where the text is.
fn part<'a>(text: &Cow<'a, str>, range: std::ops::Range<usize>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, method: &str, target: &str, protocol: Option<&str>) {
        let mut seen = Seen::default();
        seen.set_request_line(Cow::Borrowed(line));
        assert_eq!((&*seen.method, &*seen.target, seen.protocol.as_deref()), (method, target, protocol), "{line}");
    }

    #[test]
    fn request_lines() {
        check("GET /a?b=c HTTP/1.1", "GET", "/a?b=c", Some("HTTP/1.1"));
        check("GET /a b HTTP/1.0", "GET", "/a b", Some("HTTP/1.0"));
        check("GET /a", "GET", "/a", None);
        check("GET /a b", "GET", "/a b", None);
        check("\u{16}\u{3}\u{1}", "", "\u{16}\u{3}\u{1}", None);
        check("-", "", "", None);
        check("", "", "", None);
        check(" HTTP/1.1", "", " HTTP/1.1", None);
        check("GET HTTP/1.1", "GET", "HTTP/1.1", None);
    }
}
