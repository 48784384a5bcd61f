//! The API's description of itself: OpenAPI 3.1, made of the constants that requests are checked by.
//!
//! Each route has its description in `describe`; one without does not compile. A new kind of thing gets a module like
//! `tasks`, its operations in `describe` and its schemas in `SCHEMAS`; what its routes have in common with all others,
//! such as problems and `Idempotency-Key`, is added to them.

mod assets;
mod data;
mod entity;
mod operation;
pub mod page;
mod queries;
mod random;
mod responses;
mod service;
mod tasks;
mod users;

use operation::Operation;
use serde_json::{Map, Value, json};

use crate::http::query::{PAGE_DEFAULT, PAGE_MAX};
use crate::http::route::{Route, UUID_PATTERN};
use crate::http::{conditional, idempotency, limits};

/// Chapters in the order that a reader wants them.
const TAGS: &[(&str, &str)] = &[
    ("Submissions", "What somebody said, kept as it came. A submission is its event."),
    ("Tasks", "Something to be done, with a status and a priority. Every version is kept."),
    ("Users", "Somebody with an e-mail address, under an id that the client chose. Every version is kept."),
    ("Assets", "A file that the client uploads by itself, by a URL of its own. Every version is kept."),
    ("Random values", "Values of ten types that a seed decides."),
    ("Queries", "Questions to the log, by name."),
    ("Service", "What the service says of itself. Needs no key."),
];

/// Schemas, each kind's own.
const SCHEMAS: &[fn() -> Value] = &[
    problem,
    entity::schemas,
    data::schemas,
    tasks::schemas,
    users::schemas,
    assets::schemas,
    random::schemas,
    queries::schemas,
    service::schemas,
];

/// None for what a URL in an answer leads to.
fn describe(route: Route) -> Option<Operation> {
    Some(match route {
        Route::SubmitData => data::submit(),
        Route::ListData => data::list(),
        Route::GetData => data::get(),
        Route::CreateTask => tasks::create(),
        Route::ListTasks => tasks::list(),
        Route::GetTask => tasks::get(),
        Route::TaskHistory => tasks::history(),
        Route::UpdateTask => tasks::update(),
        Route::DeleteTask => tasks::delete(),
        Route::CreateUser => users::create(),
        Route::ListUsers => users::list(),
        Route::GetUser => users::get(),
        Route::UserHistory => users::history(),
        Route::UpdateUser => users::update(),
        Route::DeleteUser => users::delete(),
        Route::CreateAsset => assets::create(),
        Route::ListAssets => assets::list(),
        Route::GetAsset => assets::get(),
        Route::AssetHistory => assets::history(),
        Route::DownloadAsset => assets::download(),
        Route::DeleteAsset => assets::delete(),
        Route::UploadContent | Route::ReadContent => return None,
        Route::Random => random::values(),
        Route::ListQueries => queries::list(),
        Route::RunQuery => queries::run(),
        Route::Health => service::health(),
        Route::OpenApi => service::openapi(),
        Route::Docs => service::docs(),
    })
}

/// The document of an API whose routes lie under `server`: a path, or nothing.
pub fn document(server: &str) -> Value {
    let tags: Vec<Value> = TAGS.iter().map(|(name, about)| json!({"name": name, "description": about})).collect();
    let mut paths = Map::new();
    for (route, operation) in Route::ALL.iter().filter_map(|route| Some((*route, describe(*route)?))) {
        let (method, template) = route.parts();
        let path = paths.entry(template).or_insert_with(|| json!({}));
        path[method.to_ascii_lowercase()] = operation.into_json(route);
    }
    let mut schemas = Map::new();
    for of_kind in SCHEMAS {
        if let Value::Object(mut own) = of_kind() {
            schemas.append(&mut own);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": info(),
        "servers": [{"url": if server.is_empty() { "/" } else { server }}],
        "security": security().as_object().map(|known| known.keys().map(|name| json!({(name): []})).collect::<Vec<_>>()),
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters(),
            "headers": responses::headers(),
            "responses": responses::components(),
            "securitySchemes": security(),
        },
    })
}

