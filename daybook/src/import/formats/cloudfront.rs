//! The standard log of AWS's CloudFront: fields separated by tabs, in the order that the log itself names.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{bytes, seconds, status, time};
use crate::import::seen::{Seen, some};

/// The fields of version 1.0, for a log that lost its head.
const STANDARD: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) \
     cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes \
     time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status \
     fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len \
     sc-range-start sc-range-end";

/// The standard's fields.
pub fn standard() -> Vec<String> {
    names(STANDARD)
}

/// The fields that a line `#Fields: …` names.
pub fn directive(line: &[u8]) -> Option<Vec<String>> {
    Some(names(std::str::from_utf8(line).ok()?.strip_prefix("#Fields:")?))
}

fn names(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Reads a line. The cookie is passed over.
pub fn read<'a>(line: &'a str, fields: &[String]) -> Result<Seen<'a>, String> {
    let values: Vec<&str> = line.split('\t').collect();
    if values.len() != fields.len() {
        return Err(format!("{} fields where the log names {}", values.len(), fields.len()));
    }
    let field = |name: &str| fields.iter().position(|known| known == name).map(|index| values[index]);
    let need = |name: &str| field(name).ok_or_else(|| format!("no field {name}"));
    let text = |name: &str| field(name).and_then(|value| some(Cow::Borrowed(value)));
    let number = |name: &str| field(name).map_or(Ok(None), bytes);
    let path = need("cs-uri-stem")?;
    let target = match text("cs-uri-query") {
        Some(query) => Cow::Owned(format!("{path}?{query}")),
        None => Cow::Borrowed(path),
    };
    Ok(Seen {
        at: time::rfc3339(&format!("{}T{}Z", need("date")?, need("time")?))?,
        client_ip: text("c-ip"),
        method: Cow::Borrowed(need("cs-method")?),
        target,
        protocol: text("cs-protocol-version"),
        host: text("x-host-header").or_else(|| text("cs(Host)")),
        status: status(need("sc-status")?)?,
        request_bytes: number("cs-bytes")?,
        response_bytes: number("sc-bytes")?,
        duration_ms: field("time-taken").map_or(Ok(None), seconds)?,
        referer: text("cs(Referer)").map(decoded),
        agent: text("cs(User-Agent)").map(decoded),
        request_id: text("x-edge-request-id"),
        ..Seen::default()
    })
}

/// Header values are written with percent signs for spaces and others.
fn decoded(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('%') { Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's documentation.
    const LINE: &str = "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\t-\tMozilla/5.0%20(Windows%20NT%2010.0)\tx=1\t-\tHit\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\td111111abcdef8.cloudfront.net\thttps\t23\t0.001\t-\tTLSv1.2\tECDHE-RSA-AES128-GCM-SHA256\tHit\tHTTP/2.0\t-\t-\t11040\t0.001\tHit\ttext/html\t78\t-\t-";

    #[test]
    fn a_line() {
        let seen = read(LINE, &standard()).unwrap();
        assert_eq!((seen.at.to_seconds_string().as_str(), seen.status), ("2019-12-04T21:02:31Z", 200));
        assert_eq!((&*seen.target, seen.agent.as_deref()), ("/index.html?x=1", Some("Mozilla/5.0 (Windows NT 10.0)")));
        assert_eq!((seen.response_bytes, seen.request_bytes, seen.duration_ms), (Some(392), Some(23), Some(1.0)));
        assert_eq!((seen.referer, seen.protocol.as_deref()), (None, Some("HTTP/2.0")));
    }

    #[test]
    fn the_log_names_its_fields() {
        let fields = directive(b"#Fields: time date sc-status cs-uri-stem cs-method").unwrap();
        let seen = read("21:02:31\t2019-12-04\t000\t/a\tGET", &fields).unwrap();
        assert_eq!((&*seen.target, seen.status), ("/a", 0));
        assert!(read("21:02:31\t2019-12-04\t000\t/a", &fields).is_err());
        assert!(directive(b"#Version: 1.0").is_none());
        let lacking = directive(b"#Fields: date time").unwrap();
        assert!(read("2019-12-04\t21:02:31", &lacking).unwrap_err().contains("cs-uri-stem"));
    }
}
