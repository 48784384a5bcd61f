//! Instants as people write them: absolute, or relative to now.

use std::fmt;

use event::Timestamp;

/// A unit of a relative instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`: 24 hours
    Day,
}

impl Unit {
    const ALL: [(char, Self, i64); 4] = [
        ('s', Self::Second, 1_000_000),
        ('m', Self::Minute, 60_000_000),
        ('h', Self::Hour, 3_600_000_000),
        ('d', Self::Day, 86_400_000_000),
    ];

    const fn letter_and_micros(self) -> (char, i64) {
        let (letter, _, micros) = Self::ALL[self as usize];
        (letter, micros)
    }
}

/// An instant that may depend on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeExpression {
    /// `2026-11-20T09:30:26Z`, `2026-11-20T10:30:26+01:00`, or `2026-11-20`, which is its first moment in UTC.
    At(Timestamp),
    /// `now`, `now - 24h`, `now + 5m`: that many units after now.
    FromNow(i64, Unit),
}

impl TimeExpression {
    /// Reads an instant.
    ///
    /// # Errors
    /// A message that says what is expected and shows at most 64 characters of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused =
            || format!("expected a time such as 2026-11-20T09:30:26Z, 2026-11-20 or now - 24h, found {text:.64}");
        if let Some(rest) = text.strip_prefix("now") {
            return Self::parse_offset(rest.trim()).ok_or_else(refused);
        }
        let parsed = match text.len() {
            10 => Timestamp::parse(&format!("{text}T00:00:00Z")),
            _ => Timestamp::parse_with_offset(text),
        };
        parsed.map(Self::At).map_err(|_| refused())
    }

    fn parse_offset(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::FromNow(0, Unit::Second));
        }
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+')?),
        };
        let rest = rest.trim_start();
        let (_, unit, _) = Unit::ALL.into_iter().find(|(letter, ..)| rest.ends_with(*letter))?;
        let digits = &rest[..rest.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // Nine digits of days are beyond the calendar already.
        digits.parse().ok().filter(|count| *count <= 999_999_999).map(|count: i64| Self::FromNow(sign * count, unit))
    }

    /// The instant, if it is `now` now; clamped to the years 1 to 9999.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::FromNow(count, unit) => {
                let offset = count.saturating_mul(unit.letter_and_micros().1);
                Timestamp::from_micros(now.micros().saturating_add(offset))
            }
        }
    }
}

impl fmt::Display for TimeExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => time.fmt(f),
            Self::FromNow(0, _) => f.write_str("now"),
            Self::FromNow(count, unit) => {
                let sign = if *count < 0 { '-' } else { '+' };
                write!(f, "now {sign} {}{}", count.unsigned_abs(), unit.letter_and_micros().0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_763_631_026_123_456;

    #[test]
    fn reads_absolute_and_relative_times() {
        for (text, micros) in [
            ("now", NOW),
            ("now - 24h", NOW - 86_400_000_000),
            ("now-24h", NOW - 86_400_000_000),
            ("now + 1s", NOW + 1_000_000),
            ("now - 7d", NOW - 7 * 86_400_000_000),
            ("now -  90m", NOW - 5_400_000_000),
            ("1970-01-02", 86_400_000_000),
            ("1970-01-01T00:00:01.5Z", 1_500_000),
            ("1970-01-01T01:00:01.5+01:00", 1_500_000),
            ("now - 999999999d", Timestamp::from_micros(i64::MIN).micros()),
        ] {
            let time = TimeExpression::parse(text).map(|time| time.at(Timestamp::from_micros(NOW)).micros());
            assert_eq!(time, Ok(micros), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "now -",
            "now 24h",
            "now - h",
            "now - 1w",
            "now - -1h",
            "now - 1.5h",
            "now - 9999999999s",
            "yesterday",
            "2026-11-20 09:30:26",
            "2026-13-01",
            "2026-11-20T09:30:26+0100",
            "2026-11-20T09:30:26+01 00",
            "2026-11-20T09:30:26 01:00",
            "2026-11-20T09:30:26+25:00",
            "0001-01-01T00:00:00+01:00",
            "nowhere",
            "now - 1é",
            "20261120",
            "now - ١h",
        ] {
            assert!(TimeExpression::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shows_what_it_reads() {
        for text in ["now", "now - 24h", "now + 1s", "2026-11-20T09:30:26.000000Z"] {
            assert_eq!(TimeExpression::parse(text).map(|time| time.to_string()), Ok(text.to_owned()));
        }
    }
}
