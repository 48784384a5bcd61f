//! Names of the objects that stages hand to each other.

use crate::id::EventId;
use crate::time::Timestamp;

/// Prefix of the raw objects.
pub const RAW: &str = "raw/";
/// Prefix of the API gateway's own log.
pub const GATEWAY: &str = "gateway/";
/// Prefix of lines that could not be decoded.
pub const QUARANTINE: &str = "quarantine/";
/// Prefix of notices that an event bus did not take.
pub const NOTICES: &str = "notices/";
/// Prefix of bodies too large to stand in their event.
pub const BODIES: &str = "bodies/";
/// Prefix of the Iceberg warehouse.
pub const LAKE: &str = "lake/";

/// Prefix of the contents of assets.
pub const ASSETS: &str = "assets/";
/// The longest part of an asset's key; file systems take names of 255 bytes, and drafts have some of their own.
const PART: usize = 200;
/// Between the parts of one name.
const CONTINUED: &str = "/~~";

/// `raw/dt=YYYY-MM-DD/hour=HH/<name>.ndjson.gz`, partitioned by the time of arrival.
pub fn raw(arrival: Timestamp, name: &str) -> String {
    format!("{RAW}dt={}/hour={}/{name}.ndjson.gz", arrival.day(), arrival.hour())
}

/// `quarantine/dt=YYYY-MM-DD/<name>.ndjson.gz`.
pub fn quarantine(arrival: Timestamp, name: &str) -> String {
    format!("{QUARANTINE}dt={}/{name}.ndjson.gz", arrival.day())
}

/// `notices/dt=YYYY-MM-DD/<name>.ndjson`.
pub fn notices(arrival: Timestamp, name: &str) -> String {
    format!("{NOTICES}dt={}/{name}.ndjson", arrival.day())
}

/// `bodies/dt=YYYY-MM-DD/<event id>`.
pub fn body(received_at: Timestamp, event_id: EventId) -> String {
    format!("{BODIES}dt={}/{event_id}", received_at.day())
}

/// `assets/<tenant>/<asset id>/<event id>`: the event that announced the content. All of it is made of characters that
/// neither a URL nor a file system reads anything into; what the tenant's name has besides is spelled `~XX`. What is longer
/// than a folder's name may be goes on behind `/~~`.
pub fn asset(tenant: &str, id: &str, created: EventId) -> String {
    format!("{ASSETS}{}/{}/{created}", plain(tenant), plain(id))
}

/// Tenant, asset and event of a key that [`asset`] makes; `None` for any other.
pub fn asset_of(key: &str) -> Option<(String, String, EventId)> {
    let names = key.strip_prefix(ASSETS)?.replace(CONTINUED, "");
    let mut parts = names.split('/');
    let (tenant, id, created) = (unplain(parts.next()?)?, unplain(parts.next()?)?, parts.next()?.parse().ok()?);
    (asset(&tenant, &id, created) == key).then_some((tenant, id, created))
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => plain.push(char::from(byte)),
            // A name that begins with a dot is hidden, or a folder's own.
            b'.' if !plain.is_empty() => plain.push('.'),
            _ => plain.push_str(&format!("~{byte:02X}")),
        }
    }
    in_parts(&plain)
}

/// The same in parts that a file system takes. No name begins as a part does that continues one.
fn in_parts(plain: &str) -> String {
    let mut parts = String::with_capacity(plain.len());
    let mut rest = plain;
    while let Some((part, more)) = rest.split_at_checked(PART).filter(|(_, more)| !more.is_empty()) {
        parts.push_str(part);
        parts.push_str(CONTINUED);
        rest = more;
    }
    parts.push_str(rest);
    parts
}

fn unplain(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'~' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The arrival day in the key of a raw or a gateway object, `YYYY-MM-DD`; `None` for any other key.
pub fn arrival_day(key: &str) -> Option<&str> {
    let name = key.strip_prefix(RAW).or_else(|| key.strip_prefix(GATEWAY))?;
    let day = name.strip_prefix("dt=")?.get(..10)?;
    let digits = |range: std::ops::Range<usize>| day.as_bytes()[range].iter().all(u8::is_ascii_digit);
    let separators = day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-';
    (separators && digits(0..4) && digits(5..7) && digits(8..10)).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_partitioned_by_arrival() {
        let arrival = Timestamp::parse("2026-11-20T09:30:26Z").unwrap();
        let key = raw(arrival, "1-2");
        assert_eq!(key, "raw/dt=2026-11-20/hour=09/1-2.ndjson.gz");
        assert_eq!(arrival_day(&key), Some("2026-11-20"));
        assert_eq!(arrival_day("gateway/dt=2026-11-21/hour=09/x.gz"), Some("2026-11-21"));
        assert_eq!(quarantine(arrival, "x"), "quarantine/dt=2026-11-20/x.ndjson.gz");
    }

    #[test]
    fn an_asset_s_key_says_whose_it_is() {
        let created = EventId::from_u128(7);
        for tenant in ["default", "", ".", "..", "a/b", "~", "~2F", "a~", "Ünï %\0", "a.b"] {
            for id in ["cat", "...", ".x", "A.b_c-9"] {
                let key = asset(tenant, id, created);
                assert_eq!(asset_of(&key), Some((tenant.to_owned(), id.to_owned(), created)), "{key}");
                assert_eq!(key.matches('/').count(), 3, "{key}");
                assert!(!key.contains("/."), "{key}");
            }
        }
        let good = asset("t", "a", created);
        for key in [&good.replace("/t/", "/~74/"), &format!("{good}/x"), &good[1..], &good.replace("/a/", "/~zz/"), ""]
        {
            assert_eq!(asset_of(key), None, "{key}");
        }
    }

    #[test]
    fn no_part_of_an_asset_s_key_is_longer_than_a_file_s_name() {
        let created = EventId::from_u128(7);
        let dots = format!("{}{}", "a".repeat(200), "..");
        for tenant in ["ü".repeat(43), "é".repeat(500), "a".repeat(200), "a".repeat(201), dots, "~".repeat(67)] {
            let key = asset(&tenant, "cat", created);
            assert_eq!(asset_of(&key), Some((tenant, "cat".to_owned(), created)), "{key}");
            assert!(key.split('/').all(|part| part.len() <= PART + 2 && !part.starts_with('.')), "{key}");
        }
        assert_eq!(asset(&"a".repeat(200), "cat", created).matches('/').count(), 3);
        let cut = asset("ab", "cat", created).replace("/ab/", "/a/~~b/");
        assert_eq!(asset_of(&cut), None, "a key has one form: {cut}");
    }

    #[test]
    fn other_keys_have_no_day() {
        for key in ["raw/x.gz", "lake/dt=2026-11-20/x", "raw/dt=2026-11", "raw/dt=2026_11_20/x", ""] {
            assert_eq!(arrival_day(key), None, "{key}");
        }
    }
}
