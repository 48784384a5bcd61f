//! Makes a decided change: event, state and kept answer in one transaction.

use event::Event;
use event::domain::FieldError;

use super::dispatch::{Call, replay};
use super::entity::Decided;
use super::{Api, Finished, unavailable};
use crate::http::idempotency::Key;
use crate::http::{Answer, Problem};
use crate::record::Record;
use crate::store::{Append, Appended, EntityRef, Keep, Kept, NewState, Stored};

impl Api {
    /// Appends a submission: the event is all there is of it.
    pub(super) async fn append_submission(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        event_type: &str,
        answer: Answer,
    ) -> Result<Finished, Problem> {
        let id = record.event_id().to_string();
        let event = record.submitted(event_type, &answer, (self.system.monotonic)());
        let entity =
            EntityRef { tenant: call.identity.tenant.clone(), kind: event.entity_type.clone().unwrap_or_default(), id };
        let append =
            Append { keep: self.keep(call, &answer, &event), event, entity, expected: 0, state: None, unique: None };
        let conflict = || Problem::internal("The id of the event is taken.");
        self.append(call, record, answer, append).await?.ok_or_else(conflict)
    }

    /// Appends a change of an entity with a state; `None` if another change came first, to be decided anew.
    pub(super) async fn append_change(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        entity: &EntityRef,
        previous: Option<&Stored>,
        decided: Decided,
        answer: Answer,
    ) -> Result<Option<Finished>, Problem> {
        let Decided { change, unique } = decided;
        let chain = previous.map(|stored| stored.event_hash.clone());
        let event = record.changed(&change, chain, &answer, (self.system.monotonic)());
        let deleted = change.operation == event::domain::Operation::Delete;
        let append = Append {
            keep: self.keep(call, &answer, &event),
            event,
            entity: entity.clone(),
            expected: change.version - 1,
            state: Some(NewState { state: change.state, deleted }),
            unique,
        };
        self.append(call, record, answer, append).await
    }

    async fn append(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        answer: Answer,
        append: Append,
    ) -> Result<Option<Finished>, Problem> {
        let begun = (self.system.monotonic)();
        let append_creates = append.expected == 0;
        let taken = append.unique.as_ref().map(|unique| taken(&append.entity.kind, unique.field));
        // Written before the commit: an event never names a body that is not there.
        self.keep_body(record).await.map_err(|error| unavailable(&error))?;
        match self.store.append(append).await.map_err(|error| unavailable(&error))? {
            Appended::Done(receipt) => {
                let log_micros = (self.system.monotonic)().saturating_sub(begun);
                Ok(Some(Finished::Changed { answer, receipt, log_micros }))
            }
            Appended::Conflict => Ok(None),
            Appended::Taken => Err(taken.unwrap_or_else(|| Problem::internal("The store refused the change."))),
            Appended::Known(kept) => match &call.key {
                Some(key) => {
                    if append_creates {
                        record.made_nothing();
                    }
                    replay(key, kept, record).map(Some)
                }
                None => Ok(None),
            },
        }
    }

    /// The answer to keep under the request's idempotency key.
    fn keep(&self, call: &Call<'_>, answer: &Answer, event: &Event) -> Option<Keep> {
        let Key { scope, fingerprint, .. } = call.key.clone()?;
        let content = answer.headers.iter().filter(|(name, _)| matches!(*name, "etag" | "location"));
        let kept = Kept {
            fingerprint,
            status: answer.status,
            headers: content.map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            body: String::from_utf8_lossy(answer.without_secrets()).into_owned(),
            event_id: event.event_id,
            expires_at: event.received_at.micros() + self.settings.idempotency_seconds * 1_000_000,
        };
        Some(Keep { scope, kept })
    }
}

/// 409: another entity has what only one may have.
fn taken(kind: &str, field: &str) -> Problem {
    let detail = format!("Another {kind} has this {field}.");
    Problem { errors: vec![FieldError::field(field, "taken", detail.clone())], ..Problem::conflict(detail) }
}
