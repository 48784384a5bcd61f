//! When a notice that was not taken is sent again.

use std::time::Duration;

use event::Timestamp;
use http::HeaderValue;

/// The pause after the first attempt; each further one is twice as long, with up to a quarter more or less.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause, whatever the receiver asks for.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How long to wait after so many attempts; `random` spreads those that failed together.
pub fn pause(attempts: u32, random: u16) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX));
    let pause = doubled.min(LONGEST);
    // From three quarters to five.
    pause * 3 / 4 + pause * u32::from(random) / (2 * u32::from(u16::MAX))
}

/// How long a receiver asks to be left alone, in seconds or until a time; at most [`LONGEST`].
pub fn asked_for(value: Option<&HeaderValue>, now: Timestamp) -> Option<Duration> {
    let text = value?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            until.saturating_sub(Duration::from_secs(now.seconds().max(0).unsigned_abs()))
        }
    };
    Some(pause.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_thirty_five_attempts_take_a_day() {
        assert_eq!((pause(1, 0), pause(1, u16::MAX)), (Duration::from_millis(750), Duration::from_millis(1_250)));
        assert_eq!(pause(3, 0), Duration::from_secs(3));
        for attempts in [13, 14, 32, 33, 34, u32::MAX] {
            assert_eq!(pause(attempts, u16::MAX), LONGEST * 5 / 4);
        }
        let hours = |random| (1..35).map(|attempts| pause(attempts, random)).sum::<Duration>().as_secs() / 3_600;
        assert_eq!((hours(0), hours(u16::MAX / 2), hours(u16::MAX)), (17, 23, 28));
    }

    #[test]
    fn a_receiver_may_ask_for_seconds_or_a_time() {
        let now = Timestamp::parse("2026-11-20T09:30:26Z").unwrap();
        let check = |text: &'static str, expect: Option<u64>| {
            let value = HeaderValue::from_static(text);
            assert_eq!(asked_for(Some(&value), now), expect.map(Duration::from_secs), "{text}");
        };
        check("7", Some(7));
        check(" 0 ", Some(0));
        check("864000", Some(3_600));
        check("Fri, 20 Nov 2026 09:31:26 GMT", Some(60));
        check("Fri, 20 Nov 2026 09:29:26 GMT", Some(0));
        check("soon", None);
        check("-1", None);
        assert_eq!(asked_for(None, now), None);
    }
}
