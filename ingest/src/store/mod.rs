//! Two ports: where changes are appended and read back, and where events go that change nothing.

pub mod memory;
#[cfg(feature = "bench")]
pub mod noop;
#[cfg(feature = "local")]
pub mod sqlite;

use async_trait::async_trait;
use event::domain::State;
use event::{Event, EventId, Sealed, Timestamp};

use crate::error::Result;
use crate::receipt::Receipt;

/// Which entity, of whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityRef {
    /// Owner, from the credential.
    pub tenant: String,
    /// Kind, such as `task`.
    pub kind: String,
    /// Id within the kind.
    pub id: String,
}

/// An entity as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The version that the state is of.
    pub version: i64,
    /// Canonical state.
    pub state: State,
    /// The event that made it.
    pub event_id: EventId,
    /// `event_hash` of that event: the next one's `prev_event_hash`.
    pub event_hash: String,
    /// Whether the entity has been deleted.
    pub deleted: bool,
}

impl Stored {
    /// Whether the entity is there at a moment: it was not deleted, and the end that its state names, if any, is still to
    /// come. What is not there is kept for its versions to go on from; lists leave it out, and its unique value is free.
    pub fn is_there(&self, at: Timestamp) -> bool {
        !self.deleted && !self.state.has_ended(at)
    }
}

/// The answer to a change that carried an `Idempotency-Key`, kept to be given again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// SHA-256 of method, path and body, hex: the same key with another one is refused.
    pub fingerprint: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Headers of the answer that belong to its content.
    pub headers: Vec<(String, String)>,
    /// Body of the answer.
    pub body: String,
    /// The event of the first request.
    pub event_id: EventId,
    /// From when on the key may be used anew, microseconds since the epoch.
    pub expires_at: i64,
}

/// An answer to keep, and the key's scope: hex SHA-256 of tenant, actor, method, route and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The scope's hash.
    pub scope: String,
    /// The answer.
    pub kept: Kept,
}

/// One change: the event, what it makes of the entity, and the version it expects to find.
#[derive(Debug, Clone)]
pub struct Append {
    /// The event.
    pub event: Sealed,
    /// The entity the event changes.
    pub entity: EntityRef,
    /// The version the entity must be at; 0 if it must not exist.
    pub expected: i64,
    /// The new state; none for kinds that are their event.
    pub state: Option<NewState>,
    /// What the change takes and gives up of what only one may have. None leaves it unchecked, for who makes anew from
    /// the log what was checked when it happened.
    pub unique: Option<Unique>,
    /// The answer to keep under an idempotency key.
    pub keep: Option<Keep>,
}

/// The state that a change makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewState {
    /// Canonical state.
    pub state: State,
    /// Whether the change deletes the entity.
    pub deleted: bool,
}

/// A field of the state that no two entities of a kind and tenant that are there may agree in, and what a change does to
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// The field's name.
    pub field: &'static str,
    /// What the entity has after the change; none if the change deletes it.
    pub taken: Option<Claim>,
    /// What it had before; none if it was not there.
    pub left: Option<Claim>,
}

/// A unique value in the hands of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The value.
    pub value: String,
    /// The entity's end, at which others may have the value; none if it has none.
    pub expires_at: Option<i64>,
}

/// What came of an append. Losing a race is an answer, not an error.
#[derive(Debug, PartialEq, Eq)]
pub enum Appended {
    /// Event, state and kept answer are durable, all or none.
    Done(Receipt),
    /// The entity is not at the expected version; nothing was changed.
    Conflict,
    /// The unique field's value is another entity's that is there; nothing was changed.
    Taken,
    /// The idempotency key has an answer already; nothing was changed.
    Known(Kept),
}

/// Which entities to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Owner.
    pub tenant: String,
    /// What is listed.
    pub of: ListOf,
    /// Only entries before this key.
    pub before: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Only what is there at this time.
    pub now: Timestamp,
}

/// What a list is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListOf {
    /// States of one kind whose top-level fields have these values.
    States {
        /// Kind of the entities.
        kind: String,
        /// Field and value, all of which must match.
        filters: Vec<(&'static str, String)>,
    },
    /// Submissions of one user.
    Submissions {
        /// The user.
        user_id: String,
    },
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The key to go on from: [`list_key`](event::domain::list_key) of a state, the event's id for kinds without one.
    pub key: String,
    /// The entry itself.
    pub item: Item,
}

/// A list's entry: a state, or the event itself for kinds without one.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Canonical state.
    State(State),
    /// The event.
    Event(Box<Event>),
}

/// Where changes are appended, and read back from.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// The entity's current state, deleted and ended ones included. Reads what the last `append` wrote.
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>>;

    /// Makes event, state and kept answer durable in one transaction (I1, I4). Of appends that claim the same unique value
    /// at once, one is done.
    ///
    /// An append whose event is already the entity's current one is a repetition of itself and is done.
    ///
    /// # Errors
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable): nothing was changed.
    /// [`Unknown`](crate::error::ErrorKind::Unknown): it is not known whether it was.
    async fn append(&self, append: Append) -> Result<Appended>;

    /// The answer kept under an idempotency scope, unless it has expired by `now`.
    async fn kept(&self, scope: &str, now: Timestamp) -> Result<Option<Kept>>;

    /// A page of a list, newest first, and nothing of another tenant.
    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>>;

    /// An entity's change events with versions above `after`, in version order, at most `limit`.
    async fn history(&self, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>>;

    /// Keeps a body that is too large for its event; durable when it returns, and the same key twice is the same body.
    async fn set_aside(&self, key: &str, body: &[u8]) -> Result<()>;

    /// Reads a body that was set aside.
    async fn read_aside(&self, key: &str) -> Result<Option<Vec<u8>>>;
}

/// Where events go that change nothing.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Makes the events durable and gives a receipt for each, in order.
    ///
    /// # Errors
    /// None of them is known to be durable.
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>>;
}
