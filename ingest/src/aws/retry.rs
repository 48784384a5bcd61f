//! Pauses between attempts.

use std::time::Duration;

use cloud::sdk::FIRST_BACKOFF;

/// Waits before the attempt after the n-th, counted from 0: at most 0.1 s, twice that after the next, and any time
/// below it as likely, so that those who failed together do not come back together.
pub async fn pause(failed: u32, random: fn() -> [u8; 16]) {
    let [first, second, ..] = random();
    let longest = FIRST_BACKOFF.saturating_mul(1 << failed.min(8));
    tokio::time::sleep(share(longest, u16::from_be_bytes([first, second]))).await;
}

fn share(longest: Duration, random: u16) -> Duration {
    longest * u32::from(random) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_lie_between_none_and_the_longest() {
        let longest = Duration::from_millis(400);
        assert_eq!(share(longest, 0), Duration::ZERO);
        assert_eq!(share(longest, u16::MAX), longest);
        assert!(share(longest, 1 << 15).abs_diff(longest / 2) < Duration::from_millis(1));
    }
}
