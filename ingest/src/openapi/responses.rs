//! What answers have in common: headers, and the problems of every status.

use serde_json::{Map, Value, json};

use crate::http::problem::ProblemKind;
use crate::http::route::Route;
use crate::http::{Answer, Problem};

/// Headers of every answer that has its event.
pub(super) const ALWAYS: [&str; 6] =
    ["X-Request-Id", "Daybook-Event-Id", "Server-Timing", "Cache-Control", "RateLimit", "RateLimit-Policy"];

/// What a gateway before the service answers by itself.
const GATEWAY: &[ProblemKind] = &[
    ProblemKind {
        status: 403,
        slug: "forbidden",
        title: "Forbidden",
        when: "403: the credential is good but not for this; from a gateway, a rule refused the request.",
    },
    ProblemKind {
        status: 504,
        slug: "outcome-unknown",
        title: "Outcome unknown",
        when: "504: a gateway waited no longer for the answer.",
    },
];

/// Statuses of the problems that a route may answer with whatever it does.
pub(super) fn common(route: Route) -> impl Iterator<Item = u16> {
    let always = [400, 405, 406, 408, 413, 414, 429, 431, 500, 503, 504];
    let closed = (!route.is_open()).then_some([401, 403]);
    let json = route.takes_json().then_some(415);
    let keyed = route.changes().then_some([409, 422]);
    always.into_iter().chain(closed.into_iter().flatten()).chain(json).chain(keyed.into_iter().flatten())
}

/// What only the URLs of contents answer, which the document does not describe.
const OF_CONTENTS: [&str; 2] = ["url-not-valid", "range-not-satisfiable"];

/// Every kind of problem that a described route may answer with.
pub(super) fn kinds() -> impl Iterator<Item = ProblemKind> {
    let own =
        |kind: &ProblemKind| Problem::KINDS.iter().any(|known| (known.status, known.slug) == (kind.status, kind.slug));
    let own_kinds = Problem::KINDS.iter().copied().filter(|kind| !OF_CONTENTS.contains(&kind.slug));
    own_kinds.chain(GATEWAY.iter().copied().filter(move |kind| !own(kind)))
}

/// `components.responses`: one for each status that problems have.
pub(super) fn components() -> Map<String, Value> {
    let mut statuses: Vec<u16> = kinds().map(|kind| kind.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses.into_iter().map(|status| (name(status), problems(status))).collect()
}

/// A reference to the problems of a status.
pub(super) fn reference(status: u16) -> Value {
    json!({"$ref": format!("#/components/responses/{}", name(status))})
}

fn name(status: u16) -> String {
    format!("Problem{status}")
}

fn problems(status: u16) -> Value {
    let kinds: Vec<ProblemKind> = kinds().filter(|kind| kind.status == status).collect();
    // What stands before the first colon is the status again.
    let when = |kind: &ProblemKind| {
        kind.when.split_once(": ").map_or(kind.when, |(_, when)| when).trim_end_matches('.').to_owned()
    };
    let description =
        kinds.iter().map(|kind| format!("`{}`: {}.", kind.slug, when(kind))).collect::<Vec<_>>().join(" ");
    let examples: Map<String, Value> =
        kinds.iter().map(|kind| (kind.slug.to_owned(), json!({"value": example(kind)}))).collect();
    let types: Vec<String> = kinds.iter().map(|kind| format!("urn:daybook:problem:{}", kind.slug)).collect();
    let schema = json!({
        "allOf": [super::schema("Problem")],
        "properties": {"status": {"const": status}, "type": {"enum": types}},
    });
    // A gateway's own problems, and those of a request that could not be recorded, name no event.
    let mut headers = vec!["X-Request-Id", "Cache-Control", "RateLimit", "RateLimit-Policy"];
    match status {
        401 => headers.push("WWW-Authenticate"),
        403 => headers.push("May-WWW-Authenticate"),
        405 => headers.push("Allow"),
        409 | 429 | 503 => headers.push("Retry-After"),
        412 => headers.push("Current-ETag"),
        _ => {}
    }
    json!({
        "description": description,
        "headers": header_references(&headers),
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    })
}

/// A problem of a kind, as the code writes it.
fn example(kind: &ProblemKind) -> Value {
    let id = "01a1fda7-d2c1-7a0a-9fb4-3b1a7a41b95c";
    let problem = match kind.slug {
        "invalid-request" => {
            Problem::parameter("limit", "invalid_value", "limit must be a whole number from 1 to 100.")
        }
        _ => Problem {
            status: kind.status,
            slug: kind.slug,
            title: kind.title,
            detail: format!("{}.", kind.title),
            errors: Vec::new(),
            headers: Vec::new(),
        },
    };
    let Answer { body, .. } = problem.to_answer(id, "/tasks");
    serde_json::from_slice(&body).unwrap_or_default()
}

/// References to headers by name; one that stands for another header under a name of its own is given the header's.
pub(super) fn header_references(names: &[&str]) -> Map<String, Value> {
    let reference = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    let own = |name: &str| name.trim_start_matches("Current-").trim_start_matches("May-").to_owned();
    names.iter().map(|name| (own(name), reference(name))).collect()
}

/// `components.headers`.
pub(super) fn headers() -> Value {
    let header = |description: &str, required: bool, schema: Value| json!({"description": description, "required": required, "schema": schema});
    let text = || json!({"type": "string"});
    let tag = || json!({"type": "string", "pattern": "^\"[^\"]+\"$"});
    let number = || json!({"type": "integer", "minimum": 0});
    json!({
        "X-Request-Id": header("The request's id: a gateway's, or else that of its event.", true, text()),
        "Daybook-Event-Id": header("The event that records this request.", true, json!({"type": "string", "format": "uuid"})),
        "Server-Timing": header("`log;dur=`: how long the log took, in milliseconds.", true,
            json!({"type": "string", "pattern": r"^log;dur=[0-9]+\.[0-9]{3}$"})),
        "Cache-Control": header("`no-store`, unless the setting `client-caching` allows more.", true, text()),
        "ETag": header("The version, or what else changes with the content.", true, tag()),
        "Current-ETag": header("The version that is there.", true, tag()),
        "Location": header("Where it is to be found.", true, json!({"type": "string", "format": "uri-reference"})),
        "Link": header("`rel=\"next\"`: the next page, if there is one.", false, text()),
        "Allow": header("Methods that the path takes.", true, text()),
        "Retry-After": header("Seconds after which to try again.", false, number()),
        "WWW-Authenticate": header("How to say who is asking.", true, text()),
        "May-WWW-Authenticate": header("What a credential must have.", false, text()),
        "RateLimit": header("What is left of each rate, where there are rates.", false, text()),
        "RateLimit-Policy": header("The rates, where there are any.", false, text()),
        "Idempotency-Replayed": header("`true`: the answer is the one that an earlier request with the same key was given.", false,
            json!({"type": "string", "const": "true"})),
        "Daybook-Seed": header("The seed that decided the values.", true, number()),
        "Daybook-Bytes-Read": header("Bytes of stored files that were read for the answer.", true, number()),
        "Daybook-Elapsed-Ms": header("Milliseconds that the query took.", true, json!({"type": "number", "minimum": 0})),
        "Content-Security-Policy": header("What the page may load: nothing.", true, text()),
    })
}
