//! Instants of the log: microseconds of UTC.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Timelike};
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

    /// Microseconds of a day.
    pub const DAY: i64 = 86_400_000_000;

    /// The beginning of a day that is counted in days since the epoch; clamped as [`Self::from_micros`] does.
    pub fn of_day(day: i32) -> Self {
        Self::from_micros(i64::from(day).saturating_mul(Self::DAY))
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

    /// What [`Self::parse`] takes matches; of what matches it refuses only days that no calendar has, and the year 0.
    pub const PATTERN: &str = concat!(
        "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
        r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z$",
    );

    /// Reads an RFC 3339 time in UTC (`Z`) with at most six digits of a second.
    ///
    /// # Errors
    /// Any other shape, another offset, a leap second, or a finer fraction: what could not be kept as it is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        read(text.as_bytes())
            .ok_or_else(|| format!("expected a UTC time such as 2026-11-20T09:30:26.123456Z, found {text:.64}"))
    }

    /// Reads what [`Self::parse`] reads, with any offset from UTC in the place of `Z`: what people write and are shown.
    ///
    /// # Errors
    /// Any other shape.
    pub fn parse_with_offset(text: &str) -> Result<Self, String> {
        let (body, offset) = text.char_indices().nth_back(5).map_or((text, ""), |(at, _)| text.split_at(at));
        let moved = || {
            let offset = Some(offset).filter(|offset| offset.as_bytes().get(3) == Some(&b':'))?;
            let seconds = i64::from(offset.parse::<chrono::FixedOffset>().ok()?.local_minus_utc());
            let micros = read(format!("{body}Z").as_bytes())?.0 - seconds * 1_000_000;
            RANGE.contains(&micros).then_some(Self(micros))
        };
        Self::parse(text).or_else(|refusal| moved().ok_or(refusal))
    }

    /// `2026-11-20T09:30:26Z`: to the second, as answers show it.
    pub fn to_seconds_string(self) -> String {
        let text = self.to_string();
        format!("{}Z", &text[..19])
    }

    /// `2026-11-20`, the partition of arrival and of the table.
    pub fn day(self) -> String {
        self.to_string()[..10].to_owned()
    }

    /// `09`, the hour of the day.
    pub fn hour(self) -> String {
        self.to_string()[11..13].to_owned()
    }
}

/// `YYYY-MM-DDThh:mm:ss[.f{1,6}]Z`, digit by digit: a lenient reader would take spellings that are never written.
fn read(text: &[u8]) -> Option<Timestamp> {
    let (body, fraction) = text.strip_suffix(b"Z")?.split_at_checked(19)?;
    let number = |range: std::ops::Range<usize>| {
        body[range].iter().try_fold(0_u32, |n, byte| byte.is_ascii_digit().then(|| n * 10 + u32::from(byte - b'0')))
    };
    let separators = [body[4], body[7], body[10], body[13], body[16]] == *b"--T::";
    let day = NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(5..7)?, number(8..10)?)?;
    let time = day.and_hms_opt(number(11..13)?, number(14..16)?, number(17..19)?)?;
    let micros = match fraction.split_first() {
        None => 0,
        Some((b'.', digits)) if (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
            (0..6).fold(0, |n, place| n * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0')))
        }
        Some(_) => return None,
    };
    let micros = time.and_utc().timestamp_micros() + micros;
    (separators && RANGE.contains(&micros)).then_some(Timestamp(micros))
}

/// Always 27 ASCII characters: years have four digits in `RANGE`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `from_micros` and `parse` hold the value within chrono's range. Digit by digit: it is on every request's way,
        // and chrono's patterns take many times as long.
        let time = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        let (year, month, day) = (time.year(), time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let micros = time.timestamp_subsec_micros();
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let year = year.unsigned_abs();
        for (end, mut number) in
            [(4, year), (7, month), (10, day), (13, hour), (16, minute), (19, second), (26, micros)]
        {
            for digit in text[..end].iter_mut().rev().take_while(|byte| byte.is_ascii_digit()) {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        // Digits and what stands between them.
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
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
    fn the_pattern_takes_what_the_reader_takes() {
        let pattern = regex::Regex::new(Timestamp::PATTERN).unwrap();
        let strategy =
            "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,7})?(Z|z|\\+00:00)";
        proptest::proptest!(|(text in strategy)| {
            let real = chrono::NaiveDate::parse_from_str(&text[..10], "%Y-%m-%d").is_ok() && !text.starts_with("0000");
            proptest::prop_assert_eq!(pattern.is_match(&text) && real, Timestamp::parse(&text).is_ok());
        });
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
            "2016-12-31T23:59:60Z",
            "+2026-11-20T9:30:26Z",
            "2026-11-20T9:30:26.1Z",
            "2026-11-20T09:30:26,1Z",
            "2026-11-20T09:30:26.12345é",
            "0000-01-01T00:00:00Z",
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

    #[test]
    fn days_are_counted_from_the_epoch_and_clamped() {
        let check = |day: i32, expect: &str| assert_eq!(Timestamp::of_day(day).day(), expect, "{day}");
        check(0, "1970-01-01");
        check(-1, "1969-12-31");
        check(20_777, "2026-11-20");
        check(i32::MIN, "0001-01-01");
        check(i32::MAX, "9999-12-31");
    }
}
