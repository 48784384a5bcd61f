//! `daybook quarantine`: lines that are no events are listed, never obeyed, and tried again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Place, Server, daybook, raw_objects, table_rows};

const HOSTILE: &[u8] = b"=a\x1b[31mred\x07\xc2\x9b \xe2\x80\xae<b>, \"quoted\"";

/// A folder with a raw object that holds four bad lines under a bad name, compacted.
fn quarantined() -> Place {
    let place = Place::new();
    let folder = place.data().join("raw/dt=2026-11-20/hour=00");
    fs::create_dir_all(&folder).unwrap();
    let lines = [b"not json", HOSTILE, b"\xff\xfe", b"{}"].join(&b'\n');
    fs::write(folder.join("bad\u{1b}[2J.ndjson.gz"), lines).unwrap();
    fs::write(folder.join("other.ndjson.gz"), "x".repeat(1_000)).unwrap();
    let done = daybook(&place.data(), &["compact", "--json"]).json();
    assert_eq!((&done["rows"], &done["quarantined"]), (&json!(0), &json!(5)));
    place
}

fn list(data: &Path, args: &[&str]) -> Vec<Value> {
    let out = daybook(data, &[&["quarantine", "list", "--format", "json"], args].concat()).json();
    out["rows"].as_array().unwrap().clone()
}

fn retry(data: &Path, args: &[&str]) -> Vec<Value> {
    let out = daybook(data, &[&["quarantine", "retry", "--json"], args].concat()).json();
    out["rows"].as_array().unwrap().clone()
}

#[track_caller]
fn assert_tame(out: &str) {
    let moving = out.chars().find(|c| c.is_control() && !"\r\n".contains(*c) || *c == '\u{202e}');
    assert_eq!(moving, None, "{out:?}");
}

