//! One operation as a part of the page.

use serde_json::{Map, Value};

use super::super::responses::ALWAYS;
use super::schema;
use super::text::{Page, escaped, method, paragraphs, rich};
use crate::http::route::Route;

/// What a route does, takes and answers.
pub(super) fn article(page: &mut Page<'_>, route: Route, operation: &Value) {
    let (verb, path) = route.parts();
    let text = |name: &str| operation[name].as_str().unwrap_or_default();
    let id = escaped(text("operationId"));
    page.push(&format!("<article id=\"{id}\"><h3>{} <a href=\"#{id}\"><code>{path}</code></a> ", method(verb)));
    page.push(&format!("<span>{}</span></h3>", escaped(text("summary"))));
    page.push(&paragraphs(text("description")));
    parameters(page, operation);
    body(page, operation);
    page.push("<h4>Example</h4>");
    page.json(&curl(page, route, operation).into());
    answers(page, operation);
    page.push("</article>");
}

fn parameters(page: &mut Page<'_>, operation: &Value) {
    let Some(parameters) = operation["parameters"].as_array() else { return };
    page.push("<h4>Parameters</h4><table>");
    for parameter in parameters {
        let parameter = page.resolved(parameter).clone();
        let text = |name: &str| parameter[name].as_str().unwrap_or_default();
        schema::row(
            page,
            text("name"),
            parameter["required"] == true,
            text("in"),
            &parameter["schema"],
            text("description"),
        );
    }
    page.push("</table>");
}

fn body(page: &mut Page<'_>, operation: &Value) {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_null() {
        return;
    }
    let resolved = page.resolved(schema).clone();
    page.push(&format!("<h4>Body: {}</h4>", schema::in_words(schema)));
    schema::whole(page, &resolved);
}

fn answers(page: &mut Page<'_>, operation: &Value) {
    let none = Map::new();
    let answers = operation["responses"].as_object().unwrap_or(&none);
    page.push("<h4>Answers</h4><table>");
    for (status, answer) in answers.iter().filter(|(_, answer)| answer.get("$ref").is_none()) {
        let description = rich(answer["description"].as_str().unwrap_or_default());
        page.push(&format!("<tr><th>{}</th><td>{description}", escaped(status)));
        for (media_type, content) in answer["content"].as_object().unwrap_or(&none) {
            let words = schema::in_words(&content["schema"]);
            page.push(&format!("<p class=\"soft\">{}: {words}</p>", escaped(media_type)));
            page.push("<details><summary>example</summary>");
            page.json(&content["example"]);
            page.push("</details>");
        }
        let own = answer["headers"].as_object().unwrap_or(&none).keys().filter(|name| !ALWAYS.contains(&name.as_str()));
        let own: Vec<String> = own.map(|name| format!("<code>{}</code>", escaped(name))).collect();
        if !own.is_empty() {
            page.push(&format!("<p class=\"soft\">With {}</p>", own.join(" ")));
        }
        page.push("</td></tr>");
    }
    page.push("<tr><th class=\"soft\">Problems</th><td>");
    let problems =
        answers.iter().filter_map(|(status, answer)| Some((status, answer["$ref"].as_str()?.rsplit('/').next()?)));
    let links = problems.map(|(status, name)| format!("<a href=\"#{}\">{}</a>", escaped(name), escaped(status)));
    page.push(&format!("{}</td></tr></table>", links.collect::<Vec<_>>().join(" ")));
}

/// A request on a command line, with the examples of the document.
fn curl(page: &Page<'_>, route: Route, operation: &Value) -> String {
    let (verb, template) = route.parts();
    let (mut path, mut query) = (template.to_owned(), String::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = page.resolved(parameter);
        let (Some(name), Some(example)) = (parameter["name"].as_str(), parameter["example"].as_str()) else { continue };
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), example),
            Some("query") if parameter["required"] == true => query = format!("?{name}={example}"),
            _ => {}
        }
    }
    let key = if route.is_open() { "" } else { " -H \"x-api-key: $KEY\"" };
    let verb = if verb == "GET" { String::new() } else { format!(" -X {verb}") };
    let example = &operation["requestBody"]["content"]["application/json"]["example"];
    let body = if example.is_null() { String::new() } else { format!(" \\\n  --json '{example}'") };
    format!("curl{verb} \"$URL{path}{query}\"{key}{body}")
}
