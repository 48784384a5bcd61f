//! Chance that can be repeated: everything random of a test comes from one printed seed.

use std::time::SystemTime;

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From `DAYBOOK_TEST_SEED`, else from the clock. The seed is printed; the test runner shows it if the test fails.
    pub fn of_test(name: &str) -> Self {
        let given = std::env::var("DAYBOOK_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            now.as_secs() ^ u64::from(now.subsec_nanos())
        });
        eprintln!("{name}: DAYBOOK_TEST_SEED={seed}");
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` up to, not including, `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low).max(1)
    }

    /// One of several.
    pub fn choice<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = self.between(0, of.len() as u64);
        of.get(usize::try_from(index).unwrap())
    }
}
