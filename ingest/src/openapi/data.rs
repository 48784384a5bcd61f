//! `/data`.

use event::domain::fields::NOT_BLANK;
use event::domain::submission::USER_ID_MAX;
use serde_json::{Value, json};

use super::operation::{Operation, Reply};
use super::{parameter, schema};

const TAG: &str = "Submissions";
const ID: &str = "01a1fda7-cdbf-73f3-bb96-e2b908cfbb90";

fn example() -> Value {
    json!({
        "id": ID, "user_id": "1234", "timestamp": "2026-11-21T10:29:55Z",
        "data": {"user_id": "1234", "message": "New record submission"},
    })
}

pub(super) fn submit() -> Operation {
    let reply = Reply::json(
        "It is written down.",
        schema("Submitted"),
        json!({"status": "success", "timestamp": "2026-11-21T10:29:55Z", "id": ID}),
    );
    Operation::new("submitData", TAG, "Submit something")
        .says("A JSON object with `user_id` (or `userId`) and `message`; whatever else it holds is kept. Secrets are masked.")
        .needs(schema("Submission"), json!({"user_id": "1234", "message": "New record submission"}))
        .replies(201, reply.with("Location").with("Idempotency-Replayed").leads_to(&["getData"]))
}

pub(super) fn list() -> Operation {
    let user_id = json!({
        "name": "user_id", "in": "query", "required": true, "description": "Whose submissions.",
        "schema": {"type": "string", "minLength": 1}, "example": "1234",
    });
    let page = json!({"items": [example()], "count": 1, "next": null});
    Operation::new("listData", TAG, "List a user's submissions")
        .says("The newest first.")
        .takes(user_id)
        .takes(parameter("Limit"))
        .takes(parameter("Next"))
        .replies(200, Reply::json("A page.", schema("StoredSubmissionPage"), page).with("Link"))
}

pub(super) fn get() -> Operation {
    Operation::new("getData", TAG, "Read a submission")
        .takes(super::uuid_in_path(ID))
        .takes(parameter("IfNoneMatch"))
        .replies(200, Reply::json("The submission.", schema("StoredSubmission"), example()).with("ETag"))
        .replies(304, Reply::empty("The client has it.").with("ETag"))
        .refuses(&[404])
}

pub(super) fn schemas() -> Value {
    let user_id = || json!({"type": "string", "minLength": 1, "maxLength": USER_ID_MAX, "pattern": NOT_BLANK, "description": "Whom it speaks for."});
    let message = || json!({"type": "string"});
    json!({
        "Submission": {"anyOf": [schema("SubmissionOfUserId"), schema("SubmissionOfUserIdInCamelCase")]},
        "SubmissionOfUserId": {
            "type": "object",
            "required": ["user_id", "message"],
            "properties": {"user_id": user_id(), "message": message()},
            "additionalProperties": true,
        },
        "SubmissionOfUserIdInCamelCase": {
            "type": "object",
            "description": "Where there is a `user_id`, it counts.",
            "required": ["userId", "message"],
            "properties": {"user_id": user_id(), "userId": user_id(), "message": message()},
            "additionalProperties": true,
        },
        "Submitted": {
            "type": "object",
            "required": ["status", "timestamp", "id"],
            "properties": {
                "status": {"type": "string", "const": "success"},
                "timestamp": {"type": "string", "format": "date-time"},
                "id": {"type": "string", "format": "uuid", "description": "Also the id of its event."},
            },
        },
        "StoredSubmission": {
            "type": "object",
            "required": ["id", "user_id", "timestamp", "data"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "user_id": {"type": ["string", "null"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "data": {
                    "type": ["object", "null"], "additionalProperties": true,
                    "description": "The body as it was received, but for masked secrets.",
                },
            },
        },
        "StoredSubmissionPage": super::page("StoredSubmission"),
    })
}
