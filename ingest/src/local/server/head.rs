//! A request's head as bytes: where it ends, whether it says one thing only, and how its body is framed.
//!
//! Stricter than the parser behind it: whatever two readers could read in two ways is refused (RFC 9112, 2.2, 3 and 6).

use memchr::memchr;

/// Largest head, bytes: room for everything that [`limits`](crate::http::limits) allows, and for what separates it.
pub(super) const MAX_HEAD: usize = 24 << 10;
/// Most header fields; also the most that hyper parses without an allocation.
pub(super) const MAX_FIELDS: usize = 100;

/// How the body of a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, maybe none.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// What is wrong with how a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is not HTTP/1.1, or could be read in two ways.
    Malformed(&'static str),
    /// Its first line is longer than any that is allowed.
    LineTooLong,
    /// Its head is larger than any that is allowed, or has too many fields.
    HeadTooLarge,
    /// It did not come in time.
    Late,
}

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The beginning of a head, as far as can be told.
    Partial,
    /// A whole head of so many bytes.
    Whole(usize, Framing),
    /// No head that is taken.
    Flawed(Flaw),
}

/// Overwrites the name of each `Upgrade` in a head that was taken: there is nothing to upgrade to, and hyper gives up a
/// connection that asks for it without having sent all of its last answer.
pub(super) fn hide_upgrades(head: &mut [u8]) {
    const NAME: &[u8] = b"upgrade:";
    for line in head.split_mut(|byte| *byte == b'\n') {
        if let Some(name) = line.get_mut(..NAME.len()).filter(|name| name.eq_ignore_ascii_case(NAME)) {
            name.copy_from_slice(b"ignored:");
        }
    }
}

/// Looks at the bytes of one head as they come; each byte is searched for the end once.
#[derive(Debug, Default)]
pub(super) struct Inspector {
    searched: usize,
    line_is_good: bool,
    asks_for_upgrade: bool,
}

impl Inspector {
    /// Looks at all bytes since the last message, of which there is at least one and the first is not an empty line's.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Look {
        self.inspect(bytes).unwrap_or_else(Look::Flawed)
    }

    /// Whether the head that was whole asks for another protocol.
    pub(super) fn asks_for_upgrade(&self) -> bool {
        self.asks_for_upgrade
    }

    fn inspect(&mut self, bytes: &[u8]) -> Result<Look, Flaw> {
        if bytes.first().is_some_and(|first| !is_token(*first)) {
            return Err(Flaw::Malformed("The request does not begin with a method."));
        }
        if !self.line_is_good
            && let Some(end) = memchr(b'\n', bytes)
        {
            request_line(line(bytes, end)?)?;
            self.line_is_good = true;
        }
        match self.end(bytes) {
            Some(end) if end <= MAX_HEAD => {
                let fields = Fields::read(&bytes[..end])?;
                self.asks_for_upgrade = fields.upgrade;
                Ok(Look::Whole(end, fields.framing))
            }
            None if bytes.len() < MAX_HEAD => Ok(Look::Partial),
            _ if !self.line_is_good => Err(Flaw::LineTooLong),
            _ => Err(Flaw::HeadTooLarge),
        }
    }

    /// Where the head ends: behind its first empty line, even if that is badly made.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = self.searched;
        while let Some(found) = memchr(b'\n', &bytes[from..]) {
            let next = from + found + 1;
            match &bytes[next..] {
                [b'\n', ..] => return Some(next + 1),
                [b'\r', b'\n', ..] => return Some(next + 2),
                // It may turn out to be the end once there is more.
                [] | [b'\r'] => {
                    self.searched = next - 1;
                    return None;
                }
                _ => from = next,
            }
        }
        self.searched = bytes.len();
        None
    }
}

/// The line that ends with the LF at `end`, which must stand behind a CR.
fn line(bytes: &[u8], end: usize) -> Result<&[u8], Flaw> {
    bytes[..end].strip_suffix(b"\r").ok_or(Flaw::Malformed("A line of the head ends with a bare line feed."))
}

fn request_line(line: &[u8]) -> Result<(), Flaw> {
    let wrong = Flaw::Malformed("The first line is not a method, a target and a version, with a space between them.");
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(wrong);
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) || !is_target(target) {
        return Err(wrong);
    }
    if method == b"CONNECT" {
        return Err(Flaw::Malformed("CONNECT is for proxies, and this is none."));
    }
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(()),
        _ => Err(Flaw::Malformed("The version is not HTTP/1.1 or HTTP/1.0.")),
    }
}

/// Whether the parser behind takes it as a target: the usual ones are seen at a glance, the others are tried.
fn is_target(target: &[u8]) -> bool {
    let usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~%?&=+,:;@!$'()*".contains(byte);
    if target.first() == Some(&b'/') && target.iter().all(usual) {
        return true;
    }
    target.iter().all(|byte| *byte > b' ' && *byte != 0x7f) && http::Uri::try_from(target).is_ok()
}

