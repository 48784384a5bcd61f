//! `/queries`.

use serde_json::{Value, json};

use super::operation::{Operation, Reply};
use super::schema;

const TAG: &str = "Queries";

pub(super) fn list() -> Operation {
    let parameter =
        json!({"name": "from", "type": "timestamp", "required": false, "meaning": "first moment that counts"});
    let example = json!({"count": 1, "items": [{
        "name": "traffic", "question": "How much traffic was there?", "grain": "one row per hour", "params": [parameter],
    }]});
    Operation::new("listQueries", TAG, "The questions that can be asked")
        .says("404 where the service answers none.")
        .replies(200, Reply::json("Every query with its parameters.", schema("QueryList"), example))
        .refuses(&[404])
}

pub(super) fn run() -> Operation {
    let name = json!({
        "name": "name", "in": "path", "required": true, "description": "A name of `GET /queries`.",
        "schema": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}, "example": "traffic",
    });
    let format = json!({
        "name": "format", "in": "query", "description": "The form of the answer; unless given, `Accept` decides.",
        "schema": {"type": "string", "enum": ["json", "csv", "ndjson"]},
    });
    let run = json!({
        "name": "run", "in": "query",
        "description": "A run of this query, as the `Location` of a 202 names it; goes with `format` only.",
        "schema": {"type": "string"},
    });
    let parameters = json!({
        "name": "parameters", "in": "query", "style": "form", "explode": true,
        "description": "The query's own parameters, each by its name; others are refused.",
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    });
    let example = json!({
        "query": "traffic", "count": 1, "truncated": false, "bytes_read": 0, "elapsed_ms": 11.2,
        "columns": [{"name": "hour_start", "type": "timestamp"}, {"name": "requests", "type": "bigint"}],
        "rows": [{"hour_start": "2026-11-21T10:00:00.000000Z", "requests": 13}],
    });
    let running = json!({"query": "traffic", "status": "running"});
    let csv = "hour_start,requests\n2026-11-21T10:00:00.000000Z,13\n";
    let lines = "{\"hour_start\":\"2026-11-21T10:00:00.000000Z\",\"requests\":13}\n";
    let reply = Reply::json("The rows.", schema("QueryAnswer"), example)
        .or("text/csv", json!({"type": "string"}), csv.into())
        .or("application/x-ndjson", json!({"type": "string"}), lines.into());
    Operation::new("runQuery", TAG, "Ask one")
        .says("Answers see the caller's tenant only: on one machine what the relay has written, on AWS what is compacted. An answer ends after 10,000 rows (`truncated`). A query ends after 30 seconds (504); on AWS after 5 minutes, but after 5 seconds the answer is 202, and its `Location` can be asked, by the same tenant, until the answer is there, and as often as wanted from then on.")
        .takes(name)
        .takes(format)
        .takes(run)
        .takes(parameters)
        .replies(202, Reply::json("The query runs on; ask at `Location` again.", schema("RunningQuery"), running).with("Location").with("Retry-After"))
        .replies(200, reply.with("Daybook-Bytes-Read").with("Daybook-Elapsed-Ms"))
        .refuses(&[404])
}

pub(super) fn schemas() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "QueryList": {
            "type": "object",
            "required": ["count", "items"],
            "properties": {"count": super::count(), "items": {"type": "array", "items": schema("Query")}},
        },
        "Query": {
            "type": "object",
            "required": ["name", "question", "grain", "params"],
            "properties": {
                "name": text(), "question": text(),
                "grain": {"type": "string", "description": "What a row stands for."},
                "params": {"type": "array", "items": schema("QueryParameter")},
            },
        },
        "QueryParameter": {
            "type": "object",
            "required": ["name", "type", "required", "meaning"],
            "properties": {
                "name": text(),
                "type": {"type": "string", "enum": ["timestamp", "string", "bigint", "limit"]},
                "required": {"type": "boolean"},
                "meaning": text(),
            },
        },
        "QueryAnswer": {
            "type": "object",
            "required": ["query", "columns", "rows", "count", "truncated", "bytes_read", "elapsed_ms"],
            "properties": {
                "query": text(),
                "columns": {"type": "array", "items": schema("QueryColumn")},
                "rows": {"type": "array", "items": {"type": "object", "additionalProperties": true}},
                "count": super::count(),
                "truncated": {"type": "boolean", "description": "Whether there were more rows than an answer has."},
                "bytes_read": {"type": "integer", "minimum": 0, "description": "Bytes of stored files."},
                "elapsed_ms": {"type": "number", "minimum": 0},
                "cost_usd": {"type": "number", "minimum": 0, "description": "Where the engine charges."},
            },
        },
        "RunningQuery": {
            "type": "object",
            "required": ["query", "status"],
            "properties": {"query": text(), "status": {"type": "string", "enum": ["running"]}},
        },
        "QueryColumn": {"type": "object", "required": ["name", "type"], "properties": {"name": text(), "type": text()}},
    })
}
