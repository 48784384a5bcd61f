//! `/data`: submissions.

use event::Event;
use event::domain::submission::{self, Submission};
use event::domain::{Operation, Refusal};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::dispatch::{Call, json_body, read};
use super::page::List;
use super::{Api, Finished, unavailable};
use crate::http::route::uuid;
use crate::http::{Answer, Problem, conditional};
use crate::record::Record;
use crate::store::{EntityRef, Item, ListOf};

impl Api {
    pub(super) async fn submit_data(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let id = record.event_id().to_string();
        record.about(submission::ENTITY, None, Operation::Create);
        let refused = |errors| Problem::refusal(Refusal::Invalid(errors), "Submission", false);
        Submission::parse(json_body(record)?).map_err(refused)?;
        record.about(submission::ENTITY, Some(&id), Operation::Create);
        let timestamp = record.received_at().to_seconds_string();
        let answer = Answer::json(201, &json!({"status": "success", "timestamp": timestamp, "id": id}))
            .with("location", call.location(self, &format!("/data/{id}")));
        self.append_submission(call, record, submission::SUBMITTED, answer).await
    }

    pub(super) async fn get_data(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(submission::ENTITY, Some(&call.parameter), Operation::Read);
        let id = uuid(&call.parameter, "Submission")?;
        record.about(submission::ENTITY, Some(&id), Operation::Read);
        let entity = EntityRef { tenant: call.identity.tenant.clone(), kind: submission::ENTITY.to_owned(), id };
        let events = self.store.history(&entity, 0, 1).await.map_err(|error| unavailable(&error))?;
        let event = events.into_iter().next().ok_or_else(|| Problem::not_found("Submission not found"))?;
        record.version(1);
        let tag = conditional::etag(1);
        if conditional::is_known(call.received, &tag)? {
            return Ok(read(Answer::empty(304).with("etag", tag)));
        }
        let item = self.item(&event).await?;
        Ok(read(Answer::json(200, &item).with("etag", tag)))
    }

    pub(super) async fn list_data(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(submission::ENTITY, None, Operation::List);
        let Some(user_id) = call.query.get("user_id")?.filter(|user_id| !user_id.is_empty()) else {
            return Err(Problem::parameter("user_id", "missing", "user_id is required."));
        };
        let of = ListOf::Submissions { user_id: user_id.to_owned() };
        let list = List { path: "/data", filters: vec![("user_id", user_id)] };
        let page = self.page(call, &list, of).await?;
        let events = page.items.iter().filter_map(|listed| match &listed.item {
            Item::Event(event) => Some(event.request_bytes),
            Item::State(_) => None,
        });
        // Bodies that were set aside are large: what cannot be carried is not read first.
        self.carry(usize::try_from(events.sum::<i64>()).unwrap_or(usize::MAX))?;
        let mut items = Vec::with_capacity(page.items.len());
        for listed in &page.items {
            if let Item::Event(event) = &listed.item {
                items.push(self.item(event).await?);
            }
        }
        Ok(read(page.answer(&items)))
    }

    /// A submission as answers show it: its content is the body as it was received, after redaction.
    async fn item(&self, event: &Event) -> Result<Shown, Problem> {
        let aside = match &event.request_body_ref {
            Some(key) => self.store.read_aside(key).await.map_err(|error| unavailable(&error))?,
            None => None,
        };
        let aside = aside.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = aside.or_else(|| event.request_body.clone());
        Ok(Shown {
            id: event.event_id.to_string(),
            user_id: event.user_id.clone(),
            timestamp: event.received_at.to_seconds_string(),
            data: text.and_then(|text| RawValue::from_string(text).ok()),
        })
    }
}

/// A submission in an answer. `data` is raw: big integers and duplicate keys survive.
#[derive(Serialize)]
struct Shown {
    id: String,
    user_id: Option<String>,
    timestamp: String,
    data: Option<Box<RawValue>>,
}
