//! A fixed set of events, and ways to ask questions about them.

use event::{Event, EventId, Timestamp};
use query::local::{Limits, LocalEngine, Snapshot};
use query::{NamedQuery, QueryEngine, Rows, Scope, named};

use crate::table;

pub const NOW: &str = "2026-11-20T12:00:00Z";
const SECOND: i64 = 1_000_000;

pub fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

pub fn scope() -> Scope {
    Scope::operator(now())
}

/// 96 requests over the two days before [`NOW`], newest last: reads, refusals, failures, submissions, and the changes of
/// four tasks, by several users, keys and addresses of two tenants.
pub fn events() -> Vec<Event> {
    (0..96).map(event).collect()
}

fn event(index: usize) -> Event {
    let micros = now().micros() - 48 * 3_600 * SECOND + index as i64 * 1_799 * SECOND + 123_456;
    let received_at = Timestamp::from_micros(micros);
    let mut event = Event {
        event_id: EventId::from_u128(0x019a_a000_0000_7000_8000_0000_0000_0000 + ((index as u128) << 16)),
        event_type: "request.read".to_owned(),
        schema_version: 1,
        received_at,
        tenant: if index % 8 == 7 { "acme".to_owned() } else { "default".to_owned() },
        request_id: format!("req-{index:04}"),
        actor_type: "api_key".to_owned(),
        actor_id: (index.is_multiple_of(3)).then(|| format!("actor-{}", index % 2)),
        api_key_id: (!index.is_multiple_of(4)).then(|| format!("key-{}", index % 3)),
        user_id: (index % 5 < 2).then(|| format!("user-{}", index % 7)),
        client_ip: (!index.is_multiple_of(11)).then(|| format!("192.0.2.{}", index % 4)),
        user_agent: (!index.is_multiple_of(6)).then(|| format!("Client/{}", index % 9)),
        method: if index.is_multiple_of(2) { "GET" } else { "POST" }.to_owned(),
        route: (index % 10 != 9).then(|| ["/data", "/tasks", "/tasks/{id}"][index % 3].to_owned()),
        path: format!("/tasks/{index}"),
        request_bytes: (index * 37 % 1_009) as i64,
        request_body_encoding: "none".to_owned(),
        status: [200, 200, 304, 404, 200, 422, 200, 503][index % 8],
        duration_ms: ((index * 7_919) % 1_000) as f64 / 8.0,
        response_bytes: (index % 3 != 1).then_some((index * 101 % 4_096) as i64),
        event_hash: "0".repeat(64),
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "test".to_owned(),
        cold_start: (index.is_multiple_of(2)).then_some(index == 0),
        ingest_path: "local".to_owned(),
        ..Event::default()
    };
    if event.status >= 400 {
        event.event_type = "request.rejected".to_owned();
        event.error_type = (index % 16 != 3).then(|| ["Not-Found", "not-found", "invalid"][index % 3].to_owned());
    }
    match index % 6 {
        1 => submit(&mut event, index),
        2 | 4 => change(&mut event, index),
        _ => {}
    }
    event
}

fn submit(event: &mut Event, index: usize) {
    const BODIES: [&str; 9] = [
        r#"{"message":"hello"}"#,
        r#"{"message":"a \"quoted\" caf\u00e9 \ud83d\ude00"}"#,
        r#"{"message":12345678901234567890123}"#,
        r#"{"message":{"nested":true}}"#,
        r#"{"Message":"other case"}"#,
        r#"{"message":null}"#,
        r#"{"message":"cut"#,
        r#"{ "a" : [1, 2], "message" : true }"#,
        r#"=cmd|'/c calc'!A0"#,
    ];
    event.event_type = "data.submitted".to_owned();
    event.status = 201;
    event.error_type = None;
    event.entity_type = Some("data".to_owned());
    event.entity_id = Some(event.event_id.to_string());
    event.entity_version = Some(1);
    event.operation = Some("create".to_owned());
    event.request_body = Some(BODIES[index / 6 % 9].to_owned());
}

/// Task `n` gets its versions in turn; the last one of task 3 deletes it.
fn change(event: &mut Event, index: usize) {
    let turn = index / 2 - index / 6 - 1;
    let (task, version) = (turn % 4, turn / 4 + 1);
    let operation = match version {
        1 => "create",
        8 if task == 3 => "delete",
        _ => "update",
    };
    event.event_type = format!("task.{operation}d");
    event.status = if version == 1 { 201 } else { 200 };
    event.error_type = None;
    event.entity_type = Some("task".to_owned());
    event.entity_id = Some(format!("task-{task}"));
    event.entity_version = Some(version as i64);
    event.operation = Some(operation.to_owned());
    event.event_data = Some(format!(r#"{{"step":{version}}}"#));
    event.state_after = (operation != "delete").then(|| format!(r#"{{"id":"task-{task}","version":{version}}}"#));
    event.state_hash = Some(format!("{index:064x}"));
}

/// Runs a named query with default limits.
pub async fn ask(snapshot: Snapshot, name: &str, given: &[(&str, &str)], scope: &Scope) -> Rows {
    let query = named::find(name).unwrap();
    let params = query.bind(given.iter().copied(), scope).unwrap();
    LocalEngine::new(snapshot, Limits::default()).unwrap().run(query, &params).await.unwrap()
}

/// A query made for a test: `sql` must hold no placeholder but what `params` declares.
pub fn query_of(params: &str, sql: &str) -> NamedQuery {
    let text = format!("-- name: test\n-- question: ?\n-- grain: ?\n-- params:{params}\n\n{sql}\n-- end\n");
    let text = text.replace("\n-- end", "\n");
    named::parse("test.sql", text.leak()).unwrap()
}

/// Evaluates an expression over no table.
pub async fn evaluate(expression: &str) -> query::Result<query::Cell> {
    let query = query_of(" none", &format!("select {expression} as x where :tenant is null"));
    let params = query.bind([], &scope())?;
    let engine = LocalEngine::new(table::snapshot(&[], &[]).await, Limits::default())?;
    let mut rows = engine.run(&query, &params).await?;
    Ok(rows.rows.remove(0).remove(0))
}
