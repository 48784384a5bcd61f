//! The zone that people read times in. Programs get UTC.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use event::Timestamp;

/// Where the clock hangs that times are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// As the log has them.
    pub const UTC: Self = Self(Tz::UTC);

    /// What the machine is set to: `TZ` where that is a zone's name, else what the system says. UTC if nothing does.
    #[expect(clippy::disallowed_methods, reason = "a convention of every program, read while the flags are")]
    fn local() -> Self {
        let named = std::env::var("TZ").ok().and_then(|name| name.trim_start_matches(':').parse().ok());
        let set = || iana_time_zone::get_timezone().ok()?.parse().ok();
        named.or_else(set).map_or(Self::UTC, Self)
    }

    /// `2026-11-20T10:30:26+01:00`: to the second, with the offset that it had there then; `Z` in UTC.
    pub fn seconds(self, time: Timestamp) -> String {
        self.text(time, SecondsFormat::Secs)
    }

    /// The same to the thousandth of a second.
    pub fn millis(self, time: Timestamp) -> String {
        self.text(time, SecondsFormat::Millis)
    }

    fn text(self, time: Timestamp, format: SecondsFormat) -> String {
        // Every timestamp is within the years that it knows.
        let time = DateTime::from_timestamp_micros(time.micros()).unwrap_or_default();
        time.with_timezone(&self.0).to_rfc3339_opts(format, true)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl FromStr for Zone {
    type Err = String;

    /// `utc`, `local`, or a name of the IANA database.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "utc" => Ok(Self::UTC),
            "local" => Ok(Self::local()),
            _ => chrono_tz::TZ_VARIANTS
                .iter()
                .find(|zone| zone.name().eq_ignore_ascii_case(text))
                .map(|zone| Self(*zone))
                .ok_or_else(|| "write utc, local, or a zone's name such as Europe/Berlin".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_by_the_clock_of_a_place() {
        let check = |zone: &str, utc: &str, seconds: &str, millis: &str| {
            let (zone, time): (Zone, _) = (zone.parse().unwrap(), Timestamp::parse(utc).unwrap());
            assert_eq!((zone.seconds(time).as_str(), zone.millis(time).as_str()), (seconds, millis));
        };
        let winter = "2026-11-20T23:30:26.123999Z";
        check("utc", winter, "2026-11-20T23:30:26Z", "2026-11-20T23:30:26.123Z");
        check("Europe/Berlin", winter, "2026-11-21T00:30:26+01:00", "2026-11-21T00:30:26.123+01:00");
        check("asia/kolkata", winter, "2026-11-21T05:00:26+05:30", "2026-11-21T05:00:26.123+05:30");
        // The hour that happens twice, and the one that is left out.
        check("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00.000+02:00");
        check("Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00.000+01:00");
        check("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00", "2026-03-29T03:00:00.000+02:00");
    }

    #[test]
    fn utc_is_shown_as_answers_show_it() {
        for micros in [0, -1, 1_763_631_026_123_456, i64::MIN, i64::MAX] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(Zone::UTC.seconds(time), time.to_seconds_string());
        }
    }

    #[test]
    fn no_zone() {
        for text in ["", "Mars/Olympus", "+01:00", "Europe"] {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }
}
