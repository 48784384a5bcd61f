//! `/tasks`: something to be done, with a status and a priority.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Change, FieldError, Fields, Operation, Refusal, State};
use crate::time::Timestamp;

/// The entity type of tasks.
pub const ENTITY: &str = "task";
/// Type of the event that makes a task.
pub const CREATED: &str = "task.created";
/// Type of the event that changes a task.
pub const UPDATED: &str = "task.updated";
/// Type of the event that removes a task.
pub const DELETED: &str = "task.deleted";
/// The longest text of a task, in characters.
pub const TASK_MAX: usize = 10_000;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $( $(#[$vdoc:meta])* $variant:ident = $word:literal, )+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $( $(#[$vdoc])* #[serde(rename = $word)] $variant, )+ }

        impl $name {
            /// Every word, in order.
            pub const WORDS: &'static [&'static str] = &[$( $word, )+];

            /// The value's word.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }

            /// The value of a word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $( $word => Some(Self::$variant), )+ _ => None }
            }
        }
    };
}

words! {
    /// How far a task has come.
    Status {
        /// Not begun.
        New = "new",
        /// Begun.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
        /// Given up.
        Cancelled = "cancelled",
    }
}

words! {
    /// How much a task matters.
    Priority {
        /// Can wait.
        Low = "low",
        /// As usual.
        Medium = "medium",
        /// Soon.
        High = "high",
        /// Now.
        Urgent = "urgent",
    }
}

/// A task, as answers show it and as the fold makes it. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// UUID, made by the server.
    pub id: String,
    /// What is to be done.
    pub task: String,
    /// How far it has come.
    pub status: Status,
    /// How much it matters.
    pub priority: Priority,
    /// When it was made.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
    /// When it was removed; absent while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<i64>,
    /// How many changes it has seen.
    pub version: i64,
}

/// A task as its canonical state has it: keys in their order.
#[derive(Serialize)]
struct Canonical<'a> {
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<i64>,
    id: &'a str,
    priority: Priority,
    status: Status,
    task: &'a str,
    updated_at: i64,
    version: i64,
}

impl Task {
    /// What [`State::of`] gives, without sorting keys.
    pub fn state(&self) -> State {
        let Self { id, task, status, priority, created_at, updated_at, deleted_at, version } = self;
        State::of_sorted(&Canonical {
            created_at: *created_at,
            deleted_at: *deleted_at,
            id,
            priority: *priority,
            status: *status,
            task,
            updated_at: *updated_at,
            version: *version,
        })
    }
}

/// What a client may ask of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make it.
    Create {
        /// What is to be done.
        task: String,
        /// `new` unless given.
        status: Status,
        /// `medium` unless given.
        priority: Priority,
    },
    /// Change the fields that are given.
    Update(Patch),
    /// Remove it.
    Delete,
}

/// The fields of an update; at least one is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Patch {
    /// The new text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The new status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The new priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
}

impl Command {
    /// Reads the body of `POST /tasks`.
    ///
    /// # Errors
    /// Everything that is wrong with it; unknown fields are named.
    pub fn parse_create(body: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
        if !fields.has("task") {
            fields.missing("task");
        }
        let patch = Patch::take(&mut fields);
        fields.finish()?;
        Ok(Self::Create {
            task: patch.task.unwrap_or_default(),
            status: patch.status.unwrap_or(Status::New),
            priority: patch.priority.unwrap_or(Priority::Medium),
        })
    }

    /// Reads the body of `PUT /tasks/{id}`.
    ///
    /// # Errors
    /// Everything that is wrong with it; a body that gives none of the three fields is.
    pub fn parse_update(body: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
        if !["task", "status", "priority"].iter().any(|name| fields.has(name)) {
            fields.error(FieldError::whole("missing", "Give at least one of task, status and priority."));
        }
        let patch = Patch::take(&mut fields);
        fields.finish()?;
        Ok(Self::Update(patch))
    }
}

impl Patch {
    fn take(fields: &mut Fields) -> Self {
        Self {
            task: fields.text("task", TASK_MAX),
            status: fields.choice("status", Status::WORDS, Status::parse),
            priority: fields.choice("priority", Priority::WORDS, Priority::parse),
        }
    }
}

