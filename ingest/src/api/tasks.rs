//! `/tasks`: make, list, change, remove.

use event::domain::Operation;
use event::domain::task::{self, Command, Priority, Status, Task};

use super::dispatch::{Call, json_body};
use super::entity::{Decided, Kind};
use super::{Api, Finished};
use crate::http::Problem;
use crate::http::route::uuid;
use crate::record::Record;
use crate::store::EntityRef;

/// Tasks, as their routes know them.
pub(super) const TASK: Kind =
    Kind { entity: task::ENTITY, what: "Task", path: "/tasks", id: |text| uuid(text, "Task") };

impl Api {
    pub(super) async fn create_task(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(task::ENTITY, None, Operation::Create);
        let command = Command::parse_create(json_body(record)?).map_err(|errors| TASK.invalid(errors))?;
        let id = record.event_id().to_string();
        record.about(task::ENTITY, Some(&id), Operation::Create);
        let entity = TASK.entity(call, id);
        let change = task::decide(None, command, None, &entity.id, record.received_at())
            .map_err(|refusal| TASK.refused(refusal, None))?;
        let answer = TASK.made(self, call, 201, &entity.id, change.version, change.state.as_str())?;
        let decided = Decided { change, unique: None };
        let done = self.append_change(call, record, &entity, None, decided, answer).await?;
        done.ok_or_else(|| Problem::internal("The id of the task is taken."))
    }

    pub(super) async fn update_task(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let entity = TASK.named(call, record, Operation::Update)?;
        let command = Command::parse_update(json_body(record)?).map_err(|errors| TASK.invalid(errors))?;
        self.change_task(call, record, &entity, &command).await
    }

    pub(super) async fn delete_task(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let entity = TASK.named(call, record, Operation::Delete)?;
        self.change_task(call, record, &entity, &Command::Delete).await
    }

    async fn change_task(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        entity: &EntityRef,
        command: &Command,
    ) -> Result<Finished, Problem> {
        let now = record.received_at();
        self.change_entity(call, record, &TASK, entity, |task: Option<&Task>, expected| {
            let change = task::decide(task, command.clone(), expected, &entity.id, now)
                .map_err(|refusal| TASK.refused(refusal, expected))?;
            Ok(Decided { change, unique: None })
        })
        .await
    }

    pub(super) async fn list_tasks(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(task::ENTITY, None, Operation::List);
        let mut filters = Vec::new();
        for (name, words) in [("status", Status::WORDS), ("priority", Priority::WORDS)] {
            if let Some(value) = call.query.choice(name, words)? {
                filters.push((name, value));
            }
        }
        self.list_entities(call, &TASK, filters).await
    }
}
