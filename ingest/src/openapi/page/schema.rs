//! Schemas in words.

use serde_json::{Map, Value};

use super::text::{Page, escaped, number, rich};

/// A schema in full: its fields, if it has any.
pub(super) fn whole(page: &mut Page<'_>, schema: &Value) {
    let Some(fields) = schema["properties"].as_object() else {
        let words = in_words(schema);
        return page.push(&format!("<p>{words}</p>"));
    };
    page.push("<table>");
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name));
    // Needed ones first: those are what a reader looks for.
    let (needed, others): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| required(name));
    for (name, field) in needed.into_iter().chain(others) {
        row(page, name, required(name), "", field, field["description"].as_str().unwrap_or_default());
    }
    page.push("</table>");
    let others = match &schema["additionalProperties"] {
        Value::Bool(true) => "Any other fields are kept.",
        Value::Bool(false) => "Other fields are refused.",
        _ => return,
    };
    page.push(&format!("<p class=\"soft\">{others}</p>"));
}

/// A field or parameter as a row of a table.
pub(super) fn row(page: &mut Page<'_>, name: &str, required: bool, place: &str, schema: &Value, description: &str) {
    let need = if required { " <span class=\"need\">required</span>" } else { "" };
    let place =
        if place.is_empty() { String::new() } else { format!(" <span class=\"soft\">{}</span>", escaped(place)) };
    let head = format!("<tr><th><code>{}</code>{place}{need}</th><td>", escaped(name));
    page.push(&format!("{head}{}<p class=\"soft\">{}</p>", rich(description), in_words(schema)));
    if let Some(pattern) = schema["pattern"].as_str() {
        page.push("<details><summary>pattern</summary>");
        page.json(&pattern.into());
        page.push("</details>");
    }
    page.push("</td></tr>");
}

/// A schema in a few words.
pub(super) fn in_words(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        let name = escaped(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(in_words).collect::<Vec<_>>().join(" or ");
    }
    let mut words = vec![kind(schema)];
    words.extend(range(schema, "minLength", "maxLength", " characters"));
    words.extend(range(schema, "minimum", "maximum", ""));
    words.extend(range(schema, "minItems", "maxItems", " entries"));
    if let Some(least) = schema.get("minProperties") {
        words.push(format!("at least {least} of them"));
    }
    if let Some(default) = schema.get("default") {
        words.push(format!("<code>{}</code> unless said", escaped(&bare(default))));
    }
    words.join(", ")
}

fn kind(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("<code>{}</code>", escaped(&bare(word)))).collect::<Vec<_>>().join(" ");
    }
    if let Some(word) = schema.get("const") {
        return format!("<code>{}</code>", escaped(&bare(word)));
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(bare).collect::<Vec<_>>().join(" or "),
        Value::String(one) => one.clone(),
        _ => "anything".to_owned(),
    };
    let format = schema["format"].as_str().filter(|format| *format != "int64").map(|format| format!(" ({format})"));
    let fields = schema["properties"].as_object().map(|fields| format!(" of {}", names(fields)));
    let items = schema.get("items").map(|items| format!(" of {}", in_words(items)));
    format!("{}{}{}", escaped(&types), escaped(&format.unwrap_or_default()), fields.or(items).unwrap_or_default())
}

fn names(fields: &Map<String, Value>) -> String {
    let field = |(name, schema): (&String, &Value)| format!("<code>{}</code> ({})", escaped(name), in_words(schema));
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn range(schema: &Value, least: &str, most: &str, of: &str) -> Option<String> {
    match (schema.get(least), schema.get(most)) {
        (None, None) => None,
        (Some(least), None) if *least == 1 && !of.is_empty() => Some("not empty".to_owned()),
        (Some(least), None) => Some(format!("from {}{of}", number(least))),
        (None, Some(most)) => Some(format!("up to {}{of}", number(most))),
        (Some(least), Some(most)) => Some(format!("{} to {}{of}", number(least), number(most))),
    }
}

/// A value as it stands in a sentence.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
