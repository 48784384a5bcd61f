//! The states that the latest changes made: who changes the same entity again need not ask the database.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::store::{EntityRef, Stored};

/// Most bytes of states that are held, roughly.
const BYTES: usize = 16 << 20;
/// What an entry takes besides its texts, roughly.
const ENTRY_BYTES: usize = 512;

/// States as they were when last changed. Holds the latest; bounded in bytes.
///
/// The one writer adds a state once it is durable and before anybody is told so. What stands here is therefore never
/// older than what has been acknowledged, and what does not stand here is in the database.
#[derive(Debug)]
pub struct Recent(Mutex<Held>);

#[derive(Debug)]
struct Held {
    states: LruCache<EntityRef, Stored>,
    bytes: usize,
    most: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self::holding(BYTES)
    }
}

impl Recent {
    fn holding(most: usize) -> Self {
        let entries = NonZeroUsize::new(most / ENTRY_BYTES).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(Held { states: LruCache::new(entries), bytes: 0, most }))
    }

    /// The entity's state, if it is held.
    pub fn get(&self, entity: &EntityRef) -> Option<Stored> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).states.get(entity).cloned()
    }

    /// Takes down what changes have made of their entities, in their order. Lets go of what has not been asked for longest.
    pub fn add(&self, changed: impl Iterator<Item = (EntityRef, Stored)>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (entity, stored) in changed {
            held.bytes += size(&entity, &stored);
            if let Some((entity, stored)) = held.states.push(entity, stored) {
                held.bytes -= size(&entity, &stored);
            }
            while held.bytes > held.most {
                let Some((entity, stored)) = held.states.pop_lru() else { break };
                held.bytes -= size(&entity, &stored);
            }
        }
    }
}

fn size(entity: &EntityRef, stored: &Stored) -> usize {
    let EntityRef { tenant, kind, id } = entity;
    ENTRY_BYTES + tenant.len() + kind.len() + id.len() + stored.state.as_str().len() + stored.event_hash.len()
}

#[cfg(test)]
mod tests {
    use event::EventId;
    use event::domain::State;

    use super::*;

    fn entry(id: usize, version: i64, bytes: usize) -> (EntityRef, Stored) {
        let entity = EntityRef { tenant: "t".to_owned(), kind: "k".to_owned(), id: id.to_string() };
        let state = State::from_canonical("x".repeat(bytes));
        let stored =
            Stored { version, state, event_id: EventId::from_u128(1), event_hash: String::new(), deleted: false };
        (entity, stored)
    }

    #[test]
    fn the_last_change_counts() {
        let recent = Recent::default();
        recent.add([entry(1, 1, 10), entry(2, 1, 10), entry(1, 2, 10)].into_iter());
        assert_eq!(recent.get(&entry(1, 0, 0).0).map(|stored| stored.version), Some(2));
        assert_eq!(recent.get(&entry(2, 0, 0).0).map(|stored| stored.version), Some(1));
        assert_eq!(recent.get(&entry(3, 0, 0).0), None);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let recent = Recent::holding(10_000);
        for id in 0..1_000 {
            recent.add([entry(id, 1, id)].into_iter());
            // The first is asked for again and again, and stays.
            assert!(recent.get(&entry(0, 0, 0).0).is_some() || id > 900, "{id}");
            let held = recent.0.lock().unwrap();
            let own: usize = held.states.iter().map(|(entity, stored)| size(entity, stored)).sum();
            assert_eq!(held.bytes, own);
            assert!(own <= 10_000, "{own}");
        }
        assert!(recent.get(&entry(999, 0, 0).0).is_some());
        // One that is larger than everything that may be held is not held, and nothing else breaks.
        recent.add([entry(7, 1, 20_000), entry(8, 1, 1)].into_iter());
        assert_eq!(recent.get(&entry(7, 0, 0).0), None);
        assert!(recent.get(&entry(8, 0, 0).0).is_some());
    }
}
