//! Where the time of a run goes, for who asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Stored bytes are fetched from the raw log.
    Fetch,
    /// They are inflated, and their lines found; of an object that fills several blocks, the stages after it, too.
    Load,
    /// The lines are sorted.
    Sort,
    /// The table is searched for duplicates.
    LookUp,
    /// Lines are decoded, and their columns encoded and compressed. [`LookUp`](Self::LookUp) and
    /// [`Encode`](Self::Encode) are parts of it.
    Convert,
    /// Columns are encoded and compressed.
    Encode,
    /// Row groups are put into files.
    Write,
    /// The commit is made.
    Commit,
}

impl Stage {
    /// All of them, in the order of the flow.
    pub const ALL: [Self; 8] =
        [Self::Fetch, Self::Load, Self::Sort, Self::LookUp, Self::Convert, Self::Encode, Self::Write, Self::Commit];
}

type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The time that each stage took, all threads together. Without a clock there is none, and measuring costs nothing.
#[derive(Clone, Default)]
pub struct Profile {
    clock: Option<Clock>,
    spent: Arc<[AtomicU64; Stage::ALL.len()]>,
}

impl Profile {
    /// A profile by a clock that counts microseconds and never goes back.
    pub fn new(clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { clock: Some(Arc::new(clock)), spent: Arc::default() }
    }

    /// Microseconds of a stage.
    pub fn spent(&self, stage: Stage) -> u64 {
        self.spent[stage as usize].load(Ordering::Relaxed)
    }

    /// Does `work`, which is of this stage.
    pub(crate) fn measure<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let begun = self.now();
        let done = work();
        self.add(stage, begun);
        done
    }

    /// The clock's time, for [`add`](Self::add).
    pub(crate) fn now(&self) -> u64 {
        self.clock.as_ref().map_or(0, |clock| clock())
    }

    /// Adds the time since `begun`.
    pub(crate) fn add(&self, stage: Stage, begun: u64) {
        if let Some(clock) = &self.clock {
            self.spent[stage as usize].fetch_add(clock().saturating_sub(begun), Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Stage::ALL.map(|stage| (stage, self.spent(stage)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_to_the_stage_it_was_spent_in() {
        let clock = AtomicU64::new(0);
        let profile = Profile::new(move || clock.fetch_add(5, Ordering::Relaxed));
        assert_eq!(profile.measure(Stage::Sort, || 7), 7);
        profile.measure(Stage::Sort, || ());
        assert_eq!((profile.spent(Stage::Sort), profile.spent(Stage::Load)), (10, 0));
        let none = Profile::default();
        none.measure(Stage::Sort, || ());
        assert_eq!(none.spent(Stage::Sort), 0);
    }
}
