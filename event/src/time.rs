//! Instants of the log: microseconds of UTC.

use std::fmt;

use chrono::{DateTime, NaiveDateTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00 UTC, rendered `2026-11-20T09:30:26.123456Z`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 0001-01-01 to 9999-12-31: what every reader of the table can show.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

impl Timestamp {
    /// From microseconds since the epoch; clamped to the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(*RANGE.start(), *RANGE.end()))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads an RFC 3339 time in UTC (`Z`) with at most six digits of a second.
    ///
    /// # Errors
    /// Any other shape, another offset, or a finer fraction, which could not be kept.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("expected a UTC time such as 2026-11-20T09:30:26.123456Z, found {text}");
        let body = text.strip_suffix('Z').ok_or_else(refused)?;
        let fraction = body.split_once('.').map_or("", |(_, fraction)| fraction);
        if fraction.len() > 6 || body.ends_with('.') || body.len() < 19 {
            return Err(refused());
        }
        let parsed = NaiveDateTime::parse_from_str(body, "%Y-%m-%dT%H:%M:%S%.f").map_err(|_| refused())?;
        let micros = parsed.and_utc().timestamp_micros();
        if RANGE.contains(&micros) { Ok(Self(micros)) } else { Err(refused()) }
    }

    /// `2026-11-20T09:30:26Z`: to the second, as answers show it.
    pub fn to_seconds_string(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `2026-11-20`, the partition of arrival and of the table.
    pub fn day(self) -> String {
        self.format("%Y-%m-%d")
    }

    /// `09`, the hour of the day.
    pub fn hour(self) -> String {
        self.format("%H")
    }

    fn format(self, pattern: &str) -> String {
        // `from_micros` and `parse` hold the value within chrono's range.
        DateTime::from_timestamp_micros(self.0).unwrap_or_default().format(pattern).to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn reads_what_it_writes() {
        for micros in [0, 1, 1_763_631_026_123_456, -1, -62_135_596_800_000_000, 253_402_300_799_999_999] {
            let timestamp = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::parse(&timestamp.to_string()), Ok(timestamp));
        }
    }

    #[test]
    fn refuses_what_it_could_not_keep() {
        for text in [
            "2026-11-20T09:30:26.1234567Z",
            "2026-11-20T09:30:26+01:00",
            "2026-11-20 09:30:26Z",
            "2026-11-20T09:30:26",
            "2026-11-20T09:30:26.Z",
            "2026-02-30T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "",
            "Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn takes_shorter_fractions() {
        assert_eq!(Timestamp::parse("1970-01-01T00:00:01.5Z"), Ok(Timestamp::from_micros(1_500_000)));
        assert_eq!(Timestamp::parse("1970-01-01T00:00:01Z"), Ok(Timestamp::from_micros(1_000_000)));
    }

    #[test]
    fn partitions_by_utc_day_and_hour() {
        let timestamp = Timestamp::parse("2026-11-20T09:30:26.123456Z").unwrap();
        assert_eq!((timestamp.day().as_str(), timestamp.hour().as_str()), ("2026-11-20", "09"));
        assert_eq!(timestamp.to_seconds_string(), "2026-11-20T09:30:26Z");
    }
}