/// Decides what a command does to a task.
///
/// `expected` is the version that the client named with `If-Match`, if it did.
///
/// # Errors
/// [`Refusal::NotFound`] for a task that is not there or no more, [`Refusal::Stale`] for one at another version.
pub fn decide(
    current: Option<&Task>,
    command: Command,
    expected: Option<i64>,
    id: &str,
    now: Timestamp,
) -> Result<Change, Refusal> {
    let (event_type, operation, data) = match command {
        Command::Create { task, status, priority } => {
            (CREATED, Operation::Create, json!({"task": task, "status": status, "priority": priority}))
        }
        Command::Update(patch) => (UPDATED, Operation::Update, serde_json::to_value(patch).unwrap_or(Value::Null)),
        Command::Delete => (DELETED, Operation::Delete, Value::Object(Map::new())),
    };
    let creates = operation == Operation::Create;
    let current = current.filter(|task| creates || task.deleted_at.is_none());
    match (current, expected) {
        (None, _) if !creates => return Err(Refusal::NotFound),
        (Some(task), Some(version)) if task.version != version => return Err(Refusal::Stale { current: task.version }),
        (Some(task), _) if creates => return Err(Refusal::Stale { current: task.version }),
        _ => {}
    }
    // `data` was made from the command just above, so the fold takes it.
    let state = evolve(current, event_type, &data, id, now).map_err(|_| Refusal::NotFound)?;
    Ok(Change { event_type, operation, version: state.version, state: state.state(), data })
}

