//! The trace a request belongs to: W3C `traceparent`, else `X-Amzn-Trace-Id`.

use super::request::Received;

/// The trace id as 32 lower-case hex digits; `None` without a valid header.
pub fn trace_id(received: &Received) -> Option<String> {
    received
        .header("traceparent")
        .and_then(from_traceparent)
        .or_else(|| received.header("x-amzn-trace-id").and_then(from_amazon))
}

fn from_traceparent(header: &str) -> Option<String> {
    let mut parts = header.trim().split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let known = version != "ff" && (version != "00" || parts.next().is_none());
    let valid = known && is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    (valid && trace.bytes().any(|b| b != b'0') && parent.bytes().any(|b| b != b'0')).then(|| trace.to_owned())
}

fn from_amazon(header: &str) -> Option<String> {
    let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
    let (time, unique) = root.strip_prefix("1-")?.split_once('-')?;
    (is_hex(time, 8) && is_hex(unique, 24)).then(|| format!("{time}{unique}"))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_headers() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let check = |header: &str, expect: Option<&str>| assert_eq!(from_traceparent(header).as_deref(), expect);
        check(&format!("00-{trace}-00f067aa0ba902b7-01"), Some(trace));
        check(&format!("cc-{trace}-00f067aa0ba902b7-01-more"), Some(trace));
        check(&format!("00-{trace}-00f067aa0ba902b7-01-more"), None);
        check(&format!("ff-{trace}-00f067aa0ba902b7-01"), None);
        check(&format!("00-{trace}-0000000000000000-01"), None);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
        check(&format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()), None);
        check("", None);
        let amazon = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(from_amazon(amazon).as_deref(), Some("5759e988bd862e3fe1be46a994272793"));
        assert_eq!(from_amazon("Self=1-67891234-12456789abcdef012345678"), None);
    }
}
