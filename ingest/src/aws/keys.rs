//! Keys of the table's items. What separates their parts cannot occur in a part: the border between tenants is one of
//! security, and no two entities may share a key, whatever they are called.

use sha2::{Digest, Sha256};

use crate::store::EntityRef;

/// Sort key of a state.
pub const STATE: &str = "S";
/// What the sort key of every event begins with.
pub const EVENT: &str = "E#";
/// Sort key of a kept answer.
pub const KEPT: &str = "I";
/// Sort key of the claim to a unique value.
pub const CLAIM: &str = "C";
/// Partition of the API keys. It has one part, every other partition several.
pub const API_KEYS: &str = "K";
/// The highest version that a sort key can hold.
pub const LAST_VERSION: i64 = 999_999_999_999;
/// Over how many partitions a list is spread: one takes about 1,000 writes a second.
pub const SHARDS: u8 = 4;

/// Partition of an entity: its state and its events.
pub fn entity(entity: &EntityRef) -> String {
    joined(&["T", &entity.tenant, &entity.kind, &entity.id])
}

/// The entity of a partition that [`entity`] names; `None` for any other.
pub fn entity_of(pk: &str) -> Option<EntityRef> {
    let parts: Vec<&str> = pk.split('#').collect();
    let plain = |part: &str| part.replace("%23", "#").replace("%25", "%");
    match parts[..] {
        ["T", tenant, kind, id] => Some(EntityRef { tenant: plain(tenant), kind: plain(kind), id: plain(id) }),
        _ => None,
    }
}

/// Sort key of the event that made a version. Sorted as text, versions stand in their order.
pub fn version(version: i64) -> String {
    format!("{EVENT}{version:012}")
}

/// Sort key of an API key.
pub fn api_key(id: &str) -> String {
    joined(&["K", id])
}

/// Partition of a kept answer. The scope is a hash that covers the tenant.
pub fn kept(scope: &str) -> String {
    joined(&["I", scope])
}

/// Partition of the claim to a value that one living entity of a kind and tenant may have. The value is hashed: it may be
/// longer than a key.
pub fn claim(tenant: &str, kind: &str, field: &str, value: &str) -> String {
    joined(&["C", tenant, kind, field, &event::sha256_hex(value.as_bytes())])
}

/// The list of a tenant's entities of one kind.
pub fn states(tenant: &str, kind: &str) -> String {
    joined(&["S", tenant, kind])
}

/// The list of a user's submissions.
pub fn submissions(tenant: &str, user_id: &str) -> String {
    joined(&["U", tenant, user_id])
}

/// The partition of a list that has the entry `id`.
pub fn shard_of(list: &str, id: &str) -> String {
    shard(list, Sha256::digest(id.as_bytes())[0] % SHARDS)
}

/// The n-th partition of a list.
pub fn shard(list: &str, n: u8) -> String {
    format!("{list}#{n}")
}

fn joined(parts: &[&str]) -> String {
    parts.iter().map(|part| part.replace('%', "%25").replace('#', "%23")).collect::<Vec<_>>().join("#")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, kind: &str, id: &str) -> String {
        entity(&EntityRef { tenant: tenant.to_owned(), kind: kind.to_owned(), id: id.to_owned() })
    }

    #[test]
    fn keys_are_readable() {
        assert_eq!(key("default", "task", "019a"), "T#default#task#019a");
        assert_eq!(version(42), "E#000000000042");
        assert_eq!(shard_of(&states("default", "task"), "a"), "S#default#task#2");
    }

    #[test]
    fn no_two_entities_share_a_key() {
        let names = ["", "a", "#", "a#", "#a", "%", "%23", "a%23", "%2523", "a#task#b", "task"];
        let mut keys = std::collections::HashSet::new();
        for tenant in names {
            for kind in names {
                for id in names {
                    assert!(keys.insert(key(tenant, kind, id)), "{tenant:?} {kind:?} {id:?}");
                    let entity = entity_of(&key(tenant, kind, id)).unwrap();
                    assert_eq!((entity.tenant.as_str(), entity.kind.as_str(), entity.id.as_str()), (tenant, kind, id));
                }
                assert!(
                    keys.insert(shard(&states(tenant, kind), 0)) && keys.insert(shard(&submissions(tenant, kind), 0))
                );
            }
        }
    }

    #[test]
    fn versions_sort_as_text() {
        let mut keys: Vec<String> = [1, 2, 9, 10, 11, 99, 100, LAST_VERSION].map(version).to_vec();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys.reverse();
        assert_eq!(keys, [1, 2, 9, 10, 11, 99, 100, LAST_VERSION].map(version));
    }

    #[test]
    fn entries_spread_over_the_shards() {
        let mut counts = [0; SHARDS as usize];
        for n in 0..1_000 {
            let shard = shard_of("l", &format!("019aa0c5-6f8b-7000-8000-{n:012}"));
            counts[usize::from(shard.as_bytes()[2] - b'0')] += 1;
        }
        assert!(counts.iter().all(|count| (200..300).contains(count)), "{counts:?}");
    }
}
