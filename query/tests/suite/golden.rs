//! Every question against its golden answers, which plain loops in Python computed (`tests/golden/make.py`), however the
//! rows are spread over files and tail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use event::Event;
use query::local::{Limits, LocalEngine, Snapshot};
use query::{QueryEngine, Rows, Scope, format, named};
use serde::Deserialize;
use serde_json::Value;

use crate::fixture::now;
use crate::table;

#[derive(Deserialize)]
struct Case {
    parameters: BTreeMap<String, String>,
    tenant: Option<String>,
    rows: Vec<Vec<Value>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn events() -> Vec<Event> {
    let lines = std::fs::read_to_string(folder().join("events.ndjson")).unwrap();
    lines.lines().map(|line| Event::from_line(line.as_bytes()).unwrap()).collect()
}

fn cases(name: &str) -> Vec<Case> {
    let path = folder().join(format!("answers/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// All rows in the tail, in one commit, or in files that overlap and the tail.
async fn arrangements(events: &[Event]) -> Vec<LocalEngine> {
    let parts: Vec<Vec<Event>> = (0..3).map(|part| events.iter().skip(part).step_by(3).cloned().collect()).collect();
    let snapshots: [Snapshot; 3] = [
        table::snapshot(&[], events).await,
        table::snapshot(&[events], &[]).await,
        table::snapshot(&[&parts[2], &parts[0]], &parts[1]).await,
    ];
    snapshots.map(|snapshot| LocalEngine::new(snapshot, Limits::default()).unwrap()).into()
}

/// The rows as their JSON form has them, without the names.
fn values(name: &str, rows: &Rows) -> Vec<Vec<Value>> {
    let document: Value = serde_json::from_slice(&format::json(name, rows).unwrap()).unwrap();
    let row = |row: &Value| rows.columns.iter().map(|column| row[&column.name].clone()).collect();
    document["rows"].as_array().unwrap().iter().map(row).collect()
}

/// Floats may differ in their last digits: the order of a sum is the engine's.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        _ => a == b,
    }
}

#[tokio::test]
async fn every_question_has_its_golden_answers() {
    let arrangements = arrangements(&events()).await;
    for query in named::all() {
        let cases = cases(query.name);
        assert!(!cases.is_empty() && cases.iter().any(|case| !case.rows.is_empty()), "{} is answered", query.name);
        for Case { parameters, tenant, rows } in &cases {
            let scope = Scope { now: now(), tenant: tenant.clone() };
            let given = parameters.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            let params = query.bind(given, &scope).unwrap();
            for (number, engine) in arrangements.iter().enumerate() {
                let what = format!("{} {parameters:?} of {tenant:?}, arrangement {number}", query.name);
                let answer = engine.run(query, &params).await.unwrap_or_else(|error| panic!("{what}: {error}"));
                let found = values(query.name, &answer);
                for (number, (found, expect)) in found.iter().zip(rows).enumerate() {
                    let equal = found.len() == expect.len() && found.iter().zip(expect).all(|(a, b)| same(a, b));
                    assert!(equal, "{what}, row {number}:\n{found:?}, not\n{expect:?}");
                }
                assert_eq!(found.len(), rows.len(), "{what}");
            }
        }
    }
}

#[test]
fn every_golden_answer_is_a_question_s() {
    let files = std::fs::read_dir(folder().join("answers")).unwrap();
    let stems = files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let unknown: Vec<String> = stems.filter(|stem| named::find(stem).is_err()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// What the answers were computed from is what an event's line is, to the byte.
#[test]
fn the_golden_events_are_events() {
    let lines = std::fs::read_to_string(folder().join("events.ndjson")).unwrap();
    for line in lines.lines() {
        let event = Event::from_line(line.as_bytes()).unwrap();
        assert_eq!(event.compute_hash(), event.event_hash, "{line}");
        assert_eq!(String::from_utf8(event.to_line()).unwrap(), line);
    }
}

/// The tables of `athena/README.md` by the question that each stands below.
fn samples() -> Vec<(String, Vec<Vec<String>>)> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../athena/README.md");
    let mut samples: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    for line in std::fs::read_to_string(readme).unwrap().lines() {
        if let Some((_, rest)) = line.split_once("](queries/") {
            samples.push((rest.split('.').next().unwrap().to_owned(), Vec::new()));
        } else if let (Some(cells), Some((_, rows))) = (line.strip_prefix("| "), samples.last_mut()) {
            rows.push(cells.trim_end_matches(" |").split(" | ").map(str::to_owned).collect());
        }
    }
    samples
}

#[tokio::test]
async fn the_samples_in_the_readme_are_golden() {
    let engine = arrangements(&events()).await.remove(1);
    let samples = samples();
    assert!(samples.len() >= 10);
    for (name, table) in samples {
        let (head, shown) = table.split_first().unwrap();
        let query = named::find(&name).unwrap();
        let Case { parameters, rows, .. } = cases(&name).remove(0);
        let given = parameters.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let answer = engine.run(query, &query.bind(given, &Scope::operator(now())).unwrap()).await.unwrap();
        let place = |name: &String| answer.columns.iter().position(|column| column.name == *name).unwrap();
        assert!(!shown.is_empty() && shown.len() <= rows.len(), "{name}");
        for (shown, row) in shown.iter().zip(&rows) {
            let golden: Vec<String> = head.iter().map(|name| text(&row[place(name)])).collect();
            assert_eq!(*shown, golden, "{name}");
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.replace('\\', "\\\\").replace('\n', "\\n").replace('|', "\\|"),
        other => other.to_string(),
    }
}
