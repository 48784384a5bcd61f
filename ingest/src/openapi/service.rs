//! What the service says of itself.

use serde_json::{Value, json};

use super::operation::{Operation, Reply};
use super::{parameter, schema};

const TAG: &str = "Service";

pub(super) fn health() -> Operation {
    let example = json!({"status": "ok", "service": "daybook", "version": env!("CARGO_PKG_VERSION")});
    Operation::new("health", TAG, "Whether the service is there")
        .replies(200, Reply::json("It is.", schema("Health"), example))
}

pub(super) fn openapi() -> Operation {
    Operation::new("openapi", TAG, "This document")
        .takes(parameter("IfNoneMatch"))
        .replies(
            200,
            Reply::json("OpenAPI 3.1.", schema("OpenApi"), json!({"openapi": "3.1.0", "info": {}, "paths": {}}))
                .with("ETag"),
        )
        .replies(304, Reply::empty("The client has it.").with("ETag"))
}

pub(super) fn docs() -> Operation {
    let page =
        Reply::empty("A page without scripts.").or("text/html", json!({"type": "string"}), "<!doctype html>…".into());
    Operation::new("docs", TAG, "This document, for people")
        .takes(parameter("IfNoneMatch"))
        .replies(200, page.with("ETag").with("Content-Security-Policy"))
        .replies(304, Reply::empty("The client has it.").with("ETag"))
}

pub(super) fn schemas() -> Value {
    json!({
        "Health": {
            "type": "object",
            "required": ["status", "service", "version"],
            "properties": {
                "status": {"type": "string", "const": "ok"},
                "service": {"type": "string"},
                "version": {"type": "string"},
                "rates": {
                    "type": "object",
                    "description": "What the rates count, where there are any.",
                    "required": ["requests_refused", "keys", "addresses"],
                    "properties": {
                        "requests_refused": {"type": "integer", "minimum": 0},
                        "keys": {"type": ["integer", "null"], "minimum": 0},
                        "addresses": {"type": ["integer", "null"], "minimum": 0},
                    },
                },
                "server": {"type": "object", "additionalProperties": true, "description": "What the server counts."},
            },
        },
        "OpenApi": {
            "type": "object",
            "required": ["openapi", "info", "paths"],
            "properties": {"openapi": {"type": "string", "pattern": r"^3\.1\."}},
            "additionalProperties": true,
        },
    })
}
