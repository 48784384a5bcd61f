//! Which events are told of, and as what.

use std::collections::BTreeSet;

use event::Event;
use event::domain::{asset, submission, task, user};
use serde::Deserialize;

/// A task that became completed: no type of the log, but what an event of two of its types may be.
pub const COMPLETED: &str = "task.completed";

/// Every type that can be chosen. What gateways and imports add to the log later was no request here.
const KNOWN: &[&str] = &[
    submission::SUBMITTED,
    task::CREATED,
    task::UPDATED,
    COMPLETED,
    task::DELETED,
    user::CREATED,
    user::UPDATED,
    user::DELETED,
    asset::CREATED,
    asset::UPLOADED,
    asset::DELETED,
    "request.read",
    "request.rejected",
    "request.failed",
    "request.replayed",
];

/// The types of events that are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice(BTreeSet<&'static str>);

/// What an event is to a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing is said of it.
    No,
    /// It is told of as this type.
    As(&'static str),
    /// [`COMPLETED`], unless the task was completed before; then this, if anything.
    Unless(Option<&'static str>),
}

impl Default for Choice {
    /// Tasks that became completed.
    fn default() -> Self {
        Self(BTreeSet::from([COMPLETED]))
    }
}

impl Choice {
    /// Reads names of types, and of all types of a kind, such as `user.*`.
    ///
    /// # Errors
    /// None is named, or one that no event has.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, String> {
        let mut chosen = BTreeSet::new();
        for name in names {
            let name = name.as_ref().trim();
            let kind = name.strip_suffix('*').filter(|kind| kind.ends_with('.'));
            let fits = |known: &&&'static str| **known == name || kind.is_some_and(|kind| known.starts_with(kind));
            let before = chosen.len();
            let found: Vec<&'static str> = KNOWN.iter().filter(fits).copied().collect();
            chosen.extend(&found);
            if chosen.len() == before && found.is_empty() {
                return Err(format!(
                    "{name:?} is no type of event; write some of {}, or such as task.*",
                    KNOWN.join(", ")
                ));
            }
        }
        if chosen.is_empty() { Err("no type of event is named".to_owned()) } else { Ok(Self(chosen)) }
    }

    /// Whether submissions are among them; and whether anything else is.
    pub fn kinds(&self) -> (bool, bool) {
        let submissions = self.0.contains(submission::SUBMITTED);
        (submissions, self.0.len() > usize::from(submissions))
    }

    /// Whether something is among them that changed nothing.
    pub fn has_requests(&self) -> bool {
        self.0.iter().any(|name| name.starts_with("request."))
    }

    /// What an event is to this choice. One event is one notice: completion comes before the change that it was.
    pub fn of(&self, event: &Event) -> Told {
        let plain = self.0.get(event.event_type.as_str()).copied();
        if !self.0.contains(COMPLETED) || !sets_completed(event) {
            return plain.map_or(Told::No, Told::As);
        }
        match event.event_type.as_str() {
            task::CREATED => Told::As(COMPLETED),
            task::UPDATED => Told::Unless(plain),
            _ => plain.map_or(Told::No, Told::As),
        }
    }
}

/// Whether an event names `completed` as its task's status.
fn sets_completed(event: &Event) -> bool {
    matches!(event.event_type.as_str(), task::CREATED | task::UPDATED)
        && event.event_data.as_deref().is_some_and(is_completed)
}

/// Whether this JSON of a task, its state or a change of it, has the status `completed`.
pub fn is_completed(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Part {
        status: Option<task::Status>,
    }
    serde_json::from_str(json).is_ok_and(|part: Part| part.status == Some(task::Status::Completed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event_type: &str, data: &str) -> Event {
        Event { event_type: event_type.to_owned(), event_data: Some(data.to_owned()), ..Event::default() }
    }

    #[track_caller]
    fn check(names: &[&str], event_type: &str, data: &str, expect: Told) {
        assert_eq!(Choice::parse(names).unwrap().of(&event(event_type, data)), expect, "{names:?} {event_type} {data}");
    }

    #[test]
    fn chooses() {
        let done = r#"{"status":"completed"}"#;
        check(&["task.created"], "task.created", done, Told::As("task.created"));
        check(&["task.created"], "task.updated", done, Told::No);
        check(&["user.*"], "user.deleted", "{}", Told::As("user.deleted"));
        check(&["user.*", "data.submitted"], "data.submitted", "{}", Told::As("data.submitted"));
        check(&["user.*"], "task.created", "{}", Told::No);
        check(&["request.rejected"], "request.rejected", "{}", Told::As("request.rejected"));
        check(&["task.completed"], "task.created", done, Told::As(COMPLETED));
        check(&["task.completed"], "task.created", r#"{"status":"new"}"#, Told::No);
        check(&["task.completed"], "task.updated", done, Told::Unless(None));
        check(&["task.*"], "task.updated", done, Told::Unless(Some("task.updated")));
        check(&["task.*"], "task.updated", r#"{"priority":"low"}"#, Told::As("task.updated"));
        check(&["task.*"], "task.deleted", done, Told::As("task.deleted"));
        check(&["user.*", "task.completed"], "user.updated", done, Told::As("user.updated"));
        check(&["task.completed"], "task.updated", "no JSON", Told::No);
    }

    #[test]
    fn refuses_what_no_event_is() {
        for names in [&["task.complete"][..], &["*"], &["task*"], &["task.created", ""], &["gateway.rejected"], &[]] {
            assert!(Choice::parse(names).is_err(), "{names:?}");
        }
        assert_eq!(Choice::parse(&["task.completed", "task.completed"]), Ok(Choice::default()));
    }

    #[test]
    fn says_which_kinds_it_needs() {
        let kinds = |names: &[&str]| Choice::parse(names).unwrap().kinds();
        assert_eq!(kinds(&["data.*"]), (true, false));
        assert_eq!(kinds(&["task.*"]), (false, true));
        assert_eq!(kinds(&["task.created", "data.submitted"]), (true, true));
    }
}
