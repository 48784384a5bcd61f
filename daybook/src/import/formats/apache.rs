//! Apache's and nginx's `common` and `combined` formats.

use std::borrow::Cow;

use super::quoted::Cursor;
use super::{bytes, status, time};
use crate::import::seen::{Seen, some};

/// Reads a line: `client ident user [time] "request" status bytes`, and if it is `combined`, `"referer" "agent"`.
///
/// What follows an agent, as many servers are told to log, is passed over.
pub fn read(line: &str, combined: bool) -> Result<Seen<'_>, String> {
    let mut cursor = Cursor::new(line);
    let client = cursor.word("client")?;
    cursor.word("ident")?;
    let user = cursor.until(" [", "time")?;
    let at = time::apache(cursor.until("]", "end of the time")?)?;
    let request = cursor.quoted("request")?;
    let status = status(cursor.word("status")?)?;
    // `-` says that nothing was sent.
    let response_bytes = Some(bytes(cursor.word("size")?)?.unwrap_or(0));
    let mut seen = Seen {
        at,
        client_ip: some(Cow::Borrowed(client)),
        user: some(Cow::Borrowed(user)),
        status,
        response_bytes,
        ..Seen::default()
    };
    seen.set_request_line(request);
    if combined {
        seen.referer = some(cursor.quoted("referer")?);
        seen.agent = some(cursor.quoted("user agent")?);
    } else if !cursor.is_at_end() {
        return Err("more than the common format has; is it --format combined?".to_owned());
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"203.0.113.7 - ann lee [17/May/2015:10:05:03 +0200] "GET /a?b=c HTTP/1.1" 200 17"#;

    #[test]
    fn a_line_of_each() {
        let seen = read(LINE, false).unwrap();
        assert_eq!((seen.at.to_seconds_string().as_str(), seen.status), ("2015-05-17T08:05:03Z", 200));
        assert_eq!((seen.client_ip.as_deref(), seen.user.as_deref()), (Some("203.0.113.7"), Some("ann lee")));
        assert_eq!((&*seen.method, &*seen.target, seen.response_bytes), ("GET", "/a?b=c", Some(17)));
        let combined = format!(r#"{LINE} "http://x/\"y\"" "curl "8"" "203.0.113.9" 0.012"#);
        let seen = read(&combined, true).unwrap();
        assert_eq!((seen.referer.as_deref(), seen.agent.as_deref()), (Some(r#"http://x/"y""#), Some(r#"curl "8""#)));
        let none = LINE.replace(" 17", " -").replace("ann lee", "-").replace("GET /a?b=c HTTP/1.1", "-");
        let seen = read(&none, false).unwrap();
        assert_eq!((seen.response_bytes, seen.user, &*seen.method), (Some(0), None, ""));
    }

    #[test]
    fn what_is_none() {
        assert!(read(LINE, true).unwrap_err().contains("no referer"));
        assert!(read(&format!(r#"{LINE} "-" "-""#), false).unwrap_err().contains("--format combined"));
        for (part, wrong) in
            [(" 200 ", " 2000 "), (" 17", " many"), (" 17", " -5"), ("17/May", "17/Mai"), ("HTTP/1.1\"", "")]
        {
            assert!(read(&LINE.replace(part, wrong), false).is_err(), "{wrong}");
        }
        for line in ["", "x", "x - -", "{}", "x - - []"] {
            assert!(read(line, false).is_err(), "{line}");
        }
    }
}
