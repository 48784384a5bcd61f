//! The document as a page to read: one file, nothing from elsewhere, no script.

mod operation;
mod schema;
mod text;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::text::{Page, escaped, paragraphs, rich};
use crate::http::route::Route;

const STYLE: &str = include_str!("page.css");

/// The page's `Content-Security-Policy`: its own style by hash, and nothing else, from nowhere.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The page of a document.
pub fn page(document: &Value) -> String {
    let mut page = Page::new(document);
    let title = escaped(document["info"]["title"].as_str().unwrap_or_default());
    page.push(&format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}: the HTTP API</title>\n<style>{STYLE}</style></head>\n\
         <body><a class=\"skip\" href=\"#main\">To the text</a><div class=\"page\">\n"
    ));
    navigation(&mut page);
    page.push("<main id=\"main\">");
    head(&mut page);
    for tag in tags(document) {
        let name = tag["name"].as_str().unwrap_or_default();
        page.push(&format!("<section><h2 id=\"{}\">{}</h2>", anchor(name), escaped(name)));
        page.push(&paragraphs(tag["description"].as_str().unwrap_or_default()));
        for (route, description) in of_tag(document, name) {
            operation::article(&mut page, route, description);
        }
        page.push("</section>");
    }
    problems(&mut page);
    headers(&mut page);
    schemas(&mut page);
    page.push("</main></div></body></html>\n");
    page.into_html()
}

fn tags(document: &Value) -> impl Iterator<Item = &Value> {
    document["tags"].as_array().into_iter().flatten()
}

/// The operations of a chapter, in the order of the routes.
fn of_tag<'a>(document: &'a Value, tag: &'a str) -> impl Iterator<Item = (Route, &'a Value)> {
    let description = |route: &Route| {
        let (method, path) = route.parts();
        (*route, &document["paths"][path][method.to_ascii_lowercase()])
    };
    Route::ALL.iter().map(description).filter(move |(_, description)| description["tags"][0] == tag)
}

/// A chapter's name as an address within the page.
fn anchor(name: &str) -> String {
    format!("chapter-{}", name.to_ascii_lowercase().replace(' ', "-"))
}

fn navigation(page: &mut Page<'_>) {
    let document = page.document;
    page.push("<nav aria-label=\"Contents\">");
    for tag in tags(document) {
        let name = tag["name"].as_str().unwrap_or_default();
        page.push(&format!("<strong><a href=\"#{}\">{}</a></strong><ul>", anchor(name), escaped(name)));
        for (route, description) in of_tag(document, name) {
            let (method, _) = route.parts();
            page.push(&format!(
                "<li><a href=\"#{}\">{} {}</a></li>",
                escaped(description["operationId"].as_str().unwrap_or_default()),
                text::method(method),
                escaped(description["summary"].as_str().unwrap_or_default()),
            ));
        }
        page.push("</ul>");
    }
    for (id, name) in [("problems", "Problems"), ("headers", "Headers"), ("schemas", "Schemas")] {
        page.push(&format!("<strong><a href=\"#{id}\">{name}</a></strong>"));
    }
    page.push("</nav>\n");
}

fn head(page: &mut Page<'_>) {
    let document = page.document;
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    page.push(&format!("<h1>{} <small>{}</small></h1>", escaped(text("/info/title")), escaped(text("/info/version"))));
    page.push(&paragraphs(text("/info/description")));
    page.push(&format!(
        "<p>Everything lies under <code>{}</code>. Programs read the same as <a href=\"openapi.json\">OpenAPI {}</a>.</p>",
        escaped(text("/servers/0/url")),
        escaped(text("/openapi")),
    ));
    page.push("<h4 id=\"credentials\">Who is asking</h4><table>");
    for scheme in document["components"]["securitySchemes"].as_object().into_iter().flat_map(|schemes| schemes.values())
    {
        let name =
            scheme["name"].as_str().map_or_else(|| "Authorization: Bearer …".to_owned(), |name| format!("{name}: …"));
        let description = scheme["description"].as_str().unwrap_or_default();
        page.push(&format!("<tr><th><code>{}</code></th><td>{}</td></tr>", escaped(&name), rich(description)));
    }
    page.push("</table>");
}

fn problems(page: &mut Page<'_>) {
    page.push("<section><h2 id=\"problems\">Problems</h2>");
    page.push("<p>Every refusal is <code>application/problem+json</code>:</p>");
    let document = page.document;
    let example = &document["components"]["responses"]["Problem400"]["content"]["application/problem+json"]["examples"];
    page.json(&example["invalid-request"]["value"]);
    page.push("<table>");
    for (name, problem) in document["components"]["responses"].as_object().into_iter().flatten() {
        let status = name.trim_start_matches("Problem");
        let description = rich(problem["description"].as_str().unwrap_or_default());
        page.push(&format!("<tr id=\"{}\"><th>{}</th><td>{description}</td></tr>", escaped(name), escaped(status)));
    }
    page.push("</table></section>");
}

fn headers(page: &mut Page<'_>) {
    page.push("<section><h2 id=\"headers\">Headers of answers</h2><table>");
    for (name, header) in page.document["components"]["headers"].as_object().into_iter().flatten() {
        if !name.starts_with("Current-") {
            let description = rich(header["description"].as_str().unwrap_or_default());
            page.push(&format!("<tr><th><code>{}</code></th><td>{description}</td></tr>", escaped(name)));
        }
    }
    page.push("</table></section>");
}

fn schemas(page: &mut Page<'_>) {
    page.push("<section><h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in page.document["components"]["schemas"].as_object().into_iter().flatten() {
        let name = escaped(name);
        page.push(&format!("<article id=\"schema-{name}\"><h3><a href=\"#schema-{name}\">{name}</a></h3>"));
        page.push(&paragraphs(schema["description"].as_str().unwrap_or_default()));
        schema::whole(page, schema);
        page.push("</article>");
    }
    page.push("</section>");
}
