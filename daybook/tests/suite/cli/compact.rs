//! `daybook compact`: folders with nothing but raw objects, two at once.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use super::Used;
use crate::support::{Place, Random, daybook, eventually, program, raw_events, raw_objects, table_rows};

/// Copies the raw objects of an installation, and nothing else, to another folder.
fn copy_raw(from: &Path, to: &Path) {
    for path in raw_objects(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
}

#[test]
fn a_folder_with_nothing_but_raw_objects_becomes_a_table() {
    let (used, place) = (Used::new(), Place::new());
    copy_raw(&used.place.data(), &place.data());
    let done = daybook(&place.data(), &["compact", "--format", "json"]).json();
    assert_eq!((done["lines"].as_u64(), done["rows"].as_u64()), (Some(7), Some(7)));
    let task = &used.task;
    assert_eq!(daybook(&place.data(), &["show", "task", task]).json()["version"], 3);
    assert_eq!(daybook(&place.data(), &["query", "traffic", "--format", "json"]).json()["rows"][0]["requests"], 7);
    daybook(&place.data(), &["verify"]).done();
    // Asking made no store of what is none.
    assert!(!place.data().join("store.db").exists());
    assert_eq!(daybook(&place.data(), &["compact"]).done(), "Nothing is pending.\n");
}

#[test]
fn lines_that_are_not_compressed_are_read_under_the_name_too() {
    let (used, place) = (Used::new(), Place::new());
    copy_raw(&used.place.data(), &place.data());
    for path in raw_objects(&place.data()) {
        let mut text = String::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(fs::File::open(&path).unwrap());
        std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
        fs::write(&path, text + "not an event\n").unwrap();
    }
    let done = daybook(&place.data(), &["compact", "--format", "json"]).json();
    assert_eq!(done["rows"], 7);
    assert_eq!(done["quarantined"].as_u64(), Some(raw_objects(&place.data()).len() as u64));
    daybook(&place.data(), &["verify"]).done();
}

#[test]
fn the_same_objects_under_other_names_add_nothing() {
    let used = Used::new();
    let data = used.place.data();
    daybook(&data, &["compact"]).done();
    for path in raw_objects(&data) {
        let again = path.with_file_name(format!("again-{}", path.file_name().unwrap().display()));
        fs::copy(&path, again).unwrap();
    }
    let done = daybook(&data, &["compact", "--format", "json"]).json();
    assert_eq!((&done["rows"], &done["duplicates"]), (&0.into(), &7.into()));
    assert_eq!(table_rows(&data).len(), 7);
    daybook(&data, &["verify"]).done();
}

#[test]
fn of_two_at_once_one_wins_and_nothing_stands_twice() {
    let used = Used::new();
    for round in 0..3 {
        let place = Place::new();
        copy_raw(&used.place.data(), &place.data());
        let compactions: Vec<_> = (0..3)
            .map(|_| {
                let mut command = program();
                command.args(["compact", "--format", "json", "--data"]).arg(place.data());
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut rows = 0;
        for compaction in compactions {
            let output = compaction.wait_with_output().unwrap();
            assert!(output.status.success(), "round {round}: {output:?}");
            let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            rows += summary["rows"].as_u64().unwrap();
        }
        let ids: HashSet<String> = table_rows(&place.data()).into_iter().map(|row| row.event_id).collect();
        assert_eq!((rows, ids.len()), (7, 7), "round {round}");
        daybook(&place.data(), &["verify"]).done();
    }
}

#[test]
fn a_compaction_that_is_killed_is_made_good_by_the_next() {
    let mut random = Random::of_test("killed compactions");
    let (used, place) = (Used::new(), Place::new());
    copy_raw(&used.place.data(), &place.data());
    for _ in 0..12 {
        let mut child = program().arg("compact").arg("--data").arg(place.data()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(random.between(1, 250)));
        let _ = child.kill();
        child.wait().unwrap();
        daybook(&place.data(), &["verify"]).done();
    }
    daybook(&place.data(), &["compact"]).done();
    assert_eq!(table_rows(&place.data()).len(), raw_events(&place.data()).len());
    daybook(&place.data(), &["verify"]).done();
}

/// As if the objects had arrived in 1970.
fn age(data: &Path) {
    for path in raw_objects(data) {
        fs::File::options().write(true).open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
}

#[test]
fn what_is_not_due_can_wait() {
    let used = Used::new();
    let data = used.place.data();
    let said = daybook(&data, &["compact", "--if-due"]).done();
    assert!(said.starts_with("Nothing is due: ") && said.ends_with(" pending.\n"), "{said}");
    let waits = daybook(&data, &["compact", "--if-due", "--json"]).json();
    assert_eq!(waits["commits"], 0);
    assert_eq!(waits["left_objects"].as_u64(), Some(raw_objects(&data).len() as u64));
    assert!(table_rows(&data).is_empty());
    age(&data);
    let done = daybook(&data, &["compact", "--if-due", "--json"]).json();
    assert_eq!((&done["commits"], &done["rows"], &done["left_objects"]), (&1.into(), &7.into(), &0.into()));
    assert!(done["events_per_s"].as_u64() > Some(0), "{done}");
    daybook(&data, &["verify"]).done();
}

#[test]
fn the_server_says_what_each_of_its_compactions_did() {
    let used = Used::new();
    let data = used.place.data();
    age(&data);
    let log = used.place.beside("metrics.log");
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--compact-every", "100ms", "--data"]).arg(&data);
    let mut server = command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let line = eventually(Duration::from_secs(30), "a compaction", || {
        let text = fs::read_to_string(&log).unwrap();
        text.lines().find(|line| line.contains("compacted")).map(str::to_owned)
    });
    server.kill().unwrap();
    server.wait().unwrap();
    for field in [
        "lines=7",
        "rows=7",
        "duplicates=0",
        "quarantined=0",
        "files=1",
        "commits=1",
        "lag_s=0",
        "objects=",
        "bytes_in=",
        "bytes_out=",
        "duration_ms=",
        "events_per_s=",
    ] {
        assert!(line.contains(field), "{field} is not in {line}");
    }
}
