//! Versions, hash chain and fold of every entity.

use event::domain::fold::{self, Folded};
use ingest::store::EntityRef;

use super::buckets::each_part;
use super::change::{Change, Name, Standing};
use super::entities::{Entities, Known, each_of};
use super::report::Check;
use crate::failure;

/// What the store does with what is left of a deleted entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// It stays.
    Stay,
    /// It goes after a while.
    #[cfg(feature = "aws")]
    Expire,
}

impl Tombstones {
    /// Whether the store may have no trace of an entity with these changes.
    fn allow_absence(self, changes: &[Change<'_>]) -> bool {
        self != Self::Stay && by_version(changes).last().is_some_and(Change::deletes)
    }
}

/// Checks I4 and I5 for every entity of the log, and of the store where there is one: each entity of the log must then
/// have its last version there, or a later one, once the log was read.
///
/// Memory: a part of the entities for each thread.
///
/// # Errors
/// What was set aside cannot be read.
pub async fn check(entities: Entities, store: Option<Tombstones>) -> failure::Result<(Check, Check)> {
    let look_at_part = move |part| {
        let mut found = Found::default();
        each_of(&entities.part(part)?, |known| found.look_at(known, store))?;
        Ok(found)
    };
    let found = each_part(look_at_part).await?.into_iter().fold(Found::default(), Found::and);
    let mut versions = Check::new("I4", "an entity's versions are 1..n without a gap, and its hash chain is intact");
    let mut folds = Check::new("I5", "the stored state is the fold of the entity's events");
    (versions.checked, folds.checked) = (found.entities, found.entities);
    versions.offender = found.broken.told();
    let by_rank = [found.folded, found.unlogged, found.behind];
    folds.offender = by_rank.into_iter().find_map(First::told);
    Ok((versions, folds))
}

/// An entity as an offender is named.
pub fn name(entity: &EntityRef) -> String {
    Name::from(entity).to_string()
}

/// The fault of the first entity that has one, in their order.
#[derive(Debug, Default)]
pub struct First(Option<(EntityRef, String)>);

impl First {
    /// Notes a fault of an entity.
    pub fn note(&mut self, entity: Name<'_>, fault: impl FnOnce() -> String) {
        let is_first = self.0.as_ref().is_none_or(|(first, _)| entity < Name::from(first));
        if is_first {
            self.0 = Some((entity.to_owned(), fault()));
        }
    }

    /// The first of two.
    pub fn and(self, other: Self) -> Self {
        // The left one of two of the same entity.
        Self(self.0.into_iter().chain(other.0).min_by(|(one, _), (two, _)| one.cmp(two)))
    }

    /// The entity and its fault, if there is any.
    pub fn told(self) -> Option<String> {
        self.0.map(|(entity, fault)| format!("{}: {fault}", name(&entity)))
    }
}

#[derive(Default)]
struct Found {
    entities: u64,
    broken: First,
    folded: First,
    unlogged: First,
    behind: First,
}

impl Found {
    fn look_at(&mut self, known: &Known<'_>, store: Option<Tombstones>) {
        let (entity, changes) = (known.entity, known.changes);
        let Some(last) = changes.last() else {
            if known.before.is_some() {
                self.unlogged.note(entity, || "the store has it, the log has no event of it".to_owned());
            }
            return;
        };
        self.entities += 1;
        if let Some(fault) = broken_chain(changes) {
            self.broken.note(entity, || fault);
        }
        if let Err(fault) = fold(changes, known.before) {
            self.folded.note(entity, || fault);
        }
        if let Some(tombstones) = store
            && let Some(fault) = fallen_behind(last.version, known, tombstones)
        {
            self.behind.note(entity, || fault);
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            entities: self.entities + other.entities,
            broken: self.broken.and(other.broken),
            folded: self.folded.and(other.folded),
            unlogged: self.unlogged.and(other.unlogged),
            behind: self.behind.and(other.behind),
        }
    }
}

/// The first change of each version.
fn by_version<'c, 'a>(changes: &'c [Change<'a>]) -> impl Iterator<Item = &'c Change<'a>> {
    changes.chunk_by(|one, next| one.version == next.version).filter_map(<[_]>::first)
}

fn broken_chain(changes: &[Change<'_>]) -> Option<String> {
    let mut previous: Option<&Change<'_>> = None;
    for (expected, same) in (1..).zip(changes.chunk_by(|one, next| one.version == next.version)) {
        let (version, count) = (same[0].version, same.len());
        if version != expected {
            return Some(format!("version {expected} is missing"));
        }
        let [change] = same else { return Some(format!("version {version} has {count} events")) };
        if change.prev_event_hash != previous.map(|change| change.event_hash) {
            return Some(format!("event {} of version {version} is not chained to the one before", change.event_id));
        }
        previous = Some(change);
    }
    None
}

/// Folds the changes and compares with the state that each of them claims, and with the stored one at its version.
fn fold(changes: &[Change<'_>], stored: Option<Standing<'_>>) -> Result<(), String> {
    let mut folded: Option<Folded> = None;
    let mut met = false;
    for change in by_version(changes) {
        let next = fold::step(folded.as_ref(), &change.step()).map_err(|error| error.to_string())?;
        let state = next.state();
        if change.state_hash != Some(state.hash().as_str()) {
            return Err(format!("event {} claims another state than the fold gives", change.event_id));
        }
        if let Some(stored) = stored.filter(|stored| stored.version == change.version) {
            met = true;
            if !stored.is_after(change, &state) {
                return Err(format!("the stored state of version {} is not the fold's", change.version));
            }
        }
        folded = Some(next);
    }
    match stored {
        Some(stored) if !met => Err(format!("the store is at version {}, which the log lacks", stored.version)),
        _ => Ok(()),
    }
}

fn fallen_behind(logged: i64, known: &Known<'_>, tombstones: Tombstones) -> Option<String> {
    match known.after {
        None if tombstones.allow_absence(known.changes) => None,
        None => Some("the log has it, the store has no state of it".to_owned()),
        Some(stored) if stored.version < logged => {
            Some(format!("the log is at version {logged}, the store at {}", stored.version))
        }
        Some(_) => None,
    }
}
