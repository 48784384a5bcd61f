//! What a verification found.

/// One statement, how often it was tried, and the first thing that breaks it.
#[derive(Debug, Clone, Default)]
pub struct Check {
    /// Number of the invariant.
    pub id: &'static str,
    /// What must hold.
    pub statement: &'static str,
    /// How many things were looked at.
    pub checked: u64,
    /// The sum of it, where there is one.
    pub detail: String,
    /// The first offender; none if the statement holds.
    pub offender: Option<String>,
}

impl Check {
    /// A check that has found nothing yet.
    pub fn new(id: &'static str, statement: &'static str) -> Self {
        Self { id, statement, ..Self::default() }
    }

    /// Notes an offender, unless there was one before.
    pub fn offend(&mut self, offender: impl FnOnce() -> String) {
        self.offender.get_or_insert_with(offender);
    }
}

/// All checks.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order in which they were made.
    pub checks: Vec<Check>,
}

impl Report {
    /// Adds a check; checks stand in the order of their invariants.
    pub fn add(&mut self, check: Check) {
        self.checks.push(check);
        self.checks.sort_by_key(|check| check.id);
    }

    /// Adds checks.
    pub fn add_all(&mut self, checks: impl IntoIterator<Item = Check>) {
        checks.into_iter().for_each(|check| self.add(check));
    }

    /// Whether everything holds.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.offender.is_none())
    }
}
