//! The table's definition, in this one place: the store writes by it, tests create it, Terraform is held against it.

use serde::Serialize;

/// Partition key of every item.
pub const PK: &str = "pk";
/// Sort key of every item.
pub const SK: &str = "sk";
/// When an item may be removed, seconds since the epoch: the table's TTL attribute.
pub const EXPIRES: &str = "expires";
/// Partition of the list index; only items that stand in a list have it.
pub const LIST: &str = "list";
/// Sort key of the list index: the entity's id.
pub const ID: &str = "id";
/// The list index's name.
pub const LISTS: &str = "lists";
/// Fields of a state that lists can be filtered by; each is an attribute of its own, and the list index has it.
pub const FILTERS: &[&str] = &["status", "priority"];

/// What an installation's table must be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// Partition key, a string.
    pub hash_key: &'static str,
    /// Sort key, a string.
    pub range_key: &'static str,
    /// The attribute that items expire by.
    pub ttl_attribute: &'static str,
    /// What the stream carries of each change.
    pub stream_view: &'static str,
    /// How the table is billed.
    pub billing_mode: &'static str,
    /// Global secondary indexes.
    pub indexes: Vec<Index>,
}

/// A global secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// Partition key, a string.
    pub hash_key: &'static str,
    /// Sort key, a string.
    pub range_key: &'static str,
    /// Attributes it has besides its keys and the table's.
    pub includes: &'static [&'static str],
}

/// The table that [`DynamoStore`](super::DynamoStore) works on.
pub fn definition() -> Definition {
    Definition {
        hash_key: PK,
        range_key: SK,
        ttl_attribute: EXPIRES,
        stream_view: "NEW_IMAGE",
        billing_mode: "PAY_PER_REQUEST",
        indexes: vec![Index { name: LISTS, hash_key: LIST, range_key: ID, includes: FILTERS }],
    }
}
