//! The document that the API gives of itself, and what every answer of every test is held to by it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use event::Event;
use ingest::http::Response;
use ingest::http::auth::ApiKey;
use ingest::http::route::Route;
use ingest::{Settings, openapi};
use serde_json::{Map, Value, json};

use crate::rig::{self, Req, with_api};
use crate::schema;

/// The document of an API at the root.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| openapi::document(""));

/// Headers that belong to the connection, to the origin, or to every answer.
const UNSAID: [&str; 5] = ["content-type", "connection", "vary", "x-content-type-options", "referrer-policy"];

/// What a reference refers to; anything else as it is.
pub fn resolved(value: &Value) -> &Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            resolved(DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("{reference} refers to nothing")))
        }
        None => value,
    }
}

/// Every operation: method, path and description.
pub fn operations() -> Vec<(String, &'static str, &'static Value)> {
    let mut operations = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((method.to_ascii_uppercase(), path.as_str(), operation));
        }
    }
    operations
}

/// Whether an answer is one that the document tells of: status, headers, type and content.
///
/// # Panics
/// It is not.
pub fn check(request: &Req, event: &Event, response: &Response) {
    let method = if event.method == "HEAD" { "GET" } else { &event.method };
    let route = event.route.as_deref().unwrap_or_default();
    if route.ends_with("/content") {
        // What a URL in an answer leads to is told of by that answer.
        return;
    }
    let operation = &DOCUMENT["paths"][route][method.to_ascii_lowercase()];
    let status = response.status().to_string();
    let shown = || format!("{request:.300?} answered {status} {:.600}", String::from_utf8_lossy(response.body()));
    let told = if operation.is_null() {
        // No route: what all problems have in common is all there is to tell.
        if response.status() < 400 {
            return;
        }
        &DOCUMENT["components"]["responses"][format!("Problem{status}")]
    } else {
        &operation["responses"][&status]
    };
    let told = resolved(told);
    assert!(!told.is_null(), "{}: the status is not told of", shown());
    check_headers(told, response, &shown);
    if response.status() == 304 {
        assert!(response.body().is_empty(), "{}", shown());
        return;
    }
    let full_type = response.header("content-type").unwrap_or_default();
    let media_type = full_type.split(';').next().unwrap_or_default();
    let content = &told["content"][media_type];
    assert!(!content.is_null(), "{}: {media_type:?} is not told of", shown());
    let body = match media_type.ends_with("json") {
        true => serde_json::from_slice(response.body()).unwrap(),
        false => Value::from(String::from_utf8(response.body().to_vec()).unwrap()),
    };
    let wrong = schema::errors(&content["schema"], &body);
    assert!(wrong.is_empty(), "{}: {wrong:?}", shown());
}

fn check_headers(told: &Value, response: &Response, shown: &dyn Fn() -> String) {
    let none = Map::new();
    let headers = told["headers"].as_object().unwrap_or(&none);
    for (name, header) in headers {
        let header = resolved(header);
        match response.header(&name.to_ascii_lowercase()) {
            None => assert!(header["required"] != true, "{}: {name} is missing", shown()),
            Some(value) => {
                let number = value.parse().ok().filter(|_| header["schema"]["type"] != "string");
                let value = number.map_or_else(|| value.into(), Value::Number);
                assert_eq!(schema::errors(&header["schema"], &value), Vec::<String>::new(), "{}: {name}", shown());
            }
        }
    }
    let problem = response.status() >= 400;
    for (name, _) in response.headers() {
        let told = headers.keys().any(|told| told.eq_ignore_ascii_case(name));
        let common = problem && matches!(*name, "daybook-event-id" | "server-timing");
        let unsaid = common || UNSAID.contains(name) || name.starts_with("access-control-");
        assert!(told || unsaid, "{}: {name} is not told of", shown());
    }
}

/// Held so that a change of the contract is seen where it is made.
#[test]
fn the_snapshot_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let found = serde_json::to_string_pretty(&*DOCUMENT).unwrap() + "\n";
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == found, "{path}: UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn anybody_gets_the_document_of_the_address_it_is_asked_at() {
    let key: ApiKey = format!("k:t:{}", "0".repeat(64)).parse().unwrap();
    let settings = Settings { base_path: "/v1".to_owned(), api_keys: vec![key], ..Settings::default() };
    with_api(&settings, async |rig| {
        rig.expect(401, Req::get("/v1/tasks")).await;
        let found = rig.expect(200, Req::get("/v1/openapi.json")).await;
        assert_eq!(rig::json(&found), openapi::document("/v1"));
        let tag = found.header("etag").unwrap();
        for known in [tag, "*", &format!("\"a\", W/{tag}")] {
            let known = rig.expect(304, Req::get("/v1/openapi.json").h("if-none-match", known)).await;
            assert_eq!((known.header("etag"), known.body().len()), (Some(tag), 0));
        }
        rig.expect(200, Req::get("/v1/openapi.json").h("if-none-match", "\"1\"")).await;
        let mut staged = Req::get("/v1/openapi.json").received();
        staged.mount = "/live".to_owned();
        assert_ne!(rig.api.handle(staged).await.header("etag"), Some(tag));
    });
}

