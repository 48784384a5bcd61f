//! What the API is about: a command and the state it meets become a change or a refusal; changes fold to state.
//!
//! `decide` and `evolve` are pure. Whatever `decide` lets pass, `evolve` takes, and the state it gives is the only
//! one that the log's readers may compute.

pub mod asset;
pub mod email;
pub mod fields;
pub mod fold;
pub mod lifetime;
pub mod media_type;
pub mod submission;
pub mod task;
pub mod user;

use serde::Serialize;
use serde_json::Value;

use crate::codec::sha256_hex;

pub use fields::{FieldError, Fields};
pub use fold::{FoldError, evolve, list_key};
pub use lifetime::Lifetime;

/// What a request did to an entity, or wanted to see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Made it.
    Create,
    /// Changed it.
    Update,
    /// Removed it.
    Delete,
    /// Read one.
    Read,
    /// Read many.
    List,
}

impl Operation {
    /// The word in the column `operation`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Read => "read",
            Self::List => "list",
        }
    }
}

/// A change that `decide` has allowed, not yet made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The event's type, such as `task.created`.
    pub event_type: &'static str,
    /// What it does.
    pub operation: Operation,
    /// The entity's version once it is made.
    pub version: i64,
    /// The domain event: what the fold consumes.
    pub data: Value,
    /// The entity once it is made.
    pub state: State,
}

/// An entity's state in its canonical form: JSON with sorted keys and no spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(String);

impl State {
    /// The canonical form of a state.
    ///
    /// Keys are sorted because `serde_json::Value` keeps them so; strings and integers have one spelling. For the
    /// types that states hold this is RFC 8785.
    pub fn of(state: &impl Serialize) -> Self {
        // States are plain structs of strings and integers: turning one into JSON has no way to fail.
        Self(serde_json::to_value(state).unwrap_or(Value::Null).to_string())
    }

    /// The same of a type whose fields stand in the order of their names.
    fn of_sorted(state: &impl Serialize) -> Self {
        Self(serde_json::to_string(state).unwrap_or_else(|_| "null".to_owned()))
    }

    /// A state that was canonical when it was stored.
    pub fn from_canonical(text: String) -> Self {
        Self(text)
    }

    /// The canonical JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the canonical text, in hex.
    pub fn hash(&self) -> String {
        sha256_hex(self.0.as_bytes())
    }
}

/// Why a command was not carried out. A refusal is an answer, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The command's fields are wrong, each for a reason of its own.
    Invalid(Vec<FieldError>),
    /// There is no such entity, or not any more.
    NotFound,
    /// There is such an entity already, and it is another one than was to be made.
    Exists,
    /// The entity is not at the version the client expected.
    Stale {
        /// The version it is at.
        current: i64,
    },
}
