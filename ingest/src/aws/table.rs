//! The table's definition, in this one place: the store writes by it, tests create it, Terraform is held against it.

use serde::Serialize;

use super::keys;

/// Partition key of every item.
pub const PK: &str = "pk";
/// Sort key of every item.
pub const SK: &str = "sk";
/// When an item may be removed, seconds since the epoch: the table's TTL attribute.
pub const EXPIRES: &str = "expires";
/// Partition of the list index; only items that stand in a list have it.
pub const LIST: &str = "list";
/// Sort key of the list index: the key by which the list is ordered.
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
    /// What the sort key of every event begins with: the stream's filter.
    pub event_prefix: &'static str,
    /// The sort key of every state.
    pub state_key: &'static str,
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
        event_prefix: keys::EVENT,
        state_key: keys::STATE,
        indexes: vec![Index { name: LISTS, hash_key: LIST, range_key: ID, includes: FILTERS }],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use super::*;

    /// Terraform makes the table from this file.
    #[test]
    fn terraform_knows_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../terraform/generated/table.json");
        let found = format!("{}\n", serde_json::to_string_pretty(&definition()).unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &found).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), found, "{path}: UPDATE_GOLDEN=1 writes it anew");
    }
}
