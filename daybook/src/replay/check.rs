//! The fold of the log beside the states that are there, without a database being made of it.

use arrow::array::{Array, RecordBatch};
use compactor::Limits;
use event::domain::State;
use event::domain::fold::{self, Folded};
use event::domain::submission;
use futures::{StreamExt, TryStreamExt, stream};
use ingest::store::sqlite::SqliteReader;

use super::Replayed;
use super::compare::Difference;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::verify::buckets::{each_part, threads};
use crate::verify::chain::First;
use crate::verify::change::{COLUMNS, Change, Changes, Standing, texts};
use crate::verify::entities::{ChangeSet, Entities, Known, When, each_of};
use crate::verify::read_entities;

/// What the fold came to.
pub struct Checked {
    /// What was read and made.
    pub replayed: Replayed,
    /// The first thing in the log that no state can be made of.
    pub offender: Option<String>,
    /// What differs from the database that is there, if there is one.
    pub difference: Option<Difference>,
}

/// Folds the whole log, table and raw objects, and compares with the `present` database. `report` is told how many
/// events were read. What is found is what a database made from the log would show.
///
/// Memory: the same for a log of any length, but for what is not compacted; changes and states that do not fit are set
/// aside in the data folder, in a file without a name.
///
/// # Errors
/// Log or database cannot be read.
pub async fn check(
    installation: &Installation,
    present: Option<&SqliteReader>,
    report: impl Fn(u64),
) -> Result<Checked> {
    let table = installation.lake().await?.load().await?;
    let tail = compactor::tail(&table, &installation.raw(), installation.now(), Limits::default()).await?;
    let mut entities = Entities::new(installation.folder());
    if let Some(present) = present {
        read_entities(present, When::Before, &mut entities).await?;
    }
    let rows = compactor::scan(&table, &COLUMNS).await?.map_err(Failure::from);
    let look_at = |batch: RecordBatch| {
        let seen = tokio::task::spawn_blocking(move || Seen::of(&batch));
        async move { seen.await.map_err(Failure::while_("look at rows"))? }
    };
    let tail = stream::iter(tail.batches).map(Ok);
    let mut rows = rows.chain(tail).map_ok(look_at).try_buffered(2 * threads());
    let mut replayed = Replayed::default();
    while let Some(seen) = rows.try_next().await? {
        replayed.events += seen.events;
        replayed.changes += seen.changes.len() as u64;
        replayed.submissions += seen.submissions;
        entities.add_changes(&seen.changes)?;
        report(replayed.events);
    }
    drop(rows);
    let found = fold_all(entities).await?;
    replayed.entities = found.entities;
    let offender = found.broken.told().or(found.missing.told());
    let difference = Difference { first: found.first.told(), ..found.difference };
    Ok(Checked { replayed, offender, difference: present.map(|_| difference) })
}

/// What is taken of a batch.
#[derive(Default)]
struct Seen {
    events: u64,
    submissions: u64,
    changes: ChangeSet,
}

impl Seen {
    fn of(batch: &RecordBatch) -> Result<Self> {
        let mut seen = Self { events: batch.num_rows() as u64, ..Self::default() };
        let (changes, types, kinds) = (Changes::of(batch)?, texts(batch, "event_type")?, texts(batch, "entity_type")?);
        for row in 0..batch.num_rows() {
            match changes.at(row)? {
                Some(change) => seen.changes.add(&change),
                None if kinds.is_null(row) || types.value(row).starts_with("request.") => {}
                None => seen.submissions += u64::from(kinds.value(row) == submission::ENTITY),
            }
        }
        Ok(seen)
    }
}

async fn fold_all(entities: Entities) -> Result<Found> {
    let fold_part = move |part| {
        let mut found = Found::default();
        each_of(&entities.part(part)?, |known| found.take(known))?;
        Ok(found)
    };
    Ok(each_part(fold_part).await?.into_iter().fold(Found::default(), Found::and))
}

#[derive(Default)]
struct Found {
    entities: u64,
    broken: First,
    missing: First,
    /// What differs, but for the first of it.
    difference: Difference,
    first: First,
}

/// Where the log says that an entity stands.
struct Made<'a> {
    folded: Folded,
    state: State,
    last: Change<'a>,
}

impl Made<'_> {
    fn is(&self, present: &Standing<'_>) -> bool {
        let last = (self.last.version, self.last.event_id);
        last == (present.version, present.event_id) && present.is_after(&self.last, &self.state)
    }
}

impl Found {
    fn take(&mut self, known: &Known<'_>) {
        let made = self.fold(known);
        self.entities += u64::from(made.is_some());
        let entity = known.entity;
        match (known.before, made) {
            (None, None) => {}
            (Some(_), None) => {
                self.difference.surplus += 1;
                self.first.note(entity, || "the log has nothing of it".to_owned());
            }
            (None, Some(_)) => {
                self.difference.missing += 1;
                self.first.note(entity, || "the database lacks it".to_owned());
            }
            (Some(present), Some(made)) if made.is(&present) => self.difference.equal += 1,
            (Some(present), Some(made)) => {
                self.difference.different += 1;
                self.first.note(entity, || super::compare::how(present.version, made.last.version));
            }
        }
    }

    /// Folds an entity's changes for as long as none is missing. What is noted is what an append in the same order
    /// would come upon.
    fn fold<'a>(&mut self, known: &Known<'a>) -> Option<Made<'a>> {
        let (entity, mut made) = (known.entity, None::<Made<'a>>);
        for same in known.changes.chunk_by(|one, next| one.version == next.version) {
            let (change, last) = (same[0], made.as_ref().map_or(0, |made| made.last.version));
            if change.version > last + 1 {
                self.missing.note(entity, || format!("version {} is missing", last + 1));
                break;
            }
            if change.version <= last || same.len() > 1 {
                self.broken.note(entity, || format!("version {} has two events", change.version));
            }
            if change.version <= last {
                continue;
            }
            if change.prev_event_hash != made.as_ref().map(|made| made.last.event_hash) {
                self.broken.note(entity, || format!("event {} is not chained to the one before", change.event_id));
            }
            let folded = match fold::step(made.as_ref().map(|made| &made.folded), &change.step()) {
                Ok(folded) => folded,
                Err(error) => {
                    self.broken.note(entity, || error.to_string());
                    break;
                }
            };
            let state = folded.state();
            if change.state_hash != Some(state.hash().as_str()) {
                let id = change.event_id;
                self.broken.note(entity, || format!("event {id} claims another state than the fold gives"));
            }
            made = Some(Made { folded, state, last: change });
        }
        made
    }

    fn and(self, other: Self) -> Self {
        let (one, two) = (self.difference, other.difference);
        Self {
            entities: self.entities + other.entities,
            broken: self.broken.and(other.broken),
            missing: self.missing.and(other.missing),
            difference: Difference {
                equal: one.equal + two.equal,
                missing: one.missing + two.missing,
                surplus: one.surplus + two.surplus,
                different: one.different + two.different,
                first: None,
            },
            first: self.first.and(other.first),
        }
    }
}
