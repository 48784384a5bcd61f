//! How long an entity is there: until it is removed, or until the end that its state names has come.
//!
//! The end is a field of the state like any other, said by the event of the request that sets it. Nothing has to happen
//! for an entity to end: whoever has its state and the time knows whether it is there.

use std::num::ParseIntError;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use super::State;
use crate::time::Timestamp;

/// The field of a state, and of an event's data, that names the end: whole seconds since the epoch.
pub const EXPIRES_AT: &str = "expires_at";

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// How long entities of a kind are there after the change that sets their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    days: u32,
}

impl Lifetime {
    /// Until they are removed: they have no end.
    pub const UNBOUNDED: Self = Self::of_days(0);

    /// So many days; 0 is for ever.
    pub const fn of_days(days: u32) -> Self {
        Self { days }
    }

    /// The end of what is changed now, whole seconds since the epoch; `None` if it has none.
    pub fn end(self, now: Timestamp) -> Option<i64> {
        (self.days > 0).then(|| now.seconds() + i64::from(self.days) * DAY_SECONDS)
    }
}

/// Of a number of days.
impl FromStr for Lifetime {
    type Err = ParseIntError;

    fn from_str(days: &str) -> Result<Self, Self::Err> {
        days.parse().map(Self::of_days)
    }
}

/// Whether an entity is there: it was not removed, and its end, if it has one, is still to come. At the second of its end
/// it is there no more.
pub(super) fn is_there(deleted_at: Option<i64>, expires_at: Option<i64>, at: Timestamp) -> bool {
    deleted_at.is_none() && !has_come(expires_at, at)
}

fn has_come(end: Option<i64>, at: Timestamp) -> bool {
    end.is_some_and(|end| end <= at.seconds())
}

impl State {
    /// When the entity ends by itself, whole seconds since the epoch; `None` if it does not.
    pub fn expires_at(&self) -> Option<i64> {
        #[derive(Deserialize)]
        struct Ending {
            expires_at: Option<i64>,
        }
        serde_json::from_str(self.as_str()).ok().and_then(|ending: Ending| ending.expires_at)
    }

    /// Whether the end that the state names has come by then. A removal is not looked at.
    pub fn has_ended(&self, at: Timestamp) -> bool {
        has_come(self.expires_at(), at)
    }
}

/// An event's data, and the end that it sets.
pub(super) fn with_end(mut data: Value, expires_at: Option<i64>) -> Value {
    if let (Some(fields), Some(end)) = (data.as_object_mut(), expires_at) {
        fields.insert(EXPIRES_AT.to_owned(), Value::from(end));
    }
    data
}

/// The end that an event's data sets; one that sets none takes it away.
///
/// # Errors
/// It is no whole number.
pub(super) fn end_of(data: &Value) -> Result<Option<i64>, String> {
    let end = data.get(EXPIRES_AT);
    end.map(|end| end.as_i64().ok_or_else(|| format!("{EXPIRES_AT} is no whole number: {end:.40}"))).transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn an_end_is_whole_days_after_the_second_of_the_change() {
        assert_eq!(Lifetime::of_days(1).end(at(10_999_999)), Some(86_410));
        assert_eq!(Lifetime::of_days(u32::MAX).end(at(0)), Some(i64::from(u32::MAX) * DAY_SECONDS));
        assert_eq!(Lifetime::UNBOUNDED.end(at(10)), None);
        assert_eq!(("0".parse(), "7".parse()), (Ok(Lifetime::UNBOUNDED), Ok(Lifetime::of_days(7))));
        assert!(["-1", "30d", "", "4294967296"].iter().all(|text| text.parse::<Lifetime>().is_err()));
    }

    #[test]
    fn what_ends_is_there_until_that_second() {
        let state = |fields: Value| State::of(&fields);
        let ending = state(json!({"expires_at": 10, "name": "\"expires_at\":1"}));
        assert_eq!(ending.expires_at(), Some(10));
        assert!(!ending.has_ended(at(9_999_999)) && ending.has_ended(at(10_000_000)) && ending.has_ended(at(i64::MAX)));
        for endless in [json!({}), json!({"expires_at": null}), json!({"name": {"expires_at": 1}})] {
            assert!(!state(endless).has_ended(at(i64::MAX)));
        }
        let there = |deleted, expires| is_there(deleted, expires, at(10_000_000));
        assert!(there(None, None) && there(None, Some(11)));
        assert!(!there(None, Some(10)) && !there(Some(12), None) && !there(Some(12), Some(11)));
    }

    #[test]
    fn data_says_the_end_or_none() {
        assert_eq!(end_of(&with_end(json!({"a": 1}), Some(7))), Ok(Some(7)));
        assert_eq!(with_end(json!({"a": 1}), None), json!({"a": 1}));
        assert_eq!(end_of(&json!({})), Ok(None));
        assert!(end_of(&json!({"expires_at": "7"})).is_err() && end_of(&json!({"expires_at": null})).is_err());
    }
}
