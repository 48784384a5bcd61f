//! Times as logs write them.

use event::Timestamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `17/May/2015:10:05:03 +0000`, in UTC.
pub fn apache(text: &str) -> Result<Timestamp, String> {
    read_apache(text).ok_or_else(|| format!("expected a time such as 17/May/2015:10:05:03 +0000, found {text:.40}"))
}

fn read_apache(text: &str) -> Option<Timestamp> {
    let month = MONTHS.iter().position(|month| text.get(3..6) == Some(*month))? + 1;
    let part = |range: std::ops::Range<usize>| text.get(range);
    let marks = [part(2..3)?, part(6..7)?, part(11..12)?, part(20..21)?].concat();
    let utc = format!("{}-{month:02}-{}T{}Z", part(7..11)?, part(0..2)?, part(12..20)?);
    let at = Timestamp::parse(&utc).ok()?;
    (marks == "//: ").then_some(())?;
    moved(at, text.get(21..)?)
}

/// An RFC 3339 time with any offset and any fraction; a space may stand for its `T`. Finer than microseconds is cut off.
pub fn rfc3339(text: &str) -> Result<Timestamp, String> {
    read_rfc3339(text).ok_or_else(|| format!("expected a time such as 2026-11-20T09:30:26.123Z, found {text:.40}"))
}

fn read_rfc3339(text: &str) -> Option<Timestamp> {
    let (seconds, rest) = (text.get(..19)?, text.get(19..)?);
    let digits = rest.strip_prefix('.').map_or(0, |rest| 1 + rest.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, offset) = rest.split_at(digits);
    (digits != 1).then_some(())?;
    let utc = format!("{}{}Z", seconds.replacen(' ', "T", 1), &fraction[..fraction.len().min(7)]);
    let at = Timestamp::parse(&utc).ok()?;
    if matches!(offset, "Z" | "z") { Some(at) } else { moved(at, offset) }
}

/// A local time with its offset, `+0200` or `+02:00`, in UTC.
fn moved(local: Timestamp, offset: &str) -> Option<Timestamp> {
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits.replacen(':', "", 1)),
        ("-", digits) => (-1, digits.replacen(':', "", 1)),
        _ => return None,
    };
    (digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours < 24 && minutes < 60).then_some(())?;
    Some(Timestamp::from_micros(local.micros() - sign * (hours * 60 + minutes) * 60_000_000))
}

/// Seconds, milliseconds or microseconds since 1970: whichever puts the time before the year 5138.
pub fn epoch(number: f64) -> Result<Timestamp, String> {
    const LAST_SECONDS: f64 = 1e11;
    let micros = match number.abs() {
        size if size < LAST_SECONDS => number * 1e6,
        size if size < LAST_SECONDS * 1e3 => number * 1e3,
        _ => number,
    };
    if micros.is_finite() && micros.abs() < 2.5e17 {
        // In range by the line above.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
        return Ok(Timestamp::from_micros(micros.round() as i64));
    }
    Err(format!("expected a time since 1970, found {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_apache() {
        let check = |text: &str, utc: &str| assert_eq!(apache(text).unwrap().to_seconds_string(), utc, "{text}");
        check("17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z");
        check("17/May/2015:00:05:03 +0230", "2015-05-16T21:35:03Z");
        check("31/Dec/2015:23:05:03 -0130", "2016-01-01T00:35:03Z");
        for wrong in [
            "",
            "17/May/2015:10:05:03",
            "17/May/2015:10:05:03 UTC",
            "30/Feb/2015:10:05:03 +0000",
            "17-May-2015:10:05:03 +0000",
            "17/Mai/2015:10:05:03 +0000",
            "17/May/2015:10:05:03 +00é0",
            "é7/May/2015:10:05:03 +0000",
        ] {
            assert!(apache(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_of_others() {
        let check = |text: &str, utc: &str| assert_eq!(rfc3339(text).unwrap().to_string(), utc, "{text}");
        check("2026-11-20T09:30:26Z", "2026-11-20T09:30:26.000000Z");
        check("2026-11-20 09:30:26.123456789+01:00", "2026-11-20T08:30:26.123456Z");
        check("2026-11-20T09:30:26.5-0800", "2026-11-20T17:30:26.500000Z");
        for wrong in ["", "2026-11-20", "2026-11-20T09:30:26", "2026-11-20T09:30:26.Z", "2026-11-20T09:30:26 +1"] {
            assert!(rfc3339(wrong).is_err(), "{wrong}");
        }
        let check = |number: f64, utc: &str| assert_eq!(epoch(number).unwrap().to_string(), utc, "{number}");
        check(1_763_631_026.5, "2025-11-20T09:30:26.500000Z");
        check(1_763_631_026_500.0, "2025-11-20T09:30:26.500000Z");
        check(1_763_631_026_500_000.0, "2025-11-20T09:30:26.500000Z");
        assert!(epoch(f64::NAN).is_err() && epoch(1e300).is_err());
    }
}
