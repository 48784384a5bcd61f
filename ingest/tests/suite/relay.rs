//! The relay: raw objects hold exactly the log's lines.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use event::{Event, Timestamp};
use flate2::read::MultiGzDecoder;
use ingest::local::relay::drain;
use ingest::store::EventSink;
use ingest::store::sqlite::SqliteStore;

use crate::conformance::plain;
use crate::rig::run;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn lines(folder: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    for file in files(&folder.join("raw")) {
        let mut text = Vec::new();
        MultiGzDecoder::new(fs::read(file).unwrap().as_slice()).read_to_end(&mut text).unwrap();
        assert_eq!(text.last(), Some(&b'\n'));
        events.extend(
            text.split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| Event::from_line(line).unwrap()),
        );
    }
    events
}

#[test]
fn what_comes_while_an_object_is_written_waits_for_the_next_run() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), [1; 4]).unwrap();
        let now = at("2026-11-20T09:59:59Z");
        drop(store.put(vec![plain(0)]).await.unwrap());
        let keep_coming = async {
            for n in 1..300 {
                drop(store.put(vec![plain(n)]).await.unwrap());
            }
        };
        let (relayed, ()) = futures::join!(drain(&store, now), keep_coming);
        let relayed = relayed.unwrap();
        assert_eq!(relayed.objects, 1);
        assert_eq!(drain(&store, now).await.unwrap().events, 300 - relayed.events);
        assert_eq!(lines(dir.path()).len(), 300);
    });
}

#[test]
fn raw_objects_are_the_log_and_nothing_is_relayed_twice() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), [1; 4]).unwrap();
        let now = at("2026-11-20T09:59:59Z");
        assert_eq!(drain(&store, now).await.unwrap().objects, 0);
        assert!(files(&dir.path().join("raw")).is_empty());
        for n in 0..9 {
            drop(store.put(vec![plain(2 * n), plain(2 * n + 1)]).await.unwrap());
        }
        let members: Vec<u8> =
            store.reader().batches(0, usize::MAX).await.unwrap().into_iter().flat_map(|batch| batch.member).collect();
        let relayed = drain(&store, now).await.unwrap();
        assert_eq!((relayed.objects, relayed.events, relayed.bytes), (1, 18, members.len() as u64));
        let object = dir.path().join("raw/dt=2026-11-20/hour=09/01010101-000000000001-000000000009.ndjson.gz");
        assert_eq!(fs::read(&object).unwrap(), members, "members of consecutive batches, concatenated");
        assert_eq!(lines(dir.path()), (0..18).map(plain).collect::<Vec<_>>());

        assert_eq!(drain(&store, now).await.unwrap().objects, 0);
        drop(store.put(vec![plain(18)]).await.unwrap());
        assert_eq!(store.reader().counts().await.unwrap(), (19, 1));
        drain(&store, at("2026-11-20T10:00:00Z")).await.unwrap();
        assert_eq!(store.reader().counts().await.unwrap(), (19, 0));
        assert_eq!(lines(dir.path()), (0..19).map(plain).collect::<Vec<_>>());
        assert_eq!(files(&dir.path().join("raw")).len(), 2);
    });
}

#[test]
fn a_kill_between_write_and_mark_leaves_duplicates_only() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), [1; 4]).unwrap();
        for n in 0..4 {
            drop(store.put(vec![plain(n)]).await.unwrap());
        }
        drain(&store, at("2026-11-20T09:00:00Z")).await.unwrap();
        drop(store);
        // As after a kill: the object is there, its mark is not.
        let connection = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
        assert_eq!(connection.execute("delete from objects", []).unwrap(), 1);
        drop(connection);
        let store = SqliteStore::open(dir.path(), [1; 4]).unwrap();
        drop(store.put(vec![plain(4)]).await.unwrap());
        drain(&store, at("2026-11-20T11:00:00Z")).await.unwrap();
        let mut events = lines(dir.path());
        assert_eq!(events.len(), 9, "four of them twice");
        events.sort_by_key(|event| event.event_id);
        events.dedup();
        assert_eq!(events, (0..5).map(plain).collect::<Vec<_>>());
    });
}

#[test]
fn a_full_disk_marks_nothing() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), [1; 4]).unwrap();
        drop(store.put(vec![plain(1)]).await.unwrap());
        // A file where the folder should be.
        fs::write(dir.path().join("raw"), b"").unwrap();
        let error = drain(&store, at("2026-11-20T09:00:00Z")).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(store.reader().counts().await.unwrap(), (1, 1));
        fs::remove_file(dir.path().join("raw")).unwrap();
        assert_eq!(drain(&store, at("2026-11-20T09:00:00Z")).await.unwrap().events, 1);
    });
}
