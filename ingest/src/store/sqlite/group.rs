//! How long a commit waits for others to share it: group commit with a delay, as far as it pays.
//!
//! A commit costs about the same for one as for fifty, and who is answered together comes back together, a moment later
//! and one after the other. A commit of the first of them would leave the others to the next one.

use std::time::Duration;

/// So many would share one on average if none waited, or none waits. It would make requests longer and win nothing: one
/// comes after the other then, and there is time for a commit in between.
const FEWEST: f64 = 8.0;
/// The share that a commit waits for, of the most who lately shared one.
const SHARE: f64 = 0.5;
/// What is left of that most with each commit.
const FADING: f64 = 0.99;
/// The longest delay in relation to what a commit takes on average, and altogether.
const DELAY: f64 = 2.0;
const LONGEST: Duration = Duration::from_micros(1_500);
/// The weight of the last commit in an average.
const WEIGHT: f64 = 0.1;

/// How many share a commit lately, and how long one takes.
#[derive(Debug, Default)]
pub struct Group {
    most: f64,
    average: f64,
    took: Duration,
}

impl Group {
    /// For how many the next commit waits.
    pub fn wanted(&self) -> usize {
        if self.average < FEWEST {
            return 1;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let share = (self.most * SHARE) as usize;
        share
    }

    /// How long it waits for them at most.
    pub fn delay(&self) -> Duration {
        self.took.mul_f64(DELAY).min(LONGEST)
    }

    /// Notes a commit of so many jobs, which it `waited` for.
    pub fn note(&mut self, jobs: usize, waited: Duration, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        let jobs = jobs as f64;
        self.most = jobs.max(self.most * FADING);
        self.took = self.took.mul_f64(1.0 - WEIGHT) + took.mul_f64(WEIGHT);
        // Who came during the delay does not count, or a delay would be the reason for the next.
        let undelayed = self.took.as_secs_f64() / (self.took + waited).as_secs_f64().max(f64::MIN_POSITIVE);
        self.average += (jobs * undelayed - self.average) * WEIGHT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(commits: impl IntoIterator<Item = usize>) -> Group {
        let mut group = Group::default();
        commits.into_iter().for_each(|jobs| group.note(jobs, Duration::ZERO, Duration::from_micros(400)));
        group
    }

    #[test]
    fn few_wait_for_nobody() {
        assert_eq!(Group::default().wanted(), 1);
        assert_eq!(after([1; 50]).wanted(), 1);
        assert_eq!(after([7; 50]).wanted(), 1);
        // Once in a while there are many, and mostly few.
        assert_eq!(after([20, 2, 3, 1, 2, 3].repeat(20)).wanted(), 1);
    }

    #[test]
    fn where_many_share_a_commit_it_waits_for_half_of_the_most() {
        assert_eq!(after([40; 50]).wanted(), 20);
        // Who is answered comes back in two parts: the larger one counts.
        assert_eq!(after([12, 40].repeat(25)).wanted(), 20);
    }

    #[test]
    fn a_delay_is_no_reason_for_the_next() {
        // Ten a millisecond: four come while a commit is under way, twelve where it has waited before.
        let mut group = after([12; 50]);
        assert_eq!(group.wanted(), 6);
        (0..50).for_each(|_| group.note(12, group.delay(), Duration::from_micros(400)));
        assert_eq!(group.wanted(), 1);
    }

    #[test]
    fn who_is_alone_again_soon_waits_for_nobody() {
        assert_eq!(after([[64; 50].as_slice(), &[1; 22]].concat()).wanted(), 1);
    }

    #[test]
    fn the_delay_is_bounded_by_what_a_commit_takes_and_altogether() {
        assert_eq!(Group::default().delay(), Duration::ZERO);
        let quick = after([8; 100]).delay();
        assert!(quick > Duration::from_micros(700) && quick <= Duration::from_micros(800), "{quick:?}");
        let mut slow = Group::default();
        (0..100).for_each(|_| slow.note(8, Duration::ZERO, Duration::from_millis(20)));
        assert_eq!(slow.delay(), LONGEST);
    }
}
