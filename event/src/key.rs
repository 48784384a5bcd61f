//! Names of the objects that stages hand to each other.

use crate::time::Timestamp;

/// Prefix of the raw objects.
pub const RAW: &str = "raw/";
/// Prefix of the API gateway's own log.
pub const GATEWAY: &str = "gateway/";
/// Prefix of lines that could not be decoded.
pub const QUARANTINE: &str = "quarantine/";
/// Prefix of bodies too large to stand in their event.
pub const BODIES: &str = "bodies/";
/// Prefix of the Iceberg warehouse.
pub const LAKE: &str = "lake/";

/// `raw/dt=YYYY-MM-DD/hour=HH/<name>.ndjson.gz`, partitioned by the time of arrival.
pub fn raw(arrival: Timestamp, name: &str) -> String {
    format!("{RAW}dt={}/hour={}/{name}.ndjson.gz", arrival.day(), arrival.hour())
}

/// `quarantine/dt=YYYY-MM-DD/<name>.ndjson.gz`.
pub fn quarantine(arrival: Timestamp, name: &str) -> String {
    format!("{QUARANTINE}dt={}/{name}.ndjson.gz", arrival.day())
}

/// `bodies/dt=YYYY-MM-DD/<event id>`.
pub fn body(received_at: Timestamp, event_id: crate::EventId) -> String {
    format!("{BODIES}dt={}/{event_id}", received_at.day())
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
    fn other_keys_have_no_day() {
        for key in ["raw/x.gz", "lake/dt=2026-11-20/x", "raw/dt=2026-11", "raw/dt=2026_11_20/x", ""] {
            assert_eq!(arrival_day(key), None, "{key}");
        }
    }
}
