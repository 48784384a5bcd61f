//! How little a question about one day of a month reads, by the engine's own count.

use std::fs;
use std::io::Write;
use std::path::Path;

use event::{Event, EventIds, Timestamp, key, sha256_hex};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Place, daybook};

const DAYS: i64 = 30;
const DAILY: i64 = 4_000;
const DAY: i64 = 86_400_000_000;
/// At most so much of the raw JSON's size may be read of files.
const SHARE: u64 = 100;

/// A number that looks like chance and is always the same.
fn noise(seed: i64) -> String {
    sha256_hex(&seed.to_le_bytes())
}

/// A task's change, a submission or a read, with bodies and ids that do not compress well.
fn event(ids: &mut EventIds, number: i64, at: Timestamp) -> Event {
    let random = noise(number);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&random.as_bytes()[..16]);
    let body = format!(
        r#"{{"message":"{random} {} {}","user_id":"user-{}"}}"#,
        noise(-number),
        noise(number ^ 7),
        number % 97
    );
    let task = number % 3 == 0;
    let mut event = Event {
        event_id: ids.next(at, bytes),
        event_type: ["task.created", "data.submitted", "request.read"][(number % 3) as usize].to_owned(),
        schema_version: 1,
        received_at: at,
        tenant: "default".to_owned(),
        request_id: random[..32].to_owned(),
        trace_id: Some(random[32..].to_owned()),
        actor_type: "anonymous".to_owned(),
        user_id: Some(format!("user-{}", number % 97)),
        client_ip: Some(format!("192.0.2.{}", number % 250)),
        user_agent: Some("curl/8.16.0".to_owned()),
        method: if number % 3 == 2 { "GET" } else { "POST" }.to_owned(),
        route: Some("/tasks".to_owned()),
        path: "/tasks".to_owned(),
        request_headers: Some(format!(r#"{{"accept":["*/*"],"x-amzn-trace-id":["Root={random}"]}}"#)),
        request_bytes: body.len() as i64,
        request_body_sha256: Some(sha256_hex(body.as_bytes())),
        request_body: Some(body),
        request_body_encoding: "json".to_owned(),
        status: [200, 201, 404, 500][(number % 17 / 5) as usize],
        duration_ms: (number * 7_919 % 1_000) as f64 / 8.0,
        entity_type: Some(if task { "task" } else { "data" }.to_owned()),
        entity_id: Some(noise(number / 9)[..32].to_owned()),
        entity_version: Some(1),
        operation: Some(["create", "create", "read"][(number % 3) as usize].to_owned()),
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "test".to_owned(),
        invocation_id: Some(noise(number ^ 99)[..32].to_owned()),
        ingest_path: "direct".to_owned(),
        ..Event::default()
    };
    if task {
        event.event_data = Some(r#"{"task":"t","status":"new","priority":"low"}"#.to_owned());
        event.state_after = Some(format!(r#"{{"id":"{random}","status":"new","priority":"low","created_at":1}}"#));
        event.state_hash = Some(noise(number ^ 3));
    }
    event.sealed()
}

/// Writes a month of raw objects; gives the size of their text and the last day's first event.
fn month(data: &Path, first: Timestamp) -> (u64, Event) {
    let (mut ids, mut text_bytes, mut of_last_day) = (EventIds::default(), 0, None);
    for day in 0..DAYS {
        let start = first.micros() + day * DAY;
        let mut object = GzEncoder::new(Vec::new(), Compression::fast());
        for index in 0..DAILY {
            let event = event(&mut ids, day * DAILY + index + 1, Timestamp::from_micros(start + index * (DAY / DAILY)));
            let line = event.to_line();
            text_bytes += line.len() as u64 + 1;
            object.write_all(&line).unwrap();
            object.write_all(b"\n").unwrap();
            if day == DAYS - 1 && event.event_type == "task.created" {
                of_last_day.get_or_insert(event);
            }
        }
        let path = data.join(key::raw(Timestamp::from_micros(start), &format!("day-{day:02}")));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, object.finish().unwrap()).unwrap();
    }
    (text_bytes, of_last_day.unwrap())
}

#[test]
fn a_day_of_thirty_is_answered_from_a_hundredth_of_the_raw_json() {
    let place = Place::new();
    let data = place.data();
    let (text_bytes, known) = month(&data, Timestamp::parse("2026-06-01T00:00:00Z").unwrap());
    daybook(&data, &["compact"]).done();
    let id = known.entity_id.unwrap();
    let wanted = [
        ("from", "2026-06-30"),
        ("to", "2026-07-01"),
        ("as_of", "2026-07-01"),
        ("entity_id", &id),
        ("request_id", &known.request_id),
        ("trace_id", known.trace_id.as_deref().unwrap()),
        ("user_id", known.user_id.as_deref().unwrap()),
    ];
    let list = daybook(&data, &["query", "--list", "--json"]).json();
    let (mut most, mut answered) = ((0, String::new()), 0);
    for item in list["items"].as_array().unwrap() {
        let name = item["name"].as_str().unwrap();
        let mut args = vec!["query".to_owned(), name.to_owned(), "--json".to_owned()];
        for param in item["params"].as_array().unwrap() {
            let given = wanted.iter().find(|(known, _)| param["name"] == *known);
            args.extend(given.into_iter().flat_map(|(name, text)| ["--param".to_owned(), format!("{name}={text}")]));
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let answer = daybook(&data, &args).json();
        let read = answer["bytes_read"].as_u64().unwrap();
        assert!(read * SHARE <= text_bytes, "{name} read {read} bytes of files for a day of {text_bytes} bytes in all");
        assert!(read > 0, "{name}");
        answered += usize::from(answer["count"] != 0);
        most = most.max((read, name.to_owned()));
    }
    assert!(answered > 20, "{answered} questions have rows");
    eprintln!("{} read most: {} bytes, 1/{} of the raw JSON", most.1, most.0, text_bytes / most.0);
}
