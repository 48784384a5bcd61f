//! What every request says of itself, as the function behind an API gateway takes it down.

use event::{Event, EventIds, SCHEMA_VERSION, Timestamp, sha256_hex};

use super::client::Client;
use super::random::Random;

const HOST: &str = "api.example.com";

/// What a request asks for.
#[derive(Debug, Default)]
pub struct Request {
    pub method: &'static str,
    pub route: Option<&'static str>,
    pub path: String,
    pub query: Option<String>,
    pub content_type: Option<&'static str>,
    pub body: Option<String>,
    pub idempotency_key: Option<String>,
    /// The version named by `If-Match`.
    pub expects: Option<i64>,
}

impl Request {
    pub fn get(route: &'static str, path: impl Into<String>) -> Self {
        Self { method: "GET", route: Some(route), path: path.into(), ..Self::default() }
    }

    pub fn send(method: &'static str, route: &'static str, path: impl Into<String>, body: String) -> Self {
        let content_type = Some("application/json");
        Self { method, route: Some(route), path: path.into(), content_type, body: Some(body), ..Self::default() }
    }
}

/// The event of a request, all but what came of it.
pub fn received(random: &mut Random, ids: &mut EventIds, client: &Client, at: Timestamp, request: Request) -> Event {
    let trace = random.hex();
    let headers = headers(client, &request, &trace);
    let body = request.body.as_deref();
    Event {
        event_id: ids.next(at, random.bytes()),
        schema_version: SCHEMA_VERSION,
        received_at: at,
        tenant: client.tenant.clone(),
        request_id: random.uuid(),
        trace_id: Some(trace),
        actor_type: client.actor_type.to_owned(),
        actor_id: client.actor.clone(),
        api_key_id: client.actor.clone().filter(|_| client.actor_type == "api_key"),
        user_id: (client.actor_type == "jwt" || request.route == Some("/data") && body.is_some())
            .then(|| client.user.clone()),
        client_ip: Some(client.address.clone()),
        user_agent: Some(client.agent.to_owned()),
        host: Some(HOST.to_owned()),
        protocol: Some(if is_browser(client) { "HTTP/2.0" } else { "HTTP/1.1" }.to_owned()),
        method: request.method.to_owned(),
        route: request.route.map(str::to_owned),
        path: request.path,
        query_string: request.query,
        request_content_type: request.content_type.map(str::to_owned),
        request_headers: Some(headers),
        request_bytes: body.map_or(0, str::len) as i64,
        request_body_encoding: if body.is_some() { "json" } else { "none" }.to_owned(),
        request_body_sha256: body.map(|body| sha256_hex(body.as_bytes())),
        idempotency_outcome: request.idempotency_key.as_ref().map(|_| "first".to_owned()),
        idempotency_key: request.idempotency_key,
        request_body: request.body,
        duration_ms: micros(random) as f64 / 1_000.0,
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "production".to_owned(),
        region: Some("eu-central-1".to_owned()),
        invocation_id: Some(random.uuid()),
        cold_start: Some(random.once_in(2_000)),
        ingest_path: if random.once_in(500) { "fallback" } else { "direct" }.to_owned(),
        ..Event::default()
    }
}

/// The allow-listed headers, in the order of their names.
fn headers(client: &Client, request: &Request, trace: &str) -> String {
    let mut headers: Vec<(&str, String)> = Vec::with_capacity(10);
    if is_browser(client) {
        headers.push(("accept", "application/json, text/plain, */*".to_owned()));
        headers.push(("accept-encoding", "gzip, deflate, br".to_owned()));
        headers.push(("accept-language", client.language.to_owned()));
    } else {
        headers.push(("accept", "*/*".to_owned()));
    }
    headers.extend(request.content_type.map(|kind| ("content-type", kind.to_owned())));
    headers.push(("host", HOST.to_owned()));
    headers.extend(request.idempotency_key.clone().map(|key| ("idempotency-key", key)));
    headers.extend(request.expects.map(|version| ("if-match", format!("\"{version}\""))));
    headers.push(("user-agent", client.agent.to_owned()));
    headers.push(("x-amzn-trace-id", format!("Root=1-{}-{}", &trace[..8], &trace[8..])));
    headers.push(("x-forwarded-for", client.address.clone()));
    let listed: Vec<String> =
        headers.into_iter().map(|(name, value)| format!("\"{name}\":[{}]", serde_json::Value::from(value))).collect();
    format!("{{{}}}", listed.join(","))
}

fn is_browser(client: &Client) -> bool {
    client.agent.starts_with("Mozilla/")
}

/// How long an answer took: a few milliseconds, seldom many.
fn micros(random: &mut Random) -> u64 {
    let usual = 900 + random.below(2_000) + random.below(2_000);
    match random.below(200) {
        0 => usual + random.below(400_000),
        1..=12 => usual + random.below(30_000),
        _ => usual,
    }
}
