//! `daybook verify` finds what was done to an installation behind its back, and names it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Lost, Place, Random, Request, Server, daybook, raw_objects, rewrite_raw, text};

/// An installation with one task of three versions and a few submissions.
struct Intact {
    place: Place,
    task: String,
    /// The event of the task's version 2.
    second: String,
    /// A submission whose body was set aside.
    large: String,
}

impl Intact {
    fn new() -> Self {
        let place = Place::new();
        let server = Server::start(&place.data(), &[]);
        let mut client = server.client();
        let task = text(&client.post("/tasks", r#"{"task":"first"}"#).expect(201).json(), "/id");
        let second = client.put(&format!("/tasks/{task}"), r#"{"task":"second"}"#).expect(200).event_id();
        client.put(&format!("/tasks/{task}"), r#"{"task":"third"}"#).expect(200);
        for number in 0..20 {
            client.post("/data", &format!(r#"{{"user_id":"ann","message":"{number}"}}"#)).expect(201);
        }
        let body = format!(r#"{{"user_id":"ann","message":"{}"}}"#, "x".repeat(100_000));
        let large = client.post("/data", &body).expect(201).event_id();
        server.terminate();
        Self { place, task, second, large }
    }

    fn compacted() -> Self {
        let intact = Self::new();
        daybook(&intact.data(), &["compact"]).done();
        intact
    }

    fn data(&self) -> PathBuf {
        self.place.data()
    }

    fn change_store(&self, sql: &str) {
        let store = Connection::open(self.data().join("store.db")).unwrap();
        assert!(store.execute(sql, []).unwrap() > 0, "{sql}");
    }

    /// Verifies, and gives the offender of the first check that does not hold.
    #[track_caller]
    fn offender(&self, invariant: &str) -> String {
        let ran = daybook(&self.data(), &["verify"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.out.contains("BROKEN: "), "{ran:?}");
        let ran = daybook(&self.data(), &["verify", "--format", "json"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["holds"], false);
        let checks = report["checks"].as_array().unwrap();
        let broken = checks.iter().find(|check| check["invariant"] == invariant && check["holds"] == false);
        text(broken.unwrap_or_else(|| panic!("{invariant} holds: {report}")), "/offender")
    }
}

/// The last raw object's key and path.
fn a_raw_object(data: &Path) -> (String, PathBuf) {
    let path = raw_objects(data).pop().unwrap();
    (path.strip_prefix(data).unwrap().display().to_string(), path)
}

#[track_caller]
fn assert_names(offender: &str, name: &str) {
    assert!(offender.contains(name), "{name} is not in {offender:?}");
}

#[test]
fn a_raw_object_that_was_deleted_before_it_was_compacted() {
    let intact = Intact::new();
    let (_, path) = a_raw_object(&intact.data());
    fs::remove_file(path).unwrap();
    assert_names(&intact.offender("I1"), "is in no raw object");
}

#[test]
fn a_raw_object_that_was_deleted_after_it_was_compacted() {
    let intact = Intact::compacted();
    let (key, path) = a_raw_object(&intact.data());
    fs::remove_file(path).unwrap();
    assert_names(&intact.offender("I7"), &key);
}

#[test]
fn a_byte_that_was_flipped_in_a_raw_object() {
    for at in [3, 2, 1] {
        let intact = Intact::new();
        let (_, path) = a_raw_object(&intact.data());
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() * at / 4;
        bytes[middle] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        assert_names(&intact.offender("I1"), "event ");
    }
}

/// The quick proof leaves out two of the whole one's statements, and says so by not making them.
#[test]
fn what_the_quick_proof_sees() {
    let intact = Intact::compacted();
    let verify = |args: &[&str]| {
        let ran = daybook(&intact.data(), &[&["verify", "--format", "json"], args].concat());
        serde_json::from_str::<Value>(&ran.out).unwrap()
    };
    let statements = |report: &Value| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().map(|check| text(check, "/statement")).collect::<Vec<_>>()
    };
    let (whole, quick) = (verify(&[]), verify(&["--quick"]));
    assert_eq!((&whole["holds"], &quick["holds"]), (&Value::Bool(true), &Value::Bool(true)));
    let left_out: Vec<_> = statements(&whole).into_iter().filter(|one| !statements(&quick).contains(one)).collect();
    assert_eq!(
        left_out,
        [
            "every event has the hash it was sealed with",
            "raw lines = rows + duplicates + quarantined + not yet compacted"
        ]
    );

    // A member with one more line than the table took in: only who counts sees it.
    let (_, path) = a_raw_object(&intact.data());
    let sound = fs::read(&path).unwrap();
    let mut more = flate2::write::GzEncoder::new(sound.clone(), flate2::Compression::fast());
    std::io::Write::write_all(&mut more, b"{}\n").unwrap();
    fs::write(&path, more.finish().unwrap()).unwrap();
    assert_eq!((&verify(&[])["holds"], &verify(&["--quick"])["holds"]), (&Value::Bool(false), &Value::Bool(true)));
    fs::write(&path, sound).unwrap();

    // What the columns show is seen, quick or not.
    intact.change_store("update states set state = replace(state, 'third', 'thord'), checksum = null");
    for args in [&[][..], &["--quick"]] {
        let report = verify(args);
        let broken = report["checks"].as_array().unwrap().iter().find(|check| check["holds"] == false).unwrap();
        assert_eq!(broken["invariant"], "I5", "{report}");
    }
    fs::remove_file(&path).unwrap();
    let report = verify(&["--quick"]);
    let gone = |check: &&Value| check["offender"].as_str().is_some_and(|offender| offender.ends_with("is gone"));
    assert!(report["checks"].as_array().unwrap().iter().any(|check| gone(&check)), "{report}");
}

#[test]
fn a_state_that_was_edited() {
    let intact = Intact::new();
    intact.change_store("update states set state = replace(state, 'third', 'forged')");
    assert_names(&intact.offender("I5"), &intact.task);
    let intact = Intact::compacted();
    intact.change_store("update states set version = 7");
    assert_names(&intact.offender("I5"), &intact.task);
    let intact = Intact::compacted();
    intact.change_store("update states set deleted = 1");
    assert_names(&intact.offender("I5"), &intact.task);
}

#[test]
fn a_state_that_fell_behind() {
    let intact = Intact::new();
    let store = Connection::open(intact.data().join("store.db")).unwrap();
    store.execute_batch("create table earlier as select * from states").unwrap();
    drop(store);
    let server = Server::start(&intact.data(), &[]);
    server.client().put(&format!("/tasks/{}", intact.task), r#"{"task":"fourth"}"#).expect(200);
    server.terminate();
    daybook(&intact.data(), &["verify"]).done();
    intact.change_store("insert or replace into states select * from earlier");
    assert_names(&intact.offender("I5"), "the log is at version 4, the store at 3");
}

#[test]
fn a_state_that_was_removed() {
    let intact = Intact::compacted();
    intact.change_store("delete from states");
    assert_names(&intact.offender("I5"), &intact.task);
}

#[test]
fn a_version_that_the_store_cannot_find_any_more() {
    let intact = Intact::compacted();
    intact.change_store("update states set places = substr(places, instr(places, ',[3,'))");
    assert_names(&intact.offender("I4"), &intact.task);
}

#[test]
fn places_that_cannot_be_read() {
    let intact = Intact::compacted();
    intact.change_store("update states set places = replace(places, ']', '')");
    assert_names(&intact.offender("I1"), &intact.task);
    intact.offender("I4");
}

#[test]
fn an_event_version_that_was_deleted_from_the_log() {
    let intact = Intact::new();
    let second = intact.second.clone();
    rewrite_raw(&intact.data(), |event| event.event_id.to_string() != second);
    assert_names(&intact.offender("I1"), &intact.second);
    assert_names(&intact.offender("I4"), &intact.task);
    assert_names(&intact.offender("I4"), "version 2 is missing");
}

#[test]
fn a_store_that_was_deleted() {
    let intact = Intact::compacted();
    fs::remove_file(intact.data().join("store.db")).unwrap();
    assert_names(&intact.offender("I1"), "store.db is gone");
}

#[test]
fn a_body_set_aside_that_was_deleted() {
    let intact = Intact::compacted();
    fs::remove_dir_all(intact.data().join("bodies")).unwrap();
    assert_names(&intact.offender("I1"), &intact.large);
}

#[test]
fn a_data_file_that_was_damaged_is_named() {
    let intact = Intact::compacted();
    let mut folders = vec![intact.data().join("lake")];
    let mut damaged = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                damaged += 1;
            }
        }
    }
    assert!(damaged > 0);
    daybook(&intact.data(), &["verify"]).refuses(".parquet");
}

/// Everything in a database, or nothing if it cannot be read: rows as text, table by table.
fn dump(path: &Path) -> Option<Vec<String>> {
    let store = Connection::open(path).ok()?;
    let mut found = Vec::new();
    for (table, key) in [
        ("meta", "name"),
        ("batches", "seq"),
        ("states", "tenant, kind, id"),
        ("versions", "tenant, kind, id, version"),
        ("submissions", "tenant, user_id, id"),
        ("kept", "scope"),
        ("objects", "last_seq"),
    ] {
        let mut statement = store.prepare(&format!("select * from {table} order by {key}")).ok()?;
        let columns = statement.column_count();
        let mut rows = statement.query([]).ok()?;
        while let Some(row) = rows.next().ok()? {
            let cells = (0..columns).map(|index| format!("{:?}", row.get_ref(index).unwrap()));
            found.push(format!("{table}: {}", cells.collect::<Vec<_>>().join(", ")));
        }
    }
    Some(found)
}

#[test]
fn a_bit_that_was_flipped_anywhere_in_the_database() {
    let flips = std::env::var("DAYBOOK_TEST_CYCLES").map_or(60, |flips| flips.parse().expect("a number"));
    let mut random = Random::of_test("flipped bits");
    let intact = Intact::compacted();
    let path = intact.data().join("store.db");
    let (sound, rows) = (fs::read(&path).unwrap(), dump(&path).unwrap());
    let mut harmless = 0;
    for _ in 0..flips {
        let mut bytes = sound.clone();
        let at = usize::try_from(random.between(0, bytes.len() as u64)).unwrap();
        bytes[at] ^= 1 << random.between(0, 8);
        fs::write(&path, &bytes).unwrap();
        let ran = daybook(&intact.data(), &["verify"]);
        let shown = format!("byte {at}: {ran:?}");
        match ran.code {
            // Named: by a check that does not hold, or in the one line that says what cannot be read.
            1 => assert!(ran.out.contains("BROKEN: ") || ran.err.lines().count() == 1, "{shown}"),
            0 => {
                let found = dump(&path).unwrap_or_default();
                let other = found.iter().zip(&rows).find(|(found, row)| found != row);
                assert!(other.is_none() && found.len() == rows.len(), "{other:?}: {shown}");
                harmless += 1;
            }
            _ => panic!("{shown}"),
        }
        for leftover in ["store.db-wal", "store.db-shm"] {
            let _ = fs::remove_file(intact.data().join(leftover));
        }
    }
    eprintln!("{flips} bits of {} KiB: {harmless} in no row", sound.len() >> 10);
    fs::write(&path, &sound).unwrap();
    daybook(&intact.data(), &["verify"]).done();
}

#[test]
fn nothing_is_found_while_a_server_runs_under_load() {
    let place = Place::new();
    let server = Server::start(&place.data(), &["--relay-every", "30ms"]);
    let clients: Vec<_> = (0..6)
        .map(|id| {
            let mut client = server.client();
            thread::spawn(move || {
                let task = text(&client.post("/tasks", r#"{"task":"x"}"#).expect(201).json(), "/id");
                for number in 0.. {
                    let update = format!(r#"{{"task":"{id} {number}"}}"#);
                    match client.send(&Request::new("PUT", &format!("/tasks/{task}")).json(update)) {
                        Ok(reply) => drop(reply.expect(200)),
                        Err(Lost::NotSent) => return,
                        Err(Lost::Unknown) => {}
                    }
                }
            })
        })
        .collect();
    for round in 0..6 {
        thread::sleep(Duration::from_millis(150));
        daybook(&place.data(), &["verify"]).done();
        if round % 2 == 1 {
            daybook(&place.data(), &["compact"]).done();
        }
    }
    server.terminate();
    clients.into_iter().for_each(|client| client.join().unwrap());
    daybook(&place.data(), &["verify"]).done();
}
