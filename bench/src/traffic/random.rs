//! Chance that repeats itself: the same seed makes the same day, on any machine.

use std::fmt::Write;

/// Splitmix64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound - 1`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True once in `times`, on average.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes()
    }

    /// Thirty-two hex digits.
    pub fn hex(&mut self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.bytes()))
    }

    /// A UUID of version 4.
    pub fn uuid(&mut self) -> String {
        let digits = self.hex();
        let mut text = String::with_capacity(36);
        // Writing to memory cannot fail.
        let _ = write!(
            text,
            "{}-{}-4{}-a{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[13..16],
            &digits[17..20],
            &digits[20..]
        );
        text
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next() as usize % all.len()]
    }
}

/// Ranks by Zipf's law: the second is drawn half as often as the first, the third a third as often.
#[derive(Debug)]
pub struct Zipf(Vec<u64>);

impl Zipf {
    /// Ranks from 0 to `ranks - 1`; in whole numbers, since powers differ from machine to machine in the last place.
    pub fn new(ranks: u64) -> Self {
        let weights = (1..=ranks.max(1)).map(|rank| (1 << 40) / rank);
        Self(weights.scan(0, |sum, weight| Some(std::mem::replace(sum, *sum + weight) + weight)).collect())
    }

    pub fn draw(&self, random: &mut Random) -> usize {
        let point = random.below(self.0.last().copied().unwrap_or(1));
        self.0.partition_point(|sum| *sum <= point)
    }
}
