//! Values against the document's schemas, stricter than JSON Schema is: a field that is not told of is wrong unless the
//! schema says that there may be others, and a keyword that is not known here is an error of the schema.

use serde_json::{Map, Value};

use crate::contract::resolved;

/// All that is wrong with a value.
pub fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    check(schema, value, "", &mut errors);
    if let Value::Object(fields) = value {
        let known = fields_of(schema);
        errors.extend(
            fields
                .keys()
                .filter(|name| !known.as_ref().is_none_or(|known| known.contains(name)))
                .map(|name| format!("/{name} is not told of")),
        );
    }
    errors
}

/// The fields that a schema tells of; none if there may be any.
fn fields_of(schema: &Value) -> Option<Vec<&String>> {
    let schema = resolved(schema);
    if schema["additionalProperties"] == true || schema["additionalProperties"].is_object() {
        return None;
    }
    let mut known: Vec<&String> = schema["properties"].as_object().into_iter().flat_map(Map::keys).collect();
    for part in ["allOf", "anyOf"].iter().flat_map(|name| schema[name].as_array().into_iter().flatten()) {
        known.extend(fields_of(part)?);
    }
    Some(known)
}

fn check(schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
    let schema = resolved(schema);
    for (keyword, expect) in schema.as_object().unwrap() {
        if !holds(keyword, expect, value) {
            errors.push(format!("{at} is not {keyword} {expect}: {value:.200}"));
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(part, value, at, errors);
    }
    match value {
        Value::Object(fields) => {
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(value) = fields.get(name) {
                    check_whole(schema, value, &format!("{at}/{name}"), errors);
                }
            }
        }
        Value::Array(items) if schema.get("items").is_some() => {
            for (index, item) in items.iter().enumerate() {
                check_whole(&schema["items"], item, &format!("{at}/{index}"), errors);
            }
        }
        _ => {}
    }
}

/// A value within another one.
fn check_whole(schema: &Value, value: &Value, at: &str, all: &mut Vec<String>) {
    all.extend(errors(schema, value).into_iter().map(|error| format!("{at}{error}")));
}

fn holds(keyword: &str, expect: &Value, value: &Value) -> bool {
    let length = || value.as_str().map(|text| text.chars().count() as u64);
    let least = |found: Option<u64>| found.is_none_or(|found| found >= expect.as_u64().unwrap());
    let most = |found: Option<u64>| found.is_none_or(|found| found <= expect.as_u64().unwrap());
    let items = || value.as_array().map(|items| items.len() as u64);
    match keyword {
        "type" => match expect {
            Value::Array(types) => types.iter().any(|one| is(one, value)),
            one => is(one, value),
        },
        "const" => value == expect,
        "enum" => expect.as_array().unwrap().contains(value),
        "required" => value.as_object().is_none_or(|fields| {
            expect.as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
        }),
        "minProperties" => least(value.as_object().map(|fields| fields.len() as u64)),
        "minLength" => least(length()),
        "maxLength" => most(length()),
        "minItems" => least(items()),
        "maxItems" => most(items()),
        "minimum" => value.as_f64().is_none_or(|number| number >= expect.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= expect.as_f64().unwrap()),
        "pattern" => {
            let pattern = regex::Regex::new(expect.as_str().unwrap()).unwrap();
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "anyOf" => expect.as_array().unwrap().iter().any(|schema| errors(schema, value).is_empty()),
        // Looked at elsewhere, or for people.
        "allOf" | "properties" | "items" | "additionalProperties" | "format" | "description" | "default" => true,
        other => panic!("{other} is not known here"),
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    }
}
