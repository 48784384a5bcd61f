//! Which request meets which fault: decided by a script or by a seed, never by the clock.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::random::Random;

/// What can happen to a request on its way to a service and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed before an answer; the service never sees the request.
    DropBefore,
    /// The connection is closed in the middle of the request's body; the service never sees it.
    BreakOff,
    /// The service carries the request out; its answer is lost.
    DropAfter,
    /// The request reaches the service twice, one after the other; the client gets the first answer.
    Duplicate,
    /// The request reaches the service late, and does so even if its client has given up by then.
    Delay(Duration),
    /// The service refuses for want of capacity, in its own words.
    Throttle,
    /// The service answers 500, in its own words.
    Internal,
    /// The service answers 503, in its own words.
    Unavailable,
    /// The service refuses since another writer is at it: a DynamoDB transaction, a Glue version, S3's 409.
    Conflict,
    /// The service carries the request out; its answer ends in the middle.
    Truncate,
    /// `PutRecordBatch` or `PutEvents` answers 200 and takes only some of the records for now: record `i` fails if bit
    /// `i % 64` is set.
    PartialPut(u64),
    /// The same of `PutEvents`, for a reason that will not pass.
    RefusePart(u64),
}

impl Fault {
    /// Whether a service could do this to a request of the operation.
    pub fn applies_to(self, operation: &str) -> bool {
        match self {
            Self::PartialPut(_) => ["firehose:PutRecordBatch", "events:PutEvents"].contains(&operation),
            Self::RefusePart(_) => operation == "events:PutEvents",
            Self::Conflict => {
                ["dynamodb:TransactWriteItems", "dynamodb:PutItem", "glue:UpdateTable"].contains(&operation)
                    || operation.starts_with("s3:PutObject")
            }
            _ => true,
        }
    }

    /// One that could happen to the operation, each about as often as the others.
    fn any(random: &mut Random, operation: &str) -> Self {
        let late = if random.percent(10) { LATE } else { Duration::from_millis(1 + random.below(30)) };
        let all = [
            Self::DropBefore,
            Self::BreakOff,
            Self::DropAfter,
            Self::Duplicate,
            Self::Delay(late),
            Self::Throttle,
            Self::Internal,
            Self::Unavailable,
            Self::Conflict,
            Self::Truncate,
            Self::PartialPut(random.number()),
        ];
        let possible: Vec<Self> = all.into_iter().filter(|fault| fault.applies_to(operation)).collect();
        random.choice(&possible).copied().unwrap_or(Self::DropBefore)
    }
}

/// Longer than a client of the rig waits for one attempt: its request arrives when it has given up.
pub const LATE: Duration = Duration::from_millis(1_600);

/// What happens to which request.
///
/// Every decision depends on nothing but the plan, the operation and how many requests of that operation came before,
/// so a plan can be played again. Operations are named as in IAM policies, `dynamodb:PutItem`; those on objects in S3
/// with the first folder of the key after them, `s3:PutObject raw/`. A pattern may end in `*`.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    seed: u64,
    rates: Vec<(String, u64)>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    pattern: String,
    nth: RangeInclusive<u64>,
    fault: Fault,
}

impl Plan {
    /// No faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// Random faults, of a kind and at a rate that the seed decides: from one service that is a little off to all of
    /// them failing every other request.
    pub fn seeded(seed: u64) -> Self {
        let mut random = Random::of(seed, "plan", 0);
        let percent = [4, 12, 25, 40, 55][random.below(5) as usize];
        let services = ["dynamodb:*", "firehose:*", "s3:*", "glue:*"];
        let mut rates: Vec<_> =
            services.iter().filter(|_| random.percent(60)).map(|it| ((*it).to_owned(), percent)).collect();
        if rates.is_empty() {
            rates.push(("*".to_owned(), percent));
        }
        Self { seed, rates, steps: Vec::new() }
    }

    /// Adds a fault for the `nth` request (from 1) of each operation that matches.
    #[must_use]
    pub fn on(self, pattern: &str, nth: u64, fault: Fault) -> Self {
        self.during(pattern, nth..=nth, fault)
    }

