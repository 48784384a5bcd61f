//! `tail`, `export`, `doctor`, `completions`, `man`: as people and scripts use them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use event::Event;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::Used;
use crate::support::{Place, Server, bounded, daybook, program, raw_events, raw_log};

fn events(text: &str) -> Vec<Event> {
    text.lines().map(|line| Event::from_line(line.as_bytes()).unwrap()).collect()
}

#[test]
fn tail_shows_the_newest_events_last() {
    let used = Used::new();
    let data = used.place.data();
    for _ in 0..2 {
        let all = events(&daybook(&data, &["tail", "--json"]).done());
        assert_eq!(all.len(), 7);
        assert!(
            all.windows(2).all(|two| (two[0].received_at, two[0].event_id) < (two[1].received_at, two[1].event_id))
        );
        assert!(all.iter().all(|event| event.compute_hash() == event.event_hash), "as they were sealed");
        assert_eq!(events(&daybook(&data, &["tail", "--json", "-n", "2"]).done()), all[5..]);
        let some = |args: &[&str]| events(&daybook(&data, &[&["tail", "--json"], args].concat()).done()).len();
        assert_eq!(some(&["--status", "4xx"]), 1);
        assert_eq!(some(&["--status", "201", "--type", "task.created"]), 2);
        assert_eq!(some(&["--method", "PUT", "--path", "tasks"]), 2);
        assert_eq!(some(&["--user", "ann"]), 1);
        assert_eq!(some(&["--user", "' or true --"]), 0);
        assert_eq!((some(&["--tenant", "other"]), some(&["-n", "0"])), (0, 0));
        daybook(&data, &["compact"]).done();
    }
    let text = daybook(&data, &["tail"]).done();
    assert!(text.lines().count() == 7 && text.contains(" 404 GET     /nothing/here "), "{text}");
    bounded(program().args(["tail", "--status", "4x"])).is_misused("write a status");
}

/// The same instants, by the clock of a place, wherever people read them; what programs read stays as it is.
#[test]
fn times_by_the_clock_of_a_place() {
    let used = Used::new();
    let data = used.place.data();
    let at = events(&daybook(&data, &["tail", "--json", "-n", "1", "--zone", "Asia/Kolkata"]).done())[0].received_at;
    let moved = event::Timestamp::from_micros(at.micros() + 330 * 60_000_000).to_string();
    let (seconds, millis) = (format!("{}+05:30", &moved[..19]), format!("{}+05:30", &moved[..23]));
    let last = format!("select received_at from requests where received_at >= timestamp '{}'", &at.to_string()[..26]);
    let last = last.replace('T', " ");
    let show = |args: &[&str]| {
        let child = program().env("DAYBOOK_ZONE", "Asia/Kolkata").env("DAYBOOK_DATA", &data).args(args).output();
        String::from_utf8(child.unwrap().stdout).unwrap()
    };
    assert!(show(&["tail", "-n", "1"]).starts_with(&millis));
    assert!(show(&["sql", &last]).contains(&seconds), "{}", show(&["sql", &last]));
    assert!(show(&["history", "task", &used.task]).contains("+05:30"));
    assert!(show(&["sql", "--format", "csv", &last]).contains(&at.to_string()));
    assert!(show(&["sql", "--zone", "utc", &last]).contains(&at.to_seconds_string()));
    let local =
        program().env("TZ", "Asia/Kolkata").env("DAYBOOK_DATA", &data).args(["sql", "--zone", "local", &last]).output();
    assert!(String::from_utf8(local.unwrap().stdout).unwrap().contains(&seconds));
    // What is shown can be asked for.
    let from = daybook(&data, &["export", "events", "--from", &seconds]).done();
    assert!(events(&from).iter().any(|event| event.received_at == at));
    bounded(program().args(["tail", "--zone", "Mars/Olympus"])).is_misused("a zone's name");
}

