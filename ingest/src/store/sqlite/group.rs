//! How long a commit waits for others to share it: group commit with a delay, as far as it pays.
//!
//! A commit costs about the same for one as for fifty, and who is answered together comes back together, a moment later
//! and one after the other. A commit that began with the first of them would leave the others to the next one.

use std::time::Duration;

/// The share of the most who lately shared a commit that the next one waits for.
const SHARE: f64 = 0.7;
/// What is left of that most with each commit.
const FADING: f64 = 0.99;
/// For fewer no commit waits: their requests would be longer for it, and nothing would be won.
const FEWEST: usize = 4;
/// The longest delay in relation to what a commit takes lately, and altogether.
const DELAY: f64 = 2.0;
const LONGEST: Duration = Duration::from_micros(1_500);
/// The weight of the last commit in what one takes lately.
const WEIGHT: f64 = 0.1;

/// How many share a commit lately, and how long one takes.
#[derive(Debug, Default)]
pub struct Group {
    most: f64,
    took: Duration,
}

impl Group {
    /// For how many the next commit waits.
    pub fn wanted(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let share = (self.most * SHARE) as usize;
        if share < FEWEST { 1 } else { share }
    }

    /// How long it waits for them at most.
    pub fn delay(&self) -> Duration {
        self.took.mul_f64(DELAY).min(LONGEST)
    }

    /// Notes a commit of so many jobs.
    pub fn note(&mut self, jobs: usize, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        let jobs = jobs as f64;
        self.most = jobs.max(self.most * FADING);
        self.took = self.took.mul_f64(1.0 - WEIGHT) + took.mul_f64(WEIGHT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(commits: &[usize]) -> Group {
        let mut group = Group::default();
        commits.iter().for_each(|&jobs| group.note(jobs, Duration::from_micros(400)));
        group
    }

    #[test]
    fn few_wait_for_nobody() {
        assert_eq!(Group::default().wanted(), 1);
        assert_eq!(after(&[1; 50]).wanted(), 1);
        assert_eq!(after(&[5; 50]).wanted(), 1);
    }

    #[test]
    fn where_many_share_a_commit_it_waits_for_most_of_them() {
        assert_eq!(after(&[40]).wanted(), 28);
        // The most of them counts, and fades.
        assert_eq!(after(&[40, 12, 12]).wanted(), 27);
    }

    #[test]
    fn one_that_is_alone_again_soon_waits_for_nobody() {
        let mut commits = vec![64];
        commits.resize(250, 1);
        assert_eq!(after(&commits).wanted(), 1);
    }

    #[test]
    fn the_delay_is_bounded_by_what_a_commit_takes_and_altogether() {
        assert_eq!(Group::default().delay(), Duration::ZERO);
        let quick = after(&[8; 100]).delay();
        assert!(quick > Duration::from_micros(700) && quick <= Duration::from_micros(800), "{quick:?}");
        let mut slow = Group::default();
        (0..100).for_each(|_| slow.note(8, Duration::from_millis(20)));
        assert_eq!(slow.delay(), LONGEST);
    }
}
