//! SplitMix64, and how a number below a bound is drawn from it: small enough to be written anew in any language.
//!
//! docs/api.md specifies it; whatever changes here changes the values of seeds that people have written down.

/// A source of numbers that a seed decides.
#[derive(Debug, Clone)]
pub struct Generator {
    state: u64,
}

impl Generator {
    /// The generator of a seed.
    pub fn of(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to `bound` - 1, each as likely as any other; 0 for the bound 0.
    ///
    /// Draws at least once, and again for as long as the bits are among the 2^64 mod `bound` least: without that, small
    /// numbers would come more often. Every second draw at the worst is in vain.
    pub fn below(&mut self, bound: u64) -> u64 {
        let Some(least) = bound.wrapping_neg().checked_rem(bound) else { return 0 };
        loop {
            let bits = self.bits();
            if bits >= least {
                return bits % bound;
            }
        }
    }

    /// One of a list; `None` if it is empty.
    pub fn one_of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(usize::try_from(self.below(list.len() as u64)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that the algorithm's author publishes for the seed 1234567.
    #[test]
    fn is_splitmix64() {
        let mut generator = Generator::of(1_234_567);
        let expect = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expect.map(|_| generator.bits()), expect);
    }

    #[test]
    fn every_number_below_the_bound_is_as_likely() {
        let mut generator = Generator::of(7);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[generator.below(6) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!((generator.below(1), generator.below(0), generator.one_of::<u8>(&[])), (0, 0, None));
        // Above half of all bits more than every fourth draw is in vain.
        let bound = (1 << 63) + (1 << 62);
        let mut skipping = Generator::of(1);
        let mut plain = Generator::of(1);
        let expect: Vec<u64> =
            std::iter::repeat_with(|| plain.bits()).filter(|bits| *bits >= 1 << 62).take(9).collect();
        let found: Vec<u64> = std::iter::repeat_with(|| skipping.below(bound)).take(9).collect();
        assert_eq!(found, expect.iter().map(|bits| bits % bound).collect::<Vec<_>>());
    }
}