/// The task after an event: the fold's step.
///
/// # Errors
/// The event does not follow on the state: created twice, changed before it was made, or data of another shape.
pub fn evolve(current: Option<&Task>, event_type: &str, data: &Value, id: &str, at: Timestamp) -> Result<Task, String> {
    let now = at.seconds();
    if event_type == CREATED {
        if let Some(task) = current {
            return Err(format!("{CREATED} follows on version {}", task.version));
        }
        let field =
            |name: &str| data.get(name).and_then(Value::as_str).ok_or_else(|| format!("{CREATED} lacks {name}"));
        return Ok(Task {
            id: id.to_owned(),
            task: field("task")?.to_owned(),
            status: Status::parse(field("status")?).ok_or("unknown status")?,
            priority: Priority::parse(field("priority")?).ok_or("unknown priority")?,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            version: 1,
        });
    }
    let task =
        current.filter(|task| task.deleted_at.is_none()).ok_or_else(|| format!("{event_type} without a task"))?;
    let mut next = Task { updated_at: now, version: task.version + 1, ..task.clone() };
    match event_type {
        UPDATED => {
            let patch: Patch = Patch::deserialize(data).map_err(|error| error.to_string())?;
            next.task = patch.task.unwrap_or(next.task);
            next.status = patch.status.unwrap_or(next.status);
            next.priority = patch.priority.unwrap_or(next.priority);
        }
        DELETED => next.deleted_at = Some(now),
        other => return Err(format!("{other} is no event of a task")),
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "019aa0c5-6f8b-7000-8000-000000000000";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000 + 999_999)
    }

    fn given() -> Task {
        Task {
            id: ID.to_owned(),
            task: "write".to_owned(),
            status: Status::New,
            priority: Priority::Medium,
            created_at: 10,
            updated_at: 10,
            deleted_at: None,
            version: 1,
        }
    }

    fn deleted() -> Task {
        Task { deleted_at: Some(11), updated_at: 11, version: 2, ..given() }
    }

    fn update(status: Status) -> Command {
        Command::Update(Patch { status: Some(status), ..Patch::default() })
    }

    #[track_caller]
    fn then(given: Option<&Task>, when: Command, expected: Option<i64>, expect: Result<(&str, Task), Refusal>) {
        let decided = decide(given, when, expected, ID, at(20));
        match expect {
            Err(refusal) => assert_eq!(decided, Err(refusal)),
            Ok((event_type, task)) => {
                let change = decided.unwrap();
                assert_eq!((change.event_type, change.version), (event_type, task.version));
                assert_eq!(change.state, State::of(&task));
                assert_eq!(evolve(given, event_type, &change.data, ID, at(20)), Ok(task));
            }
        }
    }

    #[test]
    fn decides() {
        let create = Command::parse_create(r#"{"task":"write"}"#).unwrap();
        let made = Task { created_at: 20, updated_at: 20, ..given() };
        then(None, create.clone(), None, Ok((CREATED, made)));
        then(Some(&given()), create, None, Err(Refusal::Stale { current: 1 }));

        let done = Task { status: Status::Completed, updated_at: 20, version: 2, ..given() };
        then(Some(&given()), update(Status::Completed), None, Ok((UPDATED, done.clone())));
        then(Some(&given()), update(Status::Completed), Some(1), Ok((UPDATED, done)));
        then(Some(&given()), update(Status::Completed), Some(7), Err(Refusal::Stale { current: 1 }));
        then(None, update(Status::New), None, Err(Refusal::NotFound));
        then(Some(&deleted()), update(Status::New), None, Err(Refusal::NotFound));

        let gone = Task { deleted_at: Some(20), updated_at: 20, version: 2, ..given() };
        then(Some(&given()), Command::Delete, None, Ok((DELETED, gone)));
        then(Some(&given()), Command::Delete, Some(2), Err(Refusal::Stale { current: 1 }));
        then(Some(&deleted()), Command::Delete, None, Err(Refusal::NotFound));
        then(None, Command::Delete, None, Err(Refusal::NotFound));
    }

    #[test]
    fn refuses_events_that_do_not_follow() {
        assert!(evolve(Some(&given()), CREATED, &json!({}), ID, at(1)).is_err());
        assert!(evolve(None, UPDATED, &json!({}), ID, at(1)).is_err());
        assert!(evolve(Some(&deleted()), UPDATED, &json!({}), ID, at(1)).is_err());
        assert!(evolve(Some(&given()), UPDATED, &json!({"status": "odd"}), ID, at(1)).is_err());
        assert!(evolve(Some(&given()), "task.burnt", &json!({}), ID, at(1)).is_err());
    }

    #[test]
    fn the_canonical_state_has_sorted_keys() {
        assert_eq!(
            State::of(&given()).as_str(),
            format!(
                r#"{{"created_at":10,"id":"{ID}","priority":"medium","status":"new","task":"write","updated_at":10,"version":1}}"#
            )
        );
    }

    #[track_caller]
    fn refused(parsed: Result<Command, Vec<FieldError>>, expect: &[(&str, &str)]) {
        let errors = parsed.unwrap_err();
        let found: Vec<(&str, &str)> = errors.iter().map(|error| (error.pointer.as_str(), error.code)).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn says_everything_that_is_wrong_with_a_body() {
        refused(Command::parse_create("{}"), &[("/task", "missing")]);
        refused(Command::parse_create(r#"{"task":""}"#), &[("/task", "invalid_value")]);
        refused(Command::parse_create(r#"{"task":null}"#), &[("/task", "invalid_type")]);
        refused(
            Command::parse_create(r#"{"task":"a","status":"odd","priority":1,"id":"x","version":2,"a/b~":0}"#),
            &[
                ("/status", "invalid_value"),
                ("/priority", "invalid_type"),
                ("/id", "unknown"),
                ("/version", "unknown"),
                ("/a~1b~0", "unknown"),
            ],
        );
        refused(Command::parse_update("{}"), &[("", "missing")]);
        refused(Command::parse_update(r#"{"tenant":"x"}"#), &[("", "missing"), ("/tenant", "unknown")]);
        refused(Command::parse_update(r#"{"task":"a","task":"b"}"#), &[("/task", "duplicate")]);
        let long = format!(r#"{{"task":"{}"}}"#, "é".repeat(TASK_MAX + 1));
        refused(Command::parse_update(&long), &[("/task", "too_long")]);
        assert!(Command::parse_update(&long.replacen('é', "", 1)).is_ok());
    }
}
