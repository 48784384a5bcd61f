//! `daybook query` and `daybook verify`: forms of their answers, refusals, hostile text.

use serde_json::Value;

use super::Used;
use crate::support::{Place, Server, daybook};

#[test]
fn every_form_can_be_parsed() {
    let used = Used::new();
    let data = used.place.data();
    let query = |format: &str| daybook(&data, &["query", "traffic", "--format", format]);

    let json = query("json").json();
    assert_eq!(json["rows"][0]["requests"], 7);
    let lines: Vec<Value> = query("ndjson").done().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(lines), json["rows"]);
    let csv = query("csv").done();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((lines[0][0], lines[0][1], lines[1][1]), ("hour_start", "requests", "7"), "{csv}");
    let table = query("table").done();
    assert!(table.contains("requests") && table.contains("1 row"), "{table}");
    assert!(table.trim_end().ends_with(" ms") && table.contains(" read in "), "what it took: {table}");
    assert!(json["bytes_read"].is_u64() && json["elapsed_ms"].as_f64().unwrap() > 0.0, "{json}");

    for command in ["verify", "compact", "lake"] {
        for format in ["json", "ndjson"] {
            let out = daybook(&data, &[command, "--format", format]).done();
            for line in if format == "json" { vec![out.as_str()] } else { out.lines().collect() } {
                serde_json::from_str::<Value>(line)
                    .unwrap_or_else(|error| panic!("{command} {format}: {error} in {line}"));
            }
        }
        let csv = daybook(&data, &[command, "--format", "csv"]).done();
        assert!(!csv.starts_with('{') && csv.lines().count() > 1, "{command}: {csv}");
    }
    let json = |args: &[&str]| daybook(&data, args).json()["rows"].clone();
    assert_eq!(json(&["query", "traffic", "--json"]), json(&["query", "traffic", "--format", "json"]), "an alias");
    assert!(daybook(&data, &["verify"]).done().ends_with("Everything holds.\n"));
    assert_eq!(daybook(&data, &["compact"]).done(), "Nothing is pending.\n");
}

#[test]
fn queries_are_listed() {
    let place = Place::new();
    let table = daybook(&place.data(), &["query", "--list"]).done();
    let json = daybook(&place.data(), &["query", "--list", "--format", "json"]).json();
    let count = json["items"].as_array().unwrap().len();
    assert!(count >= 24 && json["count"] == count, "{json}");
    for item in json["items"].as_array().unwrap() {
        assert!(table.contains(item["name"].as_str().unwrap()), "{table}");
    }
    let lines = daybook(&place.data(), &["query", "--list", "--format", "ndjson"]).done();
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["name"].is_string()), "{lines}");
    let csv = daybook(&place.data(), &["query", "--list", "--format", "csv"]).done();
    assert_eq!((csv.lines().next(), csv.lines().count()), (Some("name,question,grain,params"), count + 1), "{csv}");
    assert!(table.contains("entity_id* "), "a required parameter is marked: {table}");
    assert!(!place.data().exists());
}

#[test]
fn a_wrong_question_is_refused_with_a_hint() {
    let used = Used::new();
    let check = |args: &[&str], reason: &str| daybook(&used.place.data(), &[&["query"], args].concat()).refuses(reason);
    check(&["nonsense"], "`daybook query --list` shows them all");
    check(&["traffic", "--param", "from"], "must be NAME=VALUE");
    check(&["traffic", "--param", "from=whenever"], "from");
    check(&["traffic", "--param", "nonsense=1"], "nonsense; it takes from, to");
    check(&["nonsense"], "there are traffic, ");
    check(&["entity_history"], "entity_id: it is required: id of the entity");
    check(&["slowest", "--param", "limit=many"], "limit: expected a number from 1 to 10000");
    check(&["slowest", "--param", "limit=1; drop table requests"], "limit");
}

#[test]
fn every_question_answers_on_an_empty_installation() {
    let place = Place::new();
    Server::start(&place.data(), &[]).terminate();
    let list = daybook(&place.data(), &["query", "--list", "--format", "json"]).json();
    for item in list["items"].as_array().unwrap() {
        let name = item["name"].as_str().unwrap();
        let mut args = vec!["query", name, "--format", "json"];
        let params = item["params"].as_array().unwrap().iter();
        let required = params.filter(|param| param["required"] == true).map(|param| param["name"].as_str().unwrap());
        let required: Vec<String> =
            required.map(|name| format!("{name}=019aa0c5-6f8b-7000-8000-000000000000")).collect();
        args.extend(required.iter().flat_map(|param| ["--param", param]));
        assert_eq!(daybook(&place.data(), &args).json()["count"], 0, "{name}");
    }
    daybook(&place.data(), &["verify"]).done();
    daybook(&place.data(), &["compact"]).done();
}

#[test]
fn text_of_strangers_does_not_reach_the_terminal() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let hostile = r#"a\u001b[31mb\r\nc\u202ed\u0007"#;
    let mut client = server.client();
    client.post("/data", &format!(r#"{{"user_id":"{hostile}","message":"{hostile}"}}"#)).expect(201);
    let task = client.post("/tasks", &format!(r#"{{"task":"{hostile}"}}"#)).expect(201).json();
    let id = task["id"].as_str().unwrap();
    server.terminate();
    let data = place.data();
    let commands: &[&[&str]] =
        &[&["query", "submissions_by_user"], &["query", "top_actors"], &["history", "task", id], &["show", "task", id]];
    let mut seen = 0;
    for args in commands {
        let out = daybook(&data, args).done();
        let moving = out.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(moving, None, "{args:?}: {out:?}");
        seen += usize::from(out.contains("[31mb"));
    }
    assert!(seen >= 3, "the text is shown, escaped: {seen}");
}
