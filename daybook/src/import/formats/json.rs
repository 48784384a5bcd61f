//! JSON lines, by the names that servers and this program give to what they log.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::time;
use crate::import::seen::{Seen, some};

/// Reads a line: an object whose fields have one of the names below. Caddy's `request` is looked into, too.
///
/// A duration is in milliseconds if its name says so, in seconds if not.
pub fn read(line: &str) -> Result<Seen<'_>, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(fields) = value else { return Err("not a JSON object".to_owned()) };
    let line = Line { request: fields.get("request").and_then(Value::as_object), fields: &fields };
    let at =
        line.time(&["received_at", "@timestamp", "timestamp", "time", "time_iso8601", "ts", "msec", "time_local"])?;
    let seconds = |names: &[&str]| line.number(names).map(|seconds| seconds.map(|seconds| seconds * 1e3));
    let mut seen = Seen {
        at,
        client_ip: line.text(&["client_ip", "remote_addr", "remote_ip", "ip", "c-ip", "remoteAddr"]),
        user: line.text(&["user_id", "remote_user", "user"]),
        status: status(line.whole(&["status", "status_code", "sc-status", "response_code"])?)?,
        request_bytes: line.whole(&["request_bytes", "request_length", "bytes_read", "cs-bytes"])?,
        response_bytes: line.whole(&[
            "response_bytes",
            "body_bytes_sent",
            "bytes_sent",
            "bytes",
            "size",
            "sc-bytes",
        ])?,
        duration_ms: match line.number(&["duration_ms", "latency_ms", "elapsed_ms"])? {
            Some(millis) => Some(millis),
            None => seconds(&["request_time", "duration", "time-taken"])?,
        },
        referer: line
            .text(&["referer", "referrer", "http_referer", "http_referrer"])
            .or_else(|| line.header("Referer")),
        agent: line.text(&["user_agent", "http_user_agent", "agent"]).or_else(|| line.header("User-Agent")),
        host: line.text(&["host", "http_host", "server_name"]),
        request_id: line.text(&["request_id", "x_request_id", "req_id"]),
        trace_id: line.text(&["trace_id"]).map(Cow::into_owned).filter(|id| is_trace_id(id)),
        content_type: line.text(&["request_content_type", "content_type"]).or_else(|| line.header("Content-Type")),
        body: line.text(&["request_body", "body"]),
        ..Seen::default()
    };
    match fields.get("request").and_then(Value::as_str) {
        Some(request) => seen.set_request_line(Cow::Owned(request.to_owned())),
        None => {
            seen.method = line.text(&["method", "request_method", "http_method", "verb"]).ok_or("no method")?;
            let target = line.text(&["request_uri", "uri", "url", "path", "request_path"]).ok_or("no path")?;
            let query = line.text(&["query_string", "query", "args"]).filter(|_| !target.contains('?'));
            seen.target = query.map_or(target.clone(), |query| Cow::Owned(format!("{target}?{query}")));
            seen.protocol = line.text(&["protocol", "server_protocol", "proto"]);
        }
    }
    Ok(seen)
}

/// The fields of a line, and of the request in it.
struct Line<'a> {
    fields: &'a Map<String, Value>,
    request: Option<&'a Map<String, Value>>,
}

impl<'a> Line<'a> {
    fn find(&self, names: &[&str]) -> Option<(&'a str, &'a Value)> {
        let inner = self.request;
        let find =
            |name: &&str| self.fields.get_key_value(*name).or_else(|| inner.and_then(|it| it.get_key_value(*name)));
        names.iter().filter_map(find).map(|(name, value)| (name.as_str(), value)).find(|(_, value)| !is_none(value))
    }

    fn text<'s>(&self, names: &[&str]) -> Option<Cow<'s, str>> {
        let (_, value) = self.find(names)?;
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        some(Cow::Owned(text))
    }

    /// A header of Caddy's `request`.
    fn header<'s>(&self, name: &str) -> Option<Cow<'s, str>> {
        let values = self.request?.get("headers")?.get(name)?;
        let first = values.as_str().or_else(|| values.get(0)?.as_str())?;
        some(Cow::Owned(first.to_owned()))
    }

