//! Notices: what a receiver is told of an event, after the fact.
//!
//! Pure: which events are told of, in what words, and how the words are signed. Sending is the callers'.

mod choice;
mod secret;

use event::{Event, EventId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::store::EntityRef;

pub use choice::{COMPLETED, Choice, Told, is_completed};
pub use secret::Secret;

/// What a receiver is told of one event, in the form of Standard Webhooks.
///
/// It holds nothing of the request but what was made of it: no body, no header, no address, no credential. The state is
/// the one that answers show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The event's id, and the message's: the same whenever it is sent again.
    pub id: EventId,
    /// What it says: the type that was chosen.
    pub kind: String,
    /// The entity that the event changed; its notices go out in the order of its versions.
    pub subject: Option<EntityRef>,
    /// The message, JSON.
    pub body: String,
}

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    event_id: EventId,
    event_type: &'a str,
    tenant: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    status: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "is_false")]
    state_left_out: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Notice {
    /// The notice of an event that was chosen as this type.
    pub fn of(kind: &str, event: &Event) -> Self {
        let state = event.state_after.as_deref().and_then(|state| serde_json::from_str(state).ok());
        Self::with(kind, event, state, false)
    }

    /// The same where a state is more than the receiver takes: it says so, and names the version at which it can be read.
    pub fn without_state(kind: &str, event: &Event) -> Self {
        Self::with(kind, event, None, true)
    }

    fn with(kind: &str, event: &Event, state: Option<&RawValue>, state_left_out: bool) -> Self {
        let message = Message {
            r#type: kind,
            timestamp: event.received_at,
            data: Data {
                event_id: event.event_id,
                event_type: &event.event_type,
                tenant: &event.tenant,
                entity_type: event.entity_type.as_deref(),
                entity_id: event.entity_id.as_deref(),
                version: event.entity_version,
                operation: event.operation.as_deref(),
                status: event.status,
                state,
                state_left_out,
            },
        };
        let subject = event.entity_type.clone().zip(event.entity_id.clone());
        Self {
            id: event.event_id,
            kind: kind.to_owned(),
            subject: subject.map(|(kind, id)| EntityRef { tenant: event.tenant.clone(), kind, id }),
            // Strings, numbers and JSON that was read just now can always be written.
            body: serde_json::to_string(&message).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event() -> Event {
        Event {
            event_id: "019aa0c5-6f8b-7000-8000-000000000000".parse().unwrap(),
            event_type: "task.updated".to_owned(),
            received_at: Timestamp::parse("2026-11-20T09:30:26.123456Z").unwrap(),
            tenant: "acme".to_owned(),
            client_ip: Some("192.0.2.7".to_owned()),
            user_agent: Some("agent-of-somebody".to_owned()),
            request_headers: Some(r#"{"x-secret":["header"]}"#.to_owned()),
            request_body: Some(r#"{"status":"completed","note":"of the body"}"#.to_owned()),
            path: "/tasks/1?token=query".to_owned(),
            entity_type: Some("task".to_owned()),
            entity_id: Some("1".to_owned()),
            entity_version: Some(2),
            operation: Some("update".to_owned()),
            status: 200,
            state_after: Some(r#"{"id":"1","n":12345678901234567890123,"status":"completed"}"#.to_owned()),
            ..Event::default()
        }
    }

    #[test]
    fn a_notice_says_what_became_of_the_entity_and_nothing_of_the_request() {
        let notice = Notice::of(COMPLETED, &event());
        let expect = concat!(
            r#"{"type":"task.completed","timestamp":"2026-11-20T09:30:26.123456Z","data":{"#,
            r#""event_id":"019aa0c5-6f8b-7000-8000-000000000000","event_type":"task.updated","tenant":"acme","#,
            r#""entity_type":"task","entity_id":"1","version":2,"operation":"update","status":200,"#,
            r#""state":{"id":"1","n":12345678901234567890123,"status":"completed"}}}"#
        );
        assert_eq!(notice.body, expect);
        let subject = EntityRef { tenant: "acme".to_owned(), kind: "task".to_owned(), id: "1".to_owned() };
        assert_eq!((notice.subject, notice.kind.as_str()), (Some(subject), COMPLETED));
    }

    #[test]
    fn what_has_no_entity_and_no_state_says_neither() {
        let event = Event { entity_id: None, entity_type: None, entity_version: None, state_after: None, ..event() };
        let notice = Notice::of("request.rejected", &event);
        let message: Value = serde_json::from_str(&notice.body).unwrap();
        assert_eq!(notice.subject, None);
        assert_eq!((&message["data"]["entity_id"], &message["data"]["state"]), (&json!(null), &json!(null)));
    }
}
