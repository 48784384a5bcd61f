//! `/tasks`.

use event::domain::fields::NOT_BLANK;
use event::domain::task::{Priority, Status, TASK_MAX};
use serde_json::{Value, json};

use super::entity::{Kind, seconds, version};
use super::operation::Operation;
use super::schema;

const ID: &str = "01a1fda7-ce54-734d-a367-46af3dae0954";

const TASK: Kind = Kind {
    tag: "Tasks",
    one: "task",
    schema: "Task",
    id: || super::uuid_in_path(ID),
    example: || {
        json!({
            "id": ID, "task": "Write the report", "status": "new", "priority": "high",
            "created_at": 1_795_256_995, "updated_at": 1_795_256_995, "version": 1,
        })
    },
};

pub(super) fn create() -> Operation {
    let leads_to = ["getTask", "taskHistory", "updateTask", "deleteTask"];
    Operation::new("createTask", TASK.tag, "Make a task")
        .needs(schema("NewTask"), json!({"task": "Write the report", "priority": "high"}))
        .replies(201, TASK.made("The task is made.", ID, &leads_to))
}

pub(super) fn list() -> Operation {
    let filter = |name: &str, words: &[&str]| {
        json!({
            "name": name, "in": "query", "description": format!("Only tasks of this {name}."),
            "schema": {"type": "string", "enum": words},
        })
    };
    TASK.list("listTasks").takes(filter("status", Status::WORDS)).takes(filter("priority", Priority::WORDS))
}

pub(super) fn get() -> Operation {
    TASK.get("getTask")
}

pub(super) fn history() -> Operation {
    TASK.history("taskHistory")
}

pub(super) fn update() -> Operation {
    TASK.update("updateTask", "TaskPatch", json!({"status": "in_progress"}))
}

pub(super) fn delete() -> Operation {
    TASK.delete("deleteTask")
}

pub(super) fn schemas() -> Value {
    let task = || {
        json!({"type": "string", "minLength": 1, "maxLength": TASK_MAX, "pattern": NOT_BLANK,
        "description": "What is to be done."})
    };
    let status = || json!({"type": "string", "enum": Status::WORDS, "description": "How far it has come."});
    let priority = || json!({"type": "string", "enum": Priority::WORDS, "description": "How much it matters."});
    let with_default = |mut schema: Value, word: &str| {
        schema["default"] = word.into();
        schema
    };
    json!({
        "Task": {
            "type": "object",
            "required": ["id", "task", "status", "priority", "created_at", "updated_at", "version"],
            "properties": {
                "id": {"type": "string", "format": "uuid", "description": "Made by the server."},
                "task": task(), "status": status(), "priority": priority(),
                "created_at": seconds("When it was made"),
                "updated_at": seconds("When it was last changed"),
                "version": version(),
            },
        },
        "TaskPage": super::page("Task"),
        "NewTask": {
            "type": "object",
            "required": ["task"],
            "properties": {
                "task": task(),
                "status": with_default(status(), Status::New.as_str()),
                "priority": with_default(priority(), Priority::Medium.as_str()),
            },
            "additionalProperties": false,
        },
        "TaskPatch": {
            "type": "object",
            "minProperties": 1,
            "properties": {"task": task(), "status": status(), "priority": priority()},
            "additionalProperties": false,
        },
    })
}