    fn number(&self, names: &[&str]) -> Result<Option<f64>, String> {
        let Some((name, value)) = self.find(names) else { return Ok(None) };
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let number = number.filter(|number| number.is_finite() && *number >= 0.0);
        number.map(Some).ok_or_else(|| format!("{name}: expected a number, found {:.40}", value.to_string()))
    }

    fn whole(&self, names: &[&str]) -> Result<Option<i64>, String> {
        let Some((name, value)) = self.find(names) else { return Ok(None) };
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok()).filter(|number| *number >= 0);
        number.map(Some).ok_or_else(|| format!("{name}: expected a whole number, found {:.40}", value.to_string()))
    }

    fn time(&self, names: &[&str]) -> Result<event::Timestamp, String> {
        let (name, value) = self.find(names).ok_or("no time")?;
        let read = match value {
            Value::Number(number) => time::epoch(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => match text.parse::<f64>() {
                Ok(number) => time::epoch(number),
                Err(_) => time::rfc3339(text).or_else(|error| time::apache(text).map_err(|_| error)),
            },
            _ => Err("expected a time".to_owned()),
        };
        read.map_err(|error| format!("{name}: {error}"))
    }
}

/// Logs write `null`, `""` or `"-"` for what there is none of.
fn is_none(value: &Value) -> bool {
    match value {
        Value::Null | Value::Object(_) => true,
        Value::String(text) => text.is_empty() || text == "-",
        _ => false,
    }
}

fn status(status: Option<i64>) -> Result<i32, String> {
    let status = status.ok_or("no status")?;
    i32::try_from(status).ok().filter(|status| *status < 1_000).ok_or_else(|| format!("{status} is no status"))
}

fn is_trace_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nginx_caddy_and_our_own() {
        let nginx = r#"{"time_iso8601":"2026-11-20T09:30:26+01:00","remote_addr":"203.0.113.7","request":"GET /a?b=c HTTP/1.1","status":"404","body_bytes_sent":"17","request_time":"0.012","http_user_agent":"curl","http_referer":"-"}"#;
        let seen = read(nginx).unwrap();
        assert_eq!((seen.at.to_seconds_string().as_str(), seen.status), ("2026-11-20T08:30:26Z", 404));
        assert_eq!((&*seen.target, seen.duration_ms, seen.response_bytes), ("/a?b=c", Some(12.0), Some(17)));
        assert_eq!((seen.agent.as_deref(), seen.referer), (Some("curl"), None));
        let caddy = r#"{"ts":1763631026.5,"request":{"remote_ip":"203.0.113.7","method":"POST","uri":"/a","proto":"HTTP/2.0","host":"x","headers":{"User-Agent":["curl"]}},"duration":0.5,"size":9,"status":201}"#;
        let seen = read(caddy).unwrap();
        assert_eq!((&*seen.method, &*seen.target, seen.status, seen.duration_ms), ("POST", "/a", 201, Some(500.0)));
        assert_eq!((seen.agent.as_deref(), seen.client_ip.as_deref()), (Some("curl"), Some("203.0.113.7")));
        let own = r#"{"received_at":"2026-11-20T09:30:26.123456Z","method":"GET","path":"/a","query_string":"b=c","status":200,"duration_ms":1.5}"#;
        let seen = read(own).unwrap();
        assert_eq!((&*seen.target, seen.duration_ms), ("/a?b=c", Some(1.5)));
    }

    #[test]
    fn what_is_none() {
        for (line, reason) in [
            ("", "not JSON"),
            ("[]", "not a JSON object"),
            ("{}", "no time"),
            (r#"{"time":"now","method":"GET","path":"/","status":200}"#, "time:"),
            (r#"{"time":1,"method":"GET","path":"/"}"#, "no status"),
            (r#"{"time":1,"method":"GET","path":"/","status":"many"}"#, "status:"),
            (r#"{"time":1,"path":"/","status":200}"#, "no method"),
            (r#"{"time":1,"method":"GET","status":200}"#, "no path"),
            (r#"{"time":1,"method":"GET","path":"/","status":200,"bytes":-1}"#, "bytes:"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
