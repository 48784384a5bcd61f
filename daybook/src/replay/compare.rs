//! Two databases, entity by entity.

use std::cmp::Ordering;

use ingest::store::sqlite::SqliteReader;
use ingest::store::{EntityRef, Stored};

use crate::failure::Result;
use crate::verify::chain;

/// Entities that are read at a time.
const PAGE: usize = 4_096;

/// What differs between the database that is there and the one that the log gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Entities that are equal.
    pub equal: u64,
    /// Entities that the log gives and the database lacks.
    pub missing: u64,
    /// Entities that the database has and the log does not give.
    pub surplus: u64,
    /// Entities with another version, state or last event.
    pub different: u64,
    /// The first of all those.
    pub first: Option<String>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.first.is_none()
    }

    fn note(&mut self, entity: &EntityRef, what: &str) {
        self.first.get_or_insert_with(|| format!("{}: {what}", chain::name(entity)));
    }
}

/// Compares the `present` database with the one made from the `log`. Memory: a page of each.
///
/// # Errors
/// One of them cannot be read.
pub async fn compare(present: &SqliteReader, log: &SqliteReader) -> Result<Difference> {
    let (mut present, mut log) = (Entities::of(present), Entities::of(log));
    let mut difference = Difference::default();
    let (mut here, mut there) = (present.next().await?, log.next().await?);
    loop {
        let order = match (&here, &there) {
            (None, None) => return Ok(difference),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((here, _)), Some((there, _))) => here.cmp(there),
        };
        if let (Ordering::Less, Some((entity, _))) = (order, &here) {
            difference.surplus += 1;
            difference.note(entity, "the log has nothing of it");
        }
        if let (Ordering::Greater, Some((entity, _))) = (order, &there) {
            difference.missing += 1;
            difference.note(entity, "the database lacks it");
        }
        if let (Ordering::Equal, Some((entity, one)), Some((_, other))) = (order, &here, &there) {
            if one == other {
                difference.equal += 1;
            } else {
                difference.different += 1;
                difference.note(entity, &how(one.version, other.version));
            }
        }
        if order.is_le() {
            here = present.next().await?;
        }
        if order.is_ge() {
            there = log.next().await?;
        }
    }
}

/// How an entity differs, by its version in the present database and by the log's.
pub(super) fn how(present: i64, log: i64) -> String {
    match present == log {
        true => format!("its state of version {log} is not the fold's"),
        false => format!("the database is at version {present}, the log at {log}"),
    }
}

/// The entities of a database in their order.
struct Entities<'a> {
    reader: &'a SqliteReader,
    page: std::vec::IntoIter<(EntityRef, Stored)>,
    last: Option<EntityRef>,
}

impl<'a> Entities<'a> {
    fn of(reader: &'a SqliteReader) -> Self {
        Self { reader, page: Vec::new().into_iter(), last: None }
    }

    async fn next(&mut self) -> Result<Option<(EntityRef, Stored)>> {
        if self.page.as_slice().is_empty() {
            self.page = self.reader.entities(self.last.clone(), PAGE).await?.into_iter();
        }
        let next = self.page.next();
        if let Some((entity, _)) = &next {
            self.last = Some(entity.clone());
        }
        Ok(next)
    }
}