#[test]
fn tail_follows_and_obeys_no_stranger() {
    let used = Used::new();
    let server = Server::start(&used.place.data(), &["--relay-every", "100ms"]);
    let mut child = program()
        .arg("--data")
        .arg(used.place.data())
        .args(["tail", "--follow", "-n", "1", "--path", "/e"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (send, lines) = mpsc::channel();
    let out = child.stdout.take().unwrap();
    thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    thread::sleep(Duration::from_secs(2));
    let mut client = server.client();
    client.get("/other").expect(404);
    client.get("/e?x=%1b%5b31mred%e2%80%ae").expect(404);
    let line = lines.recv_timeout(Duration::from_secs(20)).expect("it follows");
    assert!(line.contains(" 404 GET     /e?x="), "{line}");
    assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    // An object may be plain text, as the compactor takes it, and hold lines that are no events.
    let mut event = raw_log(&used.place.data()).remove(0);
    event.event_id = event::EventIds::default().next(event.received_at, [7; 16]);
    event.path = "/e/plain".into();
    let day =
        used.place.data().join("raw").join(format!("dt={}", &event.received_at.to_string()[..10])).join("hour=00");
    fs::create_dir_all(&day).unwrap();
    let line = [b"no event\n".as_slice(), &event.to_line(), b"\n"].concat();
    let beside = used.place.beside("other");
    fs::write(&beside, line).unwrap();
    fs::rename(&beside, day.join("other-000000000001-000000000001.ndjson.gz")).unwrap();
    let line = lines.recv_timeout(Duration::from_secs(20)).expect("it goes on");
    assert!(line.contains(" /e/plain "), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
    server.terminate();
}

#[test]
fn export_gives_events_as_they_were() {
    let used = Used::new();
    let data = used.place.data();
    for _ in 0..2 {
        let all = events(&daybook(&data, &["export", "events"]).done());
        assert_eq!(all.len(), 7);
        assert!(all.iter().all(|event| event.compute_hash() == event.event_hash), "to the byte");
        let ids: Vec<String> = raw_events(&data).into_iter().map(|event| event.event_id).collect();
        assert!(all.iter().all(|event| ids.contains(&event.event_id.to_string())));
        let file = used.place.beside("events.parquet");
        let told = daybook(&data, &["export", "events", "--format", "parquet", "--output", file.to_str().unwrap()]);
        assert!(told.err.contains("7 rows in"), "{told:?}");
        assert_eq!(parquet_rows(&file), 7);
        daybook(&data, &["compact"]).done();
    }
    let at = events(&daybook(&data, &["export", "events"]).done())[3].received_at.to_string();
    let count = |args: &[&str]| daybook(&data, &[&["export", "events"], args].concat()).done().lines().count();
    assert_eq!((count(&["--from", &at]), count(&["--to", &at])), (4, 3));
    assert_eq!((count(&["--to", "2020-01-01"]), count(&["--from", "2020-01-01"])), (0, 7));
    daybook(&data, &["export", "events", "--from", "yesterday"]).is_misused("expected a time such as");
    let file = used.place.beside("none.parquet");
    let none = ["export", "events", "--to", "2020-01-01", "--format", "parquet", "--output", file.to_str().unwrap()];
    daybook(&data, &none).refuses("nothing to export");
    assert!(!file.exists());
}

#[test]
fn export_gives_entities_as_they_are() {
    let used = Used::new();
    let data = used.place.data();
    let lines = daybook(&data, &["export", "entities"]).done();
    let entities: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entities.len(), 2);
    let of = |id: &str| entities.iter().find(|entity| entity["entity_id"] == id).unwrap();
    assert_eq!((&of(&used.task)["version"], &of(&used.task)["state"]["task"]), (&json!(3), &json!("second")));
    assert_eq!((&of(&used.removed)["version"], &of(&used.removed)["deleted"]), (&json!(2), &json!(true)));
    let file = used.place.beside("entities.parquet");
    daybook(&data, &["export", "entities", "--format", "parquet", "-o", file.to_str().unwrap()]).done();
    assert_eq!(parquet_rows(&file), 2);
    daybook(&data, &["export", "entities", "--from", "2020-01-01"]).refuses("--from and --to are for events");
}

fn parquet_rows(file: &Path) -> usize {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(file).unwrap()).unwrap().build().unwrap();
    reader.map(|batch| batch.unwrap().num_rows()).sum()
}

fn doctor(data: &Path, code: i32) -> Value {
    let ran = daybook(data, &["doctor", "--json"]);
    assert_eq!(ran.code, code, "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

#[track_caller]
fn grade(report: &Value, check: &str) -> (String, String) {
    let finding = report["checks"].as_array().unwrap().iter().find(|finding| finding["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("no {check} in {report}"));
    (finding["grade"].as_str().unwrap().to_owned(), finding["mend"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn doctor_finds_what_is_wrong_and_says_how_to_mend_it() {
    let used = Used::new();
    let data = used.place.data();
    let healthy = doctor(&data, 0);
    for check in [
        "folder",
        "rights",
        "key",
        "api-keys",
        "store",
        "relay",
        "leftovers",
        "raw",
        "quarantine",
        "table",
        "compaction",
    ] {
        assert_eq!(grade(&healthy, check), ("fine".to_owned(), String::new()), "{healthy}");
    }
    assert!(daybook(&data, &["doctor"]).done().contains("Nothing is wrong"));

    let raw = data.join("raw/dt=2026-11-20/hour=00");
    fs::create_dir_all(&raw).unwrap();
    fs::write(raw.join("bad.ndjson.gz"), "no event").unwrap();
    daybook(&data, &["compact"]).done();
    assert!(grade(&doctor(&data, 0), "quarantine").1.contains("daybook quarantine list"));

    fs::write(data.join("installation.key"), "nonsense").unwrap();
    assert_eq!(grade(&doctor(&data, 1), "key").0, "broken");
    fs::remove_file(data.join("installation.key")).unwrap();
    assert_eq!(grade(&doctor(&data, 0), "key").0, "warning");

    fs::write(data.join("store.db"), "no database, but long enough to be looked at as one".repeat(100)).unwrap();
    assert_eq!(grade(&doctor(&data, 1), "store").0, "broken");
    let elsewhere = used.place.beside("moved");
    fs::rename(&data, &elsewhere).unwrap();
    let (found, mend) = grade(&doctor(&elsewhere, 1), "table");
    assert!(found == "broken" && mend.contains("move lake/ aside"), "{mend}");
}

#[test]
fn doctor_makes_nothing() {
    let place = Place::new();
    let report = doctor(&place.data(), 1);
    assert!(grade(&report, "folder").1.contains("--data"), "{report}");
    assert!(!place.data().exists());
    fs::create_dir(place.data()).unwrap();
    doctor(&place.data(), 1);
    assert_eq!(fs::read_dir(place.data()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn doctor_finds_a_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let used = Used::new();
    let key = used.place.data().join("installation.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (found, mend) = grade(&doctor(&used.place.data(), 0), "key");
    assert!(found == "warning" && mend.starts_with("chmod 600"), "{mend}");
}

#[test]
fn shells_and_man_know_every_command() {
    let place = Place::new();
    let bare = |args: &[&str]| bounded(program().args(args)).done();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let out = bare(&["completions", shell]);
        for word in ["import", "replay", "doctor", "quarantine"] {
            assert!(out.contains(word), "{shell}: {word}");
        }
    }
    assert!(bare(&["man"]).contains("replay(1)"));
    let folder = place.beside("man1");
    bare(&["man", "--folder", folder.to_str().unwrap()]);
    for page in ["daybook", "daybook-import", "daybook-sql", "daybook-doctor"] {
        assert!(fs::read_to_string(folder.join(format!("{page}.1"))).unwrap().contains(".TH"), "{page}");
    }
    assert!(!folder.join("daybook-sql-child.1").exists());
}

#[test]
fn the_version_names_its_commit() {
    let version = bounded(program().arg("--version")).done();
    let commit = version
        .trim()
        .strip_prefix(concat!("daybook ", env!("CARGO_PKG_VERSION"), " ("))
        .and_then(|it| it.strip_suffix(')'));
    assert!(commit.is_some_and(|it| it.len() == 12 && it.bytes().all(|byte| byte.is_ascii_hexdigit())), "{version}");
}