/// What the fields of a head say of framing, counted so that nothing is said twice.
#[derive(Debug, Default)]
struct Counted {
    count: usize,
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

/// What the fields of a head say.
struct Fields {
    framing: Framing,
    upgrade: bool,
}

impl Fields {
    fn read(head: &[u8]) -> Result<Self, Flaw> {
        let mut counted = Counted::default();
        let first = memchr(b'\n', head).unwrap_or(0);
        let is_1_1 = line(head, first)?.ends_with(b"1.1");
        let mut rest = &head[first + 1..];
        while let Some(end) = memchr(b'\n', rest) {
            let line = line(rest, end)?;
            if !line.is_empty() {
                counted.add(line)?;
            }
            rest = &rest[end + 1..];
        }
        Ok(Self { framing: counted.framing(is_1_1)?, upgrade: counted.upgrade })
    }
}

impl Counted {
    fn add(&mut self, line: &[u8]) -> Result<(), Flaw> {
        self.count += 1;
        if self.count > MAX_FIELDS {
            return Err(Flaw::HeadTooLarge);
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Flaw::Malformed("A line of the head begins with a blank."));
        }
        let colon = memchr(b':', line).ok_or(Flaw::Malformed("A line of the head has no colon."))?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(Flaw::Malformed("The name of a header is not a token that a colon follows at once."));
        }
        if !value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..)) {
            return Err(Flaw::Malformed("A header has a control character."));
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length(value.trim_ascii())?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding(value.trim_ascii())?,
            _ => {}
        }
        Ok(())
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Flaw> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        // The parser behind keeps two values to itself.
        let length = length.filter(|length: &u64| i64::try_from(*length).is_ok());
        let length = length.ok_or(Flaw::Malformed("Content-Length is not a number of bytes."))?;
        match self.length.replace(length) {
            Some(before) if before != length => Err(Flaw::Malformed("Two Content-Length headers differ.")),
            _ => Ok(()),
        }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Flaw> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Flaw::Malformed("Transfer-Encoding can be nothing but chunked, once."));
        }
        self.chunked = true;
        Ok(())
    }

    fn framing(&self, is_1_1: bool) -> Result<Framing, Flaw> {
        match (self.hosts, self.chunked, self.length) {
            (0, ..) if is_1_1 => Err(Flaw::Malformed("There is no Host header.")),
            (2.., ..) => Err(Flaw::Malformed("There are two Host headers.")),
            (_, true, Some(_)) => Err(Flaw::Malformed("Content-Length and Transfer-Encoding exclude each other.")),
            (_, true, None) if !is_1_1 => Err(Flaw::Malformed("HTTP/1.0 has no Transfer-Encoding.")),
            (_, true, None) => Ok(Framing::Chunked),
            (_, false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// Whether a byte may stand in a method or in a header's name.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(bytes: &[u8]) -> Look {
        let look = Inspector::default().look(bytes);
        // However it is cut, what comes of it is the same.
        let mut piecewise = Inspector::default();
        let ended = (1..=bytes.len()).map(|end| piecewise.look(&bytes[..end])).find(|look| *look != Look::Partial);
        match (&look, ended) {
            (Look::Flawed(_), Some(Look::Flawed(_))) => {}
            (_, ended) => assert_eq!(ended.unwrap_or(Look::Partial), look, "{}", bytes.escape_ascii()),
        }
        look
    }

    #[track_caller]
    fn whole(head: &str, framing: Framing) {
        assert_eq!(look(head.as_bytes()), Look::Whole(head.len(), framing), "{head:?}");
        let more = format!("{head}GET / HTTP/1.1\n");
        assert_eq!(Inspector::default().look(more.as_bytes()), Look::Whole(head.len(), framing), "{head:?}");
    }

    #[track_caller]
    fn flawed(head: &[u8], reason: &str) {
        let Look::Flawed(Flaw::Malformed(said)) = look(head) else {
            panic!("{} is taken: {:?}", head.escape_ascii(), look(head))
        };
        assert!(said.contains(reason), "{}: {said}", head.escape_ascii());
    }

    #[test]
    fn heads_that_say_one_thing() {
        whole("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Framing::Length(0));
        whole("GET / HTTP/1.0\r\n\r\n", Framing::Length(0));
        whole("OPTIONS * HTTP/1.1\r\nhost:\r\n\r\n", Framing::Length(0));
        whole("GET http://a/b?c HTTP/1.1\r\nhost: a\r\n\r\n", Framing::Length(0));
        whole("M-SEARCH /\u{e9}\"{}?a|^ HTTP/1.1\r\nhost: a\r\nx:\u{e9}\t \r\n\r\n", Framing::Length(0));
        whole("POST / HTTP/1.1\r\nhost: x\r\ncontent-length:7 \r\nContent-Length: 07\r\n\r\n", Framing::Length(7));
        whole("POST / HTTP/1.1\r\nhost: x\r\nTransfer-encoding: Chunked\r\n\r\n", Framing::Chunked);
    }

    #[test]
    fn heads_that_could_be_read_in_two_ways() {
        let with = |fields: &str| format!("POST / HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n");
        for (fields, reason) in [
            ("content-length: 1\r\ncontent-length: 2", "differ"),
            ("content-length: 1, 1", "number"),
            ("content-length: -1", "number"),
            ("content-length: +1", "number"),
            ("content-length: 0x1", "number"),
            ("content-length:", "number"),
            ("content-length: 18446744073709551616", "number"),
            ("content-length: 9223372036854775808", "number"),
            ("content-length: 1\r\ntransfer-encoding: chunked", "exclude"),
            ("transfer-encoding: chunked\r\ncontent-length: 1", "exclude"),
            ("transfer-encoding: gzip", "nothing but chunked"),
            ("transfer-encoding: gzip, chunked", "nothing but chunked"),
            ("transfer-encoding: chunked, identity", "nothing but chunked"),
            ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "nothing but chunked"),
            ("transfer-encoding: \u{b}chunked", "control"),
            ("host: y", "two Host"),
            ("a: b\r\n c", "blank"),
            ("a: b\r\n\tc: d", "blank"),
            ("a : b", "token"),
            (": b", "token"),
            ("a b: c", "token"),
            ("a", "no colon"),
            ("a: b\nc: d", "bare"),
            ("a: b\rc: d", "control"),
            ("a: \0", "control"),
            ("a: \u{7f}", "control"),
            ("a: \u{1b}[31m", "control"),
        ] {
            flawed(with(fields).as_bytes(), reason);
        }
        flawed(b"GET / HTTP/1.1\r\n\r\n", "no Host");
        flawed(b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", "HTTP/1.0");
        flawed(b"GET / HTTP/1.1\nhost: x\n\n", "bare");
        flawed(b"GET / HTTP/1.1\r\nhost: x\r\n\n", "bare");
    }

    #[test]
    fn first_lines_that_are_none() {
        for bytes in [&b"\x16\x03\x01\x02\x00\x01"[..], b"\0", b" GET / HTTP/1.1\r\n", b"\xff", b"{}", b":"] {
            flawed(bytes, "begin with a method");
        }
        for line in ["hello", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET /\0 HTTP/1.1", "G(T / HTTP/1.1"] {
            flawed(format!("{line}\r\n").as_bytes(), "first line");
        }
        for line in
            ["GET /\u{7f} HTTP/1.1", "GET  HTTP/1.1", "GET /\t HTTP/1.1", "GET http:// HTTP/1.1", "GET /< HTTP/1.1\0"]
        {
            flawed(format!("{line}\r\n").as_bytes(), "");
        }
        flawed(b"GET /\xff HTTP/1.1\r\n", "first line");
        for version in ["HTTP/2.0", "HTTP/1.2", "http/1.1", "HTTP/1.10", "HTTP/9.9", "", "X"] {
            flawed(format!("GET / {version}\r\n").as_bytes(), "");
        }
        flawed(b"CONNECT a:443 HTTP/1.1\r\n", "proxies");
        flawed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version");
    }

    #[test]
    fn who_asks_for_another_protocol_is_not_heard() {
        let head = b"GET / HTTP/1.1\r\nhost: upgrade: x\r\nUpgrade: h2c\r\nupgrade:x\r\n\r\n";
        let mut inspector = Inspector::default();
        assert_eq!(inspector.look(head), Look::Whole(head.len(), Framing::Length(0)));
        assert!(inspector.asks_for_upgrade());
        let mut hidden = head.to_vec();
        hide_upgrades(&mut hidden);
        assert_eq!(hidden, b"GET / HTTP/1.1\r\nhost: upgrade: x\r\nignored: h2c\r\nignored:x\r\n\r\n");
    }

    #[test]
    fn heads_that_are_too_large() {
        let long = format!("GET /{}", "a".repeat(MAX_HEAD));
        assert_eq!(Inspector::default().look(long.as_bytes()), Look::Flawed(Flaw::LineTooLong));
        assert_eq!(Inspector::default().look(&long.as_bytes()[..MAX_HEAD - 1]), Look::Partial);
        let large = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(MAX_HEAD));
        assert_eq!(Inspector::default().look(large.as_bytes()), Look::Flawed(Flaw::HeadTooLarge));
        let many = |count: usize| format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a:\r\n".repeat(count - 1));
        assert_eq!(look(many(MAX_FIELDS + 1).as_bytes()), Look::Flawed(Flaw::HeadTooLarge));
        whole(&many(MAX_FIELDS), Framing::Length(0));
    }
}