#[test]
fn every_form_shows_them_and_none_obeys_them() {
    let place = quarantined();
    let data = place.data();
    for format in ["table", "json", "ndjson", "csv"] {
        for full in [&[][..], &["--full"]] {
            let out = daybook(&data, &[&["quarantine", "list", "--format", format], full].concat()).done();
            assert!(out.contains("red") && out.contains("not json"), "{format}: {out}");
            assert_tame(&out);
            let again = daybook(&data, &[&["quarantine", "list", "--format", format], full].concat()).done();
            assert_eq!(again, out, "{format}: in a stable order");
        }
        assert_tame(&daybook(&data, &["quarantine", "retry", "--format", format]).done());
    }
    let rows = list(&data, &[]);
    let lines: Vec<_> = rows.iter().map(|row| row["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 2, 3, 4, 1]);
    assert_eq!(rows[0]["raw_object"], "raw/dt=2026-11-20/hour=00/bad\u{1b}[2J.ndjson.gz");
    assert!(rows.iter().all(|row| row["retried"].is_null() && row["cut"] == false), "{rows:?}");
    assert_eq!(rows[4]["excerpt"].as_str().unwrap(), "x".repeat(80) + "…");
    let full = list(&data, &["--full"]);
    assert_eq!(full[1]["text"].as_str().unwrap().as_bytes(), HOSTILE, "exact, where it is asked for");
    assert_eq!((&full[2]["base64"], &full[2]["text"]), (&json!("//4="), &Value::Null));
    assert_eq!(full[4]["text"].as_str().unwrap().len(), 1_000);
}

#[test]
fn they_are_chosen_by_object_and_reason_and_the_rest_is_counted() {
    let place = quarantined();
    let data = place.data();
    assert_eq!(list(&data, &["--object", "other"]).len(), 1);
    assert_eq!(list(&data, &["--object", "dt=2026-11-20", "--reason", "not UTF-8"]).len(), 1);
    assert_eq!(list(&data, &["--reason", "missing"])[0]["line"], 4);
    assert_eq!(list(&data, &["--limit", "0"]).len(), 5);
    let out = daybook(&data, &["quarantine", "list", "--limit", "2"]).done();
    assert!(out.contains("2 lines.") && out.contains("3 more are not shown"), "{out}");
    let ran = daybook(&data, &["quarantine", "list", "--limit", "2", "--format", "csv"]);
    assert!(ran.err.contains("3 more lines are not shown"), "{ran:?}");
    assert_eq!(ran.done().lines().count(), 3);
    let out = daybook(&data, &["quarantine", "retry", "--limit", "2"]).done();
    assert!(out.contains("0 lines helped, 5 still refused.") && out.contains("3 more are not shown"), "{out}");
    for command in ["list", "retry"] {
        let none = daybook(&data, &["quarantine", command, "--object", "nowhere"]).done();
        assert_eq!(none, "No such line is in quarantine.\n");
    }
}

#[test]
fn what_cannot_be_helped_stays_refused() {
    let place = quarantined();
    let data = place.data();
    let before = raw_objects(&data);
    for _ in 0..2 {
        let rows = retry(&data, &[]);
        assert_eq!(rows.len(), 5);
        for row in rows {
            assert!(row["outcome"].as_str().unwrap().starts_with("still refused: "), "{row}");
            assert_eq!((&row["events"], &row["written_to"]), (&json!(0), &Value::Null));
        }
    }
    assert_eq!(raw_objects(&data), before);
    assert_eq!(daybook(&data, &["compact"]).done(), "Nothing is pending.\n");
    assert_eq!(list(&data, &[]).len(), 5, "nothing is ever deleted");
    daybook(&data, &["verify"]).done();
}

/// An installation with submissions, one of them large, and no server.
fn installation() -> Place {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let mut client = server.client();
    let large = "x".repeat(50_000);
    for message in ["a", "b", &large, "c", "d"] {
        client.post("/data", &format!(r#"{{"user_id":"ann","message":"{message}"}}"#)).expect(201);
    }
    client.post("/tasks", r#"{"task":"last"}"#).expect(201);
    server.terminate();
    place
}

fn key_of(data: &Path, path: &Path) -> String {
    path.strip_prefix(data).unwrap().to_str().unwrap().to_owned()
}

/// Retries, compacts and verifies; then shows that repeating any of it changes nothing.
fn make_good(data: &Path, events: u64) {
    let before = raw_objects(data).len();
    let rows = retry(data, &[]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["events"].as_u64(), Some(events), "{rows:?}");
    assert_eq!(rows[0]["reason"], Value::Null);
    let written = rows[0]["written_to"].as_str().unwrap();
    assert!(data.join(written).is_file() && raw_objects(data).len() == before + 1, "{written}");
    assert_eq!(list(data, &[])[0]["retried"], written);
    assert!(daybook(data, &["quarantine", "list"]).done().contains("yes"));
    daybook(data, &["verify"]).done();

    let again = daybook(data, &["quarantine", "retry"]).done();
    assert!(again.contains("1 raw objects with such lines had been written before."), "{again}");
    let done = daybook(data, &["compact", "--json"]).json();
    assert_eq!((done["rows"].as_u64(), &done["duplicates"]), (Some(events), &json!(0)));
    daybook(data, &["verify"]).done();

    assert_eq!(retry(data, &[])[0]["written_to"], written);
    assert_eq!(raw_objects(data).len(), before + 1);
    assert_eq!(daybook(data, &["compact"]).done(), "Nothing is pending.\n");
    assert_eq!(table_rows(data).len(), 6);
    assert_eq!(list(data, &[]).len(), 1, "nothing is ever deleted");
}

#[test]
fn a_line_that_was_too_long_is_let_in_later() {
    let place = installation();
    let data = place.data();
    let done = daybook(&data, &["compact", "--max-line", "20KiB", "--json"]).json();
    assert_eq!((&done["rows"], &done["quarantined"]), (&json!(5), &json!(1)));
    let listed = &list(&data, &[])[0];
    assert_eq!((&listed["reason"], &listed["cut"]), (&json!("longer than 20480 bytes"), &json!(true)));
    let refused = retry(&data, &["--max-line", "30KB"]);
    assert_eq!(refused[0]["outcome"], "still refused: longer than 30000 bytes");
    make_good(&data, 1);
    assert!(table_rows(&data).iter().any(|row| row.body.as_ref().is_some_and(|body| body.len() > 50_000)));
}

#[test]
fn a_damaged_object_that_was_replaced_by_a_sound_copy_gives_its_lines_back() {
    let place = installation();
    let data = place.data();
    // The one with the last event, cut within that.
    let path: PathBuf = raw_objects(&data).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let done = daybook(&data, &["compact", "--json"]).json();
    assert_eq!(done["quarantined"], 1);
    let lost = 6 - done["rows"].as_u64().unwrap();
    assert!(lost >= 1);
    let verified = daybook(&data, &["verify"]);
    assert!(verified.code == 1 && verified.out.contains("is in no raw object"), "{verified:?}");
    let refused = retry(&data, &["--object", &key_of(&data, &path)]);
    assert!(refused[0]["reason"].as_str().unwrap().contains("cannot be read from here on"), "{refused:?}");

    fs::write(&path, whole).unwrap();
    make_good(&data, lost);
    let said = daybook(&data, &["quarantine", "retry"]).done();
    assert!(said.contains("1 lines helped, 0 still refused."), "{said}");
}

#[test]
fn an_empty_quarantine() {
    let place = Place::new();
    Server::start(&place.data(), &[]).terminate();
    for command in ["list", "retry"] {
        assert_eq!(daybook(&place.data(), &["quarantine", command]).done(), "No such line is in quarantine.\n");
        assert!(daybook(&place.data(), &["quarantine", command, "--json"]).json()["rows"] == json!([]));
        assert_eq!(daybook(&place.data(), &["quarantine", command, "--format", "ndjson"]).done(), "");
    }
}
