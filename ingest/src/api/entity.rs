//! What the routes of all entities with a state have in common: read one, change one, say where it is.

use event::domain::{Change, FieldError, Operation, Refusal};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::dispatch::{Call, read};
use super::page::{List, Page};
use super::{Api, Finished, unavailable};
use crate::http::conditional::{self, IfMatch, etag};
use crate::http::{Answer, Problem};
use crate::record::Record;
use crate::store::{EntityRef, Item, ListOf, Stored, Unique};

/// How often a change is decided anew when another one was faster.
pub(super) const ATTEMPTS: usize = 3;

/// A kind of entity, as its routes know it.
pub(super) struct Kind {
    /// The entity type.
    pub entity: &'static str,
    /// What problems call it.
    pub what: &'static str,
    /// What its paths begin with.
    pub path: &'static str,
    /// Reads an id from a path: the one spelling that the log has of it, or 404.
    pub id: fn(&str) -> Result<String, Problem>,
}

/// A change that may be made, and what it takes of what only one may have.
pub(super) struct Decided {
    pub change: Change,
    pub unique: Option<Unique>,
}

/// A JSON object of two fields, each as it stands: what is stored is not read to be written again.
struct Pair<'a>([(&'a str, Box<RawValue>); 2]);

impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Kind {
    /// The entity of this kind with an id.
    pub fn entity(&self, call: &Call<'_>, id: String) -> EntityRef {
        EntityRef { tenant: call.identity.tenant.clone(), kind: self.entity.to_owned(), id }
    }

    /// The entity that the path names. An id has one spelling in the log, however the client wrote it: the fold reads it.
    pub fn named(&self, call: &Call<'_>, record: &mut Record, operation: Operation) -> Result<EntityRef, Problem> {
        record.about(self.entity, Some(&call.parameter), operation);
        let entity = self.entity(call, (self.id)(&call.parameter)?);
        record.about(self.entity, Some(&entity.id), operation);
        Ok(entity)
    }

    /// Where an entity is to be found.
    pub fn location(&self, api: &Api, call: &Call<'_>, id: &str) -> String {
        call.location(api, &format!("{}/{id}", self.path))
    }

    /// 404: there is none, or none any more.
    pub fn not_found(&self) -> Problem {
        self.refused(Refusal::NotFound, None)
    }

    /// 400: the fields are wrong.
    pub fn invalid(&self, errors: Vec<FieldError>) -> Problem {
        self.refused(Refusal::Invalid(errors), None)
    }

    /// What was refused of a change, made for the version that `If-Match` names if it does.
    pub fn refused(&self, refusal: Refusal, expected: Option<i64>) -> Problem {
        Problem::refusal(refusal, self.what, expected.is_some())
    }

    /// 409: it changed each time that a change was tried.
    pub fn keeps_changing(&self) -> Problem {
        let detail = format!("The {} keeps changing; read it and try again.", self.entity);
        Problem::conflict(detail).with("retry-after", "1")
    }

    /// A stored state as its type.
    pub fn read<T: DeserializeOwned>(&self, stored: &Stored) -> Result<T, Problem> {
        serde_json::from_str(stored.state.as_str()).map_err(|error| {
            tracing::error!(%error, kind = self.entity, "a stored state cannot be read");
            self.damaged()
        })
    }

    /// A stored JSON text as it stands.
    pub fn raw(&self, state: &str) -> Result<Box<RawValue>, Problem> {
        RawValue::from_string(state.to_owned()).map_err(|_| self.damaged())
    }

    /// 201, or 200 for one that is there already.
    pub fn made(
        &self,
        api: &Api,
        call: &Call<'_>,
        status: u16,
        id: &str,
        version: i64,
        state: &str,
    ) -> Result<Answer, Problem> {
        let body = Pair([("id", self.text(id)?), (self.entity, self.raw(state)?)]);
        let answer = Answer::json(status, &body);
        Ok(answer.with("location", self.location(api, call, id)).with("etag", etag(version)))
    }

    fn changed(&self, id: &str, change: &Change) -> Result<Answer, Problem> {
        let Self { what, entity, .. } = self;
        let body = match change.operation {
            Operation::Delete => {
                Pair([("id", self.text(id)?), ("message", self.text(&format!("{what} deleted successfully"))?)])
            }
            _ => Pair([
                ("message", self.text(&format!("{what} updated successfully"))?),
                (*entity, self.raw(change.state.as_str())?),
            ]),
        };
        Ok(Answer::json(200, &body).with("etag", etag(change.version)))
    }

    fn text(&self, text: &str) -> Result<Box<RawValue>, Problem> {
        to_raw_value(text).map_err(|_| self.damaged())
    }

    fn damaged(&self) -> Problem {
        Problem::internal(format!("What is stored for this {} is damaged.", self.entity))
    }
}