#[test]
fn every_route_is_told_of_in_full() {
    let mut ids = BTreeSet::new();
    for route in Route::ALL.iter().filter(|route| !route.is_local()) {
        let (method, template) = route.parts();
        let operation = &DOCUMENT["paths"][template][method.to_ascii_lowercase()];
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} stands twice");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{id}");
        let tags = DOCUMENT["tags"].as_array().unwrap();
        assert!(tags.iter().any(|tag| tag["name"] == operation["tags"][0]), "{id} is in no chapter");
        assert_eq!(operation["security"] == json!([]), route.is_open(), "{id}");
        assert_eq!(operation["requestBody"].is_object(), route.takes_json(), "{id}");
        let in_path = parameters(operation).filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap());
        let named: Vec<&str> =
            template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(in_path.collect::<Vec<_>>(), named, "{id}");
        let statuses = operation["responses"].as_object().unwrap();
        assert!(statuses.keys().any(|status| status.starts_with('2')), "{id} never succeeds");
        for status in ["400", "405", "406", "413", "414", "431", "500", "503"] {
            assert!(statuses.contains_key(status), "{id}: {status}");
        }
    }
    assert_eq!(ids.len(), operations().len());
}

fn parameters(operation: &Value) -> impl Iterator<Item = &Value> {
    operation["parameters"].as_array().into_iter().flatten().map(resolved)
}

#[test]
fn references_lead_somewhere_and_nothing_is_left_over() {
    let mut found = BTreeSet::new();
    references(&DOCUMENT, &mut found);
    for reference in &found {
        resolved(&json!({"$ref": reference}));
    }
    for (kind, components) in DOCUMENT["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(found.contains(&format!("#/components/{kind}/{name}")), "{kind}/{name} is not used");
        }
    }
    let ids: Vec<&Value> = operations().iter().map(|(_, _, operation)| &operation["operationId"]).collect();
    for (_, _, operation) in operations() {
        for reply in operation["responses"].as_object().unwrap().values() {
            for link in resolved(reply)["links"].as_object().into_iter().flat_map(Map::values) {
                assert!(ids.contains(&&link["operationId"]), "{link}");
            }
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn examples_are_what_their_schemas_say() {
    let mut seen = 0;
    let mut check = |schema: &Value, example: &Value| {
        assert_eq!(schema::errors(schema, example), Vec::<String>::new(), "{example}");
        seen += 1;
    };
    let mut check_content = |content: &Value| {
        for one in content.as_object().into_iter().flat_map(Map::values) {
            let examples = one["examples"].as_object().into_iter().flat_map(Map::values).map(|one| &one["value"]);
            one.get("example").into_iter().chain(examples).for_each(|example| check(&one["schema"], example));
        }
    };
    for (_, _, operation) in operations() {
        check_content(&operation["requestBody"]["content"]);
        for reply in operation["responses"].as_object().unwrap().values() {
            check_content(&resolved(reply)["content"]);
        }
    }
    for (_, _, operation) in operations() {
        for parameter in parameters(operation) {
            parameter.get("example").into_iter().for_each(|example| check(&parameter["schema"], example));
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn what_is_not_told_of_is_found() {
    let check = |schema: Value, value: Value, holds: bool| {
        assert_eq!(schema::errors(&schema, &value).is_empty(), holds, "{schema} {value}");
    };
    let task = json!({"$ref": "#/components/schemas/NewTask"});
    check(task.clone(), json!({"task": "a"}), true);
    for wrong in
        [json!({}), json!({"task": ""}), json!({"task": " "}), json!({"task": 1}), json!({"task": "a", "x": 1})]
    {
        check(task.clone(), wrong, false);
    }
    check(task, json!({"task": "a", "status": "odd"}), false);
    let problem =
        json!({"allOf": [{"$ref": "#/components/schemas/Problem"}], "properties": {"status": {"const": 400}}});
    let mut body = json!({"type": "t", "title": "t", "status": 400, "detail": "d", "request_id": "r", "message": "d"});
    check(problem.clone(), body.clone(), true);
    body["status"] = 401.into();
    check(problem.clone(), body.clone(), false);
    (body["status"], body["odd"]) = (400.into(), 1.into());
    check(problem, body, false);
    check(json!({"type": "integer", "minimum": 1}), json!(0), false);
    check(json!({"type": ["string", "null"]}), Value::Null, true);
    check(json!({"type": "array", "items": {"type": "string"}}), json!(["a", 1]), false);
}
