//! `/tasks`: make, read, list, change, remove.

use event::domain::task::{self, Command, Priority, Status, Task};
use event::domain::{Operation, Refusal};
use serde_json::json;
use serde_json::value::RawValue;

use super::change::ATTEMPTS;
use super::dispatch::{Call, json_body, read};
use super::page::List;
use super::{Api, Finished, unavailable};
use crate::http::conditional::{self, IfMatch, etag};
use crate::http::route::uuid;
use crate::http::{Answer, Problem};
use crate::record::Record;
use crate::store::{EntityRef, Item, ListOf, Stored};

/// What problems call it.
pub(super) const WHAT: &str = "Task";

impl Api {
    pub(super) async fn create_task(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(task::ENTITY, None, Operation::Create);
        let command = Command::parse_create(json_body(record)?).map_err(invalid)?;
        let id = record.event_id().to_string();
        record.about(task::ENTITY, Some(&id), Operation::Create);
        let entity = task_ref(call, id);
        let change = task::decide(None, command, None, &entity.id, record.received_at())
            .map_err(|refusal| Problem::refusal(refusal, WHAT, false))?;
        let answer = Answer::json(201, &json!({"id": entity.id, "task": raw(change.state.as_str())?}))
            .with("location", call.location(self, &format!("/tasks/{}", entity.id)))
            .with("etag", etag(change.version));
        let done = self.append_change(call, record, &entity, None, &change, answer).await?;
        done.ok_or_else(|| Problem::internal("The id of the task is taken."))
    }

    pub(super) async fn update_task(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let entity = named_task(call, record, Operation::Update)?;
        let command = Command::parse_update(json_body(record)?).map_err(invalid)?;
        self.change_task(call, record, entity, &command).await
    }

    pub(super) async fn delete_task(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let entity = named_task(call, record, Operation::Delete)?;
        self.change_task(call, record, entity, &Command::Delete).await
    }

    /// Loads, decides, appends; whoever loses a race does it again with what is there then.
    async fn change_task(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        entity: EntityRef,
        command: &Command,
    ) -> Result<Finished, Problem> {
        let condition = IfMatch::of(call.received)?;
        if self.settings.require_if_match && condition == IfMatch::Absent {
            return Err(Problem::precondition_required("Send If-Match with the version that the change is made for."));
        }
        for _ in 0..ATTEMPTS {
            let stored = self.store.load(&entity).await.map_err(|error| unavailable(&error))?;
            let current = stored.as_ref().map(read_task).transpose()?;
            let expected = current.as_ref().and_then(|task| condition.expected(task.version));
            let change = task::decide(current.as_ref(), command.clone(), expected, &entity.id, record.received_at())
                .map_err(|refusal| Problem::refusal(refusal, WHAT, expected.is_some()))?;
            let answer = changed(&entity.id, &change)?;
            let done = self.append_change(call, record, &entity, stored.as_ref(), &change, answer).await?;
            if let Some(finished) = done {
                return Ok(finished);
            }
        }
        let detail = "The task keeps changing; read it and try again.";
        Err(Problem::conflict(detail).with("retry-after", "1"))
    }

    pub(super) async fn list_tasks(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(task::ENTITY, None, Operation::List);
        let mut filters = Vec::new();
        for (name, words) in [("status", Status::WORDS), ("priority", Priority::WORDS)] {
            if let Some(value) = call.query.choice(name, words)? {
                filters.push((name, value));
            }
        }
        let owned = filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let of = ListOf::States { kind: task::ENTITY.to_owned(), filters: owned };
        let page = self.page(call, &List { path: "/tasks", filters }, of).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for listed in &page.items {
            if let Item::State(state) = &listed.item {
                items.push(raw(state.as_str())?);
            }
        }
        Ok(read(page.answer(&items)))
    }

    pub(super) async fn get_task(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let entity = named_task(call, record, Operation::Read)?;
        let state = match self.moment(call)? {
            None => {
                let stored = self.store.load(&entity).await.map_err(|error| unavailable(&error))?;
                stored.filter(|stored| !stored.deleted).map(|stored| (stored.version, stored.state.as_str().to_owned()))
            }
            Some(moment) => self.state_at(&entity, moment).await?,
        };
        let (version, state) = state.ok_or_else(|| Problem::not_found(format!("{WHAT} not found")))?;
        record.version(version);
        let answer = match conditional::is_known(call.received, version)? {
            true => Answer::empty(304),
            false => Answer::of(200, "application/json", state),
        };
        Ok(read(answer.with("etag", etag(version))))
    }
}

/// The task that the path names. An id has one spelling in the log, however the client wrote it: the fold reads it.
pub(super) fn named_task(call: &Call<'_>, record: &mut Record, operation: Operation) -> Result<EntityRef, Problem> {
    record.about(task::ENTITY, Some(&call.parameter), operation);
    let entity = task_ref(call, uuid(&call.parameter, WHAT)?);
    record.about(task::ENTITY, Some(&entity.id), operation);
    Ok(entity)
}

fn task_ref(call: &Call<'_>, id: String) -> EntityRef {
    EntityRef { tenant: call.identity.tenant.clone(), kind: task::ENTITY.to_owned(), id }
}

fn changed(id: &str, change: &event::domain::Change) -> Result<Answer, Problem> {
    let body = match change.operation {
        Operation::Delete => json!({"message": "Task deleted successfully", "id": id}),
        _ => json!({"message": "Task updated successfully", "task": raw(change.state.as_str())?}),
    };
    Ok(Answer::json(200, &body).with("etag", etag(change.version)))
}

fn read_task(stored: &Stored) -> Result<Task, Problem> {
    serde_json::from_str(stored.state.as_str()).map_err(|error| {
        tracing::error!(%error, "a stored task cannot be read");
        Problem::internal("What is stored for this task is damaged.")
    })
}

/// A stored JSON text as it stands.
fn raw(state: &str) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(state.to_owned()).map_err(|_| Problem::internal("What is stored for this task is damaged."))
}

fn invalid(errors: Vec<event::domain::FieldError>) -> Problem {
    Problem::refusal(Refusal::Invalid(errors), WHAT, false)
}