impl Api {
    /// Loads, decides, appends; whoever loses a race does it again with what is there then.
    ///
    /// `decide` gets the state that is stored, and the version that `If-Match` names where there is one to compare it with.
    pub(super) async fn change_entity<T: DeserializeOwned + Send>(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        kind: &Kind,
        entity: &EntityRef,
        decide: impl Fn(Option<&T>, Option<i64>) -> Result<Decided, Problem> + Send,
    ) -> Result<Finished, Problem> {
        let condition = IfMatch::of(call.received)?;
        if self.settings.require_if_match && condition == IfMatch::Absent {
            return Err(Problem::precondition_required("Send If-Match with the version that the change is made for."));
        }
        for _ in 0..ATTEMPTS {
            let stored = self.store.load(entity).await.map_err(|error| unavailable(&error))?;
            let expected = stored.as_ref().and_then(|stored| condition.expected(stored.version));
            let current: Option<T> = stored.as_ref().map(|stored| kind.read(stored)).transpose()?;
            let decided = decide(current.as_ref(), expected)?;
            let answer = kind.changed(&entity.id, &decided.change)?;
            let done = self.append_change(call, record, entity, stored.as_ref(), decided, answer).await?;
            if let Some(finished) = done {
                return Ok(finished);
            }
        }
        Err(kind.keeps_changing())
    }

    /// One entity, now or at a moment that the request names.
    pub(super) async fn get_entity(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        kind: &Kind,
    ) -> Result<Finished, Problem> {
        let entity = kind.named(call, record, Operation::Read)?;
        let state = match self.moment(call)? {
            None => {
                let stored = self.store.load(&entity).await.map_err(|error| unavailable(&error))?;
                let stored = stored.filter(|stored| stored.is_there(record.received_at()));
                stored.map(|stored| (stored.version, stored.state.as_str().to_owned()))
            }
            Some(moment) => self.state_at(&entity, moment).await?,
        };
        let (version, state) = state.ok_or_else(|| kind.not_found())?;
        record.version(version);
        shown(call, version, state).map(read)
    }

    /// A page of the entities whose fields have these values.
    pub(super) async fn list_entities(
        &self,
        call: &Call<'_>,
        kind: &Kind,
        filters: Vec<(&'static str, &str)>,
    ) -> Result<Finished, Problem> {
        let owned = filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let of = ListOf::States { kind: kind.entity.to_owned(), filters: owned };
        let page: Page = self.page(call, &List { path: kind.path, filters }, of).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for listed in &page.items {
            if let Item::State(state) = &listed.item {
                items.push(kind.raw(state.as_str())?);
            }
        }
        Ok(read(page.answer(&items)))
    }
}

/// A state as an answer; 304 if the client has this version.
pub(super) fn shown(call: &Call<'_>, version: i64, state: String) -> Result<Answer, Problem> {
    conditional::unless_known(call.received, etag(version), Answer::of(200, "application/json", state))
}