    /// Adds a fault for several requests in a row.
    #[must_use]
    pub fn during(mut self, pattern: &str, nth: RangeInclusive<u64>, fault: Fault) -> Self {
        self.steps.push(Step { pattern: pattern.to_owned(), nth, fault });
        self
    }

    /// Adds a fault for every request: an outage.
    #[must_use]
    pub fn always(self, pattern: &str, fault: Fault) -> Self {
        self.during(pattern, 1..=u64::MAX, fault)
    }

    /// What happens to the `nth` request (from 1) of an operation. What a script says goes before chance.
    pub fn decide(&self, operation: &str, nth: u64) -> Option<Fault> {
        let scripted = self.steps.iter().find(|step| step.nth.contains(&nth) && matches(&step.pattern, operation));
        if let Some(step) = scripted {
            return Some(step.fault);
        }
        let (_, percent) = self.rates.iter().find(|(pattern, _)| matches(pattern, operation))?;
        let mut random = Random::of(self.seed, operation, nth);
        random.percent(*percent).then(|| Fault::any(&mut random, operation))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)?;
        for (pattern, percent) in &self.rates {
            write!(f, ", {percent} % of {pattern}")?;
        }
        for Step { pattern, nth, fault } in &self.steps {
            write!(f, ", {pattern} {nth:?}: {fault:?}")?;
        }
        Ok(())
    }
}

/// Whether an operation is one that the pattern means.
pub fn matches(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => operation.starts_with(beginning),
        None => operation == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_exact() {
        let plan = Plan::none()
            .on("dynamodb:PutItem", 2, Fault::DropAfter)
            .during("s3:PutObject*", 1..=2, Fault::Throttle)
            .always("firehose:*", Fault::Unavailable);
        for (operation, nth, expect) in [
            ("dynamodb:PutItem", 1, None),
            ("dynamodb:PutItem", 2, Some(Fault::DropAfter)),
            ("dynamodb:PutItem", 3, None),
            ("dynamodb:PutItemX", 2, None),
            ("s3:PutObject raw/", 2, Some(Fault::Throttle)),
            ("s3:PutObject raw/", 3, None),
            ("firehose:PutRecordBatch", 1_000, Some(Fault::Unavailable)),
        ] {
            assert_eq!(plan.decide(operation, nth), expect, "{operation} {nth}");
        }
    }

    #[test]
    fn a_seed_decides_the_same_again_whatever_the_order() {
        let decide = |seed: u64, nth: u64| Plan::seeded(seed).decide("s3:PutObject raw/", nth);
        for seed in 0..50 {
            let forth: Vec<_> = (1..100).map(|nth| decide(seed, nth)).collect();
            let mut back: Vec<_> = (1..100).rev().map(|nth| decide(seed, nth)).collect();
            back.reverse();
            assert_eq!(forth, back);
        }
    }

    #[test]
    fn seeds_meet_every_fault_at_about_the_rate_they_name_and_none_that_does_not_apply() {
        let operations = ["firehose:PutRecordBatch", "dynamodb:TransactWriteItems", "s3:GetObject lake/"];
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let plan = Plan::seeded(seed);
            for operation in operations {
                let faults: Vec<Fault> = (1..=200).filter_map(|nth| plan.decide(operation, nth)).collect();
                let rate = plan.rates.iter().find(|(pattern, _)| matches(pattern, operation));
                let percent = rate.map_or(0, |(_, percent)| *percent) as usize;
                assert!(faults.len() <= percent * 4 && faults.len() * 4 >= percent, "{} faults: {plan}", faults.len());
                assert!(faults.iter().all(|fault| fault.applies_to(operation)), "{operation}: {faults:?}");
                seen.extend(faults.iter().map(|fault| format!("{fault:?}").split('(').next().map(str::to_owned)));
            }
        }
        assert_eq!(seen.len(), 11, "{seen:?}");
    }
}
