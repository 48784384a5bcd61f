//! The access log of AWS's application load balancer.

use std::borrow::Cow;

use super::quoted::Cursor;
use super::{bytes, seconds, status, time};
use crate::import::seen::{Seen, some};

/// Reads a line. The balancer counts the whole request, its head too, as received.
pub fn read(line: &str) -> Result<Seen<'_>, String> {
    let mut cursor = Cursor::new(line);
    cursor.word("type")?;
    let answered = cursor.word("time")?;
    cursor.word("balancer")?;
    let client = cursor.word("client")?;
    cursor.word("target")?;
    let mut took = None;
    for what in ["request time", "target time", "response time"] {
        if let Some(part) = seconds(cursor.word(what)?)? {
            took = Some(took.unwrap_or(0.0) + part);
        }
    }
    let status = status(cursor.word("status")?)?;
    cursor.word("target status")?;
    let (received, sent) = (bytes(cursor.word("received bytes")?)?, bytes(cursor.word("sent bytes")?)?);
    let (request, agent) = (cursor.quoted("request")?, cursor.quoted("user agent")?);
    for what in ["cipher", "TLS version", "target group"] {
        cursor.word(what)?;
    }
    let (trace, domain) = (cursor.quoted("trace")?, cursor.quoted("domain")?);
    cursor.quoted("certificate")?;
    cursor.word("priority")?;
    // It says when the request came; the first time of the line, when it was answered.
    let came = cursor.word("creation time").unwrap_or(answered);
    let mut seen = Seen {
        at: time::rfc3339(came)?,
        client_ip: some(Cow::Borrowed(client.rsplit_once(':').map_or(client, |(address, _)| address))),
        status,
        request_bytes: received,
        response_bytes: sent,
        duration_ms: took,
        agent: some(agent),
        trace_id: trace_id(&trace),
        ..Seen::default()
    };
    seen.set_request_line(request);
    let (host, path) = split_url(&seen.target);
    (seen.host, seen.target) = (some(domain).or(host), path);
    Ok(seen)
}

/// Host and path of a URL; of what is none, all of it as the path.
fn split_url<'a>(url: &str) -> (Option<Cow<'a, str>>, Cow<'a, str>) {
    let Some((_, rest)) = url.split_once("://") else { return (None, Cow::Owned(url.to_owned())) };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    (some(Cow::Owned(host.to_owned())), Cow::Owned(path))
}

/// The 32 hex digits of `Root=1-58337262-36d228ad5d99923122bbe354`.
fn trace_id(header: &str) -> Option<String> {
    let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root=1-"))?;
    let digits = root.replacen('-', "", 1);
    (digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's documentation.
    const LINE: &str = r#"https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/a?b=c HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:acm:us-east-2:123456789012:certificate/12345678-1234-1234-1234-123456789012" 1 2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_123456"#;

    #[test]
    fn a_line() {
        let seen = read(LINE).unwrap();
        assert_eq!(seen.at.to_string(), "2018-07-02T22:22:48.364000Z");
        assert_eq!(
            (seen.client_ip.as_deref(), seen.host.as_deref()),
            (Some("192.168.131.39"), Some("www.example.com"))
        );
        assert_eq!((&*seen.method, &*seen.target, seen.protocol.as_deref()), ("GET", "/a?b=c", Some("HTTP/1.1")));
        assert_eq!((seen.status, seen.duration_ms, seen.response_bytes), (200, Some(171.0), Some(57)));
        assert_eq!(seen.trace_id.as_deref(), Some("583372811d84f3d73c47ec4e58577259"));
        let failed = LINE.replace("0.086 0.048 0.037 200 200", "-1 -1 -1 502 -");
        assert_eq!(read(&failed).unwrap().duration_ms, None);
        let no_url = LINE.replace("GET https://www.example.com:443/a?b=c HTTP/1.1", "- http://www.example.com:80- -");
        assert!(read(&no_url).is_ok());
    }

    #[test]
    fn what_is_none() {
        assert!(read(&LINE.replace(" 200 200 ", " - - ")).is_err());
        assert!(read(LINE.split(" \"GET").next().unwrap()).is_err());
        assert!(read("").is_err());
    }
}