fn info() -> Value {
    let (path, query, headers) = (limits::PATH, limits::QUERY, limits::HEADERS);
    let (body, depth) = (limits::BODY >> 20, limits::JSON_DEPTH);
    let description = format!(
        "An API whose database is its request log. Every request to any path, with any method, becomes one event, refused \
         ones too; the event's id comes back in `Daybook-Event-Id`.\n\n\
         `HEAD` is `GET` without a body; `OPTIONS` says what a path takes. Bodies are JSON in UTF-8, up to {body} MiB and \
         {depth} levels deep; a field that stands twice or that is not known is refused by name, but for those that `/data` \
         keeps. A query parameter stands at most once; those that a route does not know are ignored, but for `/random` and \
         `/queries/{{name}}`, which refuse them. A path may have {path} bytes, a query string {query}, the headers {headers}.\n\n\
         A refusal is `application/problem+json` and names the fields, parameters or headers at fault. `Idempotency-Key` makes \
         a change safe to repeat; `ETag` is the version of what was read, `If-Match` makes a change depend on it."
    );
    json!({
        "title": "Daybook",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "An API whose database is its request log.",
        "description": description,
        "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
    })
}

/// How a request says who is asking; any one of them is enough.
fn security() -> Value {
    json!({
        "apiKey": {
            "type": "apiKey", "in": "header", "name": "x-api-key",
            "description": "`dbk_<id>_<secret>`, from `daybook keys create`. Needed where there are keys; elsewhere everybody may call.",
        },
        "token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "Of the configured issuer, signed with RS256, ES256 or EdDSA.",
        },
    })
}

/// Parameters that several routes have.
fn parameters() -> Value {
    let header = |name: &str, description: &str, pattern: &str, example: &str| {
        json!({
            "name": name, "in": "header", "description": description,
            "schema": {"type": "string", "pattern": pattern}, "example": example,
        })
    };
    json!({
        "Limit": {
            "name": "limit", "in": "query", "description": "Entries of a page.",
            "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT},
        },
        "Next": {
            "name": "next", "in": "query",
            "description": "The `next` of the page before: good for the same list, filters and tenant only.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        },
        "IdempotencyKey": header(
            "Idempotency-Key",
            "Makes the request safe to repeat: the same again is answered with the same, for 24 hours.",
            idempotency::PATTERN,
            "8e03978e-40d5-43dd-bc93-6894a57f9324",
        ),
        "IfMatch": header(
            "If-Match",
            "The version that the change is made for; another one is 412.",
            conditional::PATTERN,
            "\"1\"",
        ),
        "IfNoneMatch": header(
            "If-None-Match",
            "What the client has: the same again is 304.",
            conditional::PATTERN,
            "\"1\"",
        ),
    })
}

/// The schemas of problems.
fn problem() -> Value {
    json!({
        "Problem": {
            "type": "object",
            "description": "RFC 9457.",
            "required": ["type", "title", "status", "detail", "request_id", "message"],
            "properties": {
                "type": {"type": "string", "description": "`urn:daybook:problem:…`: the kind of problem."},
                "title": {"type": "string", "description": "The same for all of its kind."},
                "status": {"type": "integer"},
                "detail": {"type": "string", "description": "What is wrong this time, for people."},
                "instance": {"type": "string", "description": "The path, secrets masked."},
                "request_id": {"type": "string"},
                "errors": {"type": "array", "items": schema("FieldError"), "description": "What is wrong with which field."},
                "message": {"type": "string", "description": "The same as `detail`."},
            },
        },
        "FieldError": {
            "type": "object",
            "required": ["pointer", "code", "detail"],
            "properties": {
                "pointer": {
                    "type": "string",
                    "description": "JSON pointer into the body, empty for all of it; or the name of a parameter or header.",
                },
                "code": {"type": "string", "description": "For programs: `missing`, `unknown`, `duplicate`, `invalid_type`, `invalid_value`, `too_long` …"},
                "detail": {"type": "string", "description": "For people."},
            },
        },
    })
}

/// A reference to a schema.
fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A reference to a parameter.
fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// An id that the server made, in a path.
fn uuid_in_path(example: &str) -> Value {
    json!({
        "name": "id", "in": "path", "required": true,
        "schema": {"type": "string", "format": "uuid", "pattern": UUID_PATTERN}, "example": example,
    })
}

/// The schema of a page.
fn page(of: &str) -> Value {
    json!({"type": "object", "required": ["items", "count", "next"], "properties": page_of(of, &[])})
}

/// The fields of a page, with fields of its own.
fn page_of(of: &str, extra: &[(&str, Value)]) -> Value {
    let mut fields = json!({
        "items": {"type": "array", "maxItems": PAGE_MAX, "items": schema(of)},
        "count": count(),
        "next": {"type": ["string", "null"], "description": "The token of the next page; null on the last one."},
    });
    for (name, schema) in extra {
        fields[*name] = schema.clone();
    }
    fields
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0, "description": "Entries of this answer."})
}
