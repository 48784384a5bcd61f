//! What the operations of all entities with a state have in common.

use event::Timestamp;
use serde_json::{Value, json};

use super::operation::{Operation, Reply};
use super::{parameter, schema};

/// A kind of entity as its operations are described.
pub(super) struct Kind {
    /// The chapter.
    pub tag: &'static str,
    /// One of them in the middle of a sentence.
    pub one: &'static str,
    /// Its schema; pages of it are `…Page`.
    pub schema: &'static str,
    /// Its id in a path.
    pub id: fn() -> Value,
    /// One as answers show it.
    pub example: fn() -> Value,
}

impl Kind {
    fn operation(&self, id: &'static str, summary: String) -> Operation {
        Operation::new(id, self.tag, summary)
    }

    /// What `POST` answers with; `there` for one that was there before.
    pub fn made(&self, description: &'static str, id: &str, leads_to: &[&str]) -> Reply {
        let shape = json!({
            "type": "object",
            "required": ["id", self.one],
            "properties": {"id": {"type": "string"}, (self.one): schema(self.schema)},
        });
        let reply = Reply::json(description, shape, json!({"id": id, (self.one): (self.example)()}));
        reply.with("ETag").with("Location").with("Idempotency-Replayed").leads_to(leads_to)
    }

    /// A page of them.
    pub fn list(&self, id: &'static str) -> Operation {
        let example = json!({"items": [(self.example)()], "count": 1, "next": null});
        let page = schema(&format!("{}Page", self.schema));
        self.operation(id, format!("List {}s", self.one))
            .says("The newest first. `next` leads to the next page, for as long as the filters are the same.")
            .takes(parameter("Limit"))
            .takes(parameter("Next"))
            .replies(200, Reply::json("A page.", page, example).with("Link"))
    }

    /// One of them, now or at a moment.
    pub fn get(&self, id: &'static str) -> Operation {
        let version = json!({
            "name": "version", "in": "query",
            "description": "As it was after this change. Not together with `as_of`.",
            "schema": {"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX},
        });
        let as_of = json!({
            "name": "as_of", "in": "query",
            "description": "As it was at this time, in UTC. Not together with `version`.",
            "schema": {"type": "string", "format": "date-time", "pattern": Timestamp::PATTERN},
            "example": "2026-11-21T10:29:55Z",
        });
        self.operation(id, format!("Read a {}", self.one))
            .says("As it is, or as it was: versions decide, not clocks.")
            .takes((self.id)())
            .takes(version)
            .takes(as_of)
            .takes(parameter("IfNoneMatch"))
            .replies(200, Reply::json(format!("The {}.", self.one), schema(self.schema), (self.example)()).with("ETag"))
            .replies(304, Reply::empty("The client has this version.").with("ETag"))
            .refuses(&[404])
    }

    /// Its versions.
    pub fn history(&self, id: &'static str) -> Operation {
        let example = json!({
            "id": "01a1fda7-ce54-734d-a367-46af3dae0954", "count": 1, "next": null, "complete": true,
            "items": [{
                "version": 2, "operation": "update", "event_type": format!("{}.updated", self.one),
                "event_id": "01a1fda7-d094-7926-a342-fa649dca6271", "at": "2026-11-21T10:29:55.988387Z",
                "actor": {"type": "api_key", "id": "web", "user_id": null},
                "changes": [{"field": "name", "from": "old", "to": "new"}],
            }],
        });
        self.operation(id, format!("What happened to a {}", self.one))
            .says(
                "An entry for each version, the oldest first, with what it changed. Those of a removed one stay. `complete` \
                 is false where the store no longer has the first of the versions asked for; `query` then names the query \
                 that has them.",
            )
            .takes((self.id)())
            .takes(parameter("Limit"))
            .takes(parameter("Next"))
            .replies(200, Reply::json("A page of its versions.", schema("History"), example).with("Link"))
            .refuses(&[404])
    }

    /// Changes some of its fields.
    pub fn update(&self, id: &'static str, patch: &str, example: Value) -> Operation {
        let shape = json!({
            "type": "object",
            "required": ["message", self.one],
            "properties": {"message": {"type": "string"}, (self.one): schema(self.schema)},
        });
        let message = format!("{} updated successfully", self.schema);
        let changed = Reply::json("It is changed.", shape, json!({"message": message, (self.one): (self.example)()}));
        self.change(self.operation(id, format!("Change a {}", self.one)).needs(schema(patch), example), changed)
    }

    /// Removes it.
    pub fn delete(&self, id: &'static str) -> Operation {
        let message = format!("{} deleted successfully", self.schema);
        let removed = Reply::json("It is removed.", schema("Deleted"), json!({"message": message, "id": "…"}));
        let operation = self.operation(id, format!("Remove a {}", self.one)).says("Its history stays.");
        self.change(operation, removed)
    }

    fn change(&self, operation: Operation, changed: Reply) -> Operation {
        operation
            .takes((self.id)())
            .takes(parameter("IfMatch"))
            .replies(200, changed.with("ETag").with("Idempotency-Replayed"))
            .refuses(&[404, 412, 428])
    }
}

/// `components.schemas` that all kinds share.
pub(super) fn schemas() -> Value {
    let operations =
        [event::domain::Operation::Create, event::domain::Operation::Update, event::domain::Operation::Delete];
    json!({
        "Deleted": {
            "type": "object",
            "required": ["message", "id"],
            "properties": {"message": {"type": "string"}, "id": {"type": "string"}},
        },
        "History": {
            "type": "object",
            "required": ["id", "items", "count", "next", "complete"],
            "properties": super::page_of("HistoryEntry", &[
                ("id", json!({"type": "string", "description": "Whose versions they are."})),
                ("complete", json!({"type": "boolean", "description": "Whether the store has the first of the versions asked for."})),
                ("query", json!({"type": "string", "description": "The query that has those that the store has no longer."})),
            ]),
        },
        "HistoryEntry": {
            "type": "object",
            "required": ["version", "operation", "event_type", "event_id", "at", "actor", "changes"],
            "properties": {
                "version": version(),
                "operation": {"type": "string", "enum": operations.map(event::domain::Operation::as_str)},
                "event_type": {"type": "string", "description": "Such as `task.updated`."},
                "event_id": {"type": "string", "format": "uuid"},
                "at": {"type": "string", "format": "date-time", "pattern": Timestamp::PATTERN},
                "actor": schema("Actor"),
                "changes": {
                    "type": ["array", "null"],
                    "items": schema("FieldChange"),
                    "description": "Null where the store no longer has the version before.",
                },
            },
        },
        "Actor": {
            "type": "object",
            "required": ["type", "id", "user_id"],
            "properties": {
                "type": {"type": "string", "description": "`anonymous`, or the kind of credential."},
                "id": {"type": ["string", "null"], "description": "The principal's id."},
                "user_id": {"type": ["string", "null"], "description": "Whom the request says it speaks for."},
            },
        },
        "FieldChange": {
            "type": "object",
            "required": ["field", "from", "to"],
            "properties": {
                "field": {"type": "string"},
                "from": {"description": "What was there; null where the field was not."},
                "to": {"description": "What is there now; null where the field is no more."},
            },
        },
    })
}

/// A version of an entity.
pub(super) fn version() -> Value {
    json!({"type": "integer", "format": "int64", "minimum": 1, "description": "From 1, one more with each change."})
}

/// A time in an entity.
pub(super) fn seconds(description: &str) -> Value {
    let description = format!("{description}, in seconds since 1970-01-01 UTC.");
    json!({"type": "integer", "format": "int64", "description": description})
}
