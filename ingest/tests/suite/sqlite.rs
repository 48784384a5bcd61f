//! The database: what survives a restart, and what it refuses.

use std::sync::Arc;
use std::time::Duration;

use ingest::ErrorKind;
use ingest::local::retention::{Retention, remove};
use ingest::store::sqlite::SqliteStore;
use ingest::store::{Append, Appended, EntityRef, EventSink, EventStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::conformance::{change, entity, plain, submitted};
use crate::rig::{Backend, Req, Rig, json, run};

fn open(dir: &TempDir) -> SqliteStore {
    SqliteStore::open(dir.path(), [2; 4]).unwrap()
}

/// A folder in which an API has worked for a while.
async fn used() -> (TempDir, Vec<event::Event>) {
    let rig = Rig::new(Backend::sqlite(), ingest::Settings::default());
    let path = format!("/tasks/{}", rig.task("a").await);
    rig.expect(200, Req::put(&path, r#"{"task":"b"}"#)).await;
    rig.expect(201, Req::post("/data", r#"{"user_id":"u","message":"m"}"#).h("idempotency-key", "k")).await;
    rig.expect(404, Req::get("/nothing")).await;
    let log = rig.backend.log().await;
    let Rig { api, backend: Backend::Sqlite(store, dir), .. } = rig else { panic!("not a database") };
    drop((api, store));
    (dir, log)
}

#[test]
fn opened_again_everything_is_there() {
    run(async {
        let (dir, log) = used().await;
        let store = open(&dir);
        assert_eq!(store.reader().store_id(), "01010101", "a store keeps its name");
        assert_eq!(store.reader().last_event_id().await.unwrap(), log.iter().map(|event| event.event_id).max());
        let rig = Rig::new(Backend::Sqlite(Arc::new(store), dir), ingest::Settings::default());
        assert_eq!(rig.backend.log().await, log);
        let task = rig.api.handle(Req::get(&format!("/tasks/{}", log[0].entity_id.clone().unwrap())).received()).await;
        assert_eq!((json(&task)["version"].clone(), json(&task)["task"].clone()), (2.into(), "b".into()));
        let submit = Req::post("/data", r#"{"user_id":"u","message":"m"}"#).h("idempotency-key", "k");
        assert_eq!(rig.api.handle(submit.received()).await.header("idempotency-replayed"), Some("true"));
        rig.verify().await;
    });
}

/// Those who change the same entities at once see each other's changes, and what they saw last is in the database.
#[test]
fn a_state_just_made_is_the_one_that_is_stored() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let version = async |store: &SqliteStore, name: &str| {
            store.load(&entity("t", name)).await.unwrap().map_or(0, |stored| stored.version)
        };
        let own = async |who: u128| {
            for nth in 0..20 {
                let name = ["a", "b", "c"][usize::try_from((who + nth) % 3).unwrap()];
                while store
                    .append(change(who * 100 + nth, &entity("t", name), version(&store, name).await, "new"))
                    .await
                    .unwrap()
                    == Appended::Conflict
                {}
            }
        };
        futures::future::join_all((1..=16).map(own)).await;
        let mut before = Vec::new();
        for name in ["a", "b", "c", "d"] {
            before.push(store.load(&entity("t", name)).await.unwrap());
        }
        assert_eq!(before.iter().flatten().map(|stored| stored.version).sum::<i64>(), 16 * 20);
        drop(store);
        let store = open(&dir);
        for (name, before) in ["a", "b", "c", "d"].into_iter().zip(before) {
            assert_eq!(store.load(&entity("t", name)).await.unwrap(), before, "{name}");
        }
    });
}

#[test]
fn a_second_process_is_refused_until_the_first_has_gone() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&dir);
        let error = SqliteStore::open(dir.path(), [3; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InUse, "{error}");
        drop(first);
        drop(open(&dir));
    });
}

#[test]
fn a_later_version_s_database_is_refused_untouched() {
    run(async {
        let (dir, _) = used().await;
        let path = dir.path().join("store.db");
        Connection::open(&path).unwrap().execute_batch("pragma user_version = 99").unwrap();
        let error = SqliteStore::open(dir.path(), [3; 4]).unwrap_err();
        assert!(error.kind() == ErrorKind::Unusable && error.to_string().contains("later version"), "{error}");
        let version: i64 =
            Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 99);
    });
}

#[test]
fn what_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("store.db"), b"not a database, but long enough to be read as one").unwrap();
    assert_eq!(SqliteStore::open(dir.path(), [3; 4]).unwrap_err().kind(), ErrorKind::Unusable);
}

#[test]
fn a_flipped_bit_in_the_log_is_found_and_the_rest_served() {
    run(async {
        let (dir, log) = used().await;
        let connection = Connection::open(dir.path().join("store.db")).unwrap();
        let member: Vec<u8> =
            connection.query_row("select member from batches where seq = 3", [], |row| row.get(0)).unwrap();
        for at in [21, member.len() / 2, member.len() - 1] {
            let mut damaged = member.clone();
            damaged[at] ^= 1;
            connection.execute("update batches set member = ?1 where seq = 3", [&damaged]).unwrap();
            let store = open(&dir);
            let batches = store.reader().batches(0, usize::MAX).await.unwrap();
            let errors: Vec<_> = batches.iter().filter_map(|batch| batch.decode().err()).collect();
            assert!(errors.len() == 1 && errors[0].kind() == ErrorKind::Corrupt, "byte {at}: {errors:?}");
            drop(store);
        }
        let rig = Rig::new(Backend::Sqlite(Arc::new(open(&dir)), dir), ingest::Settings::default());
        let damaged = rig.api.handle(Req::get(&format!("/data/{}", log[2].event_id)).received()).await;
        assert_eq!(damaged.status(), 500);
        let served = rig.api.handle(Req::get(&format!("/tasks/{}/history", log[0].event_id)).received()).await;
        assert_eq!(served.status(), 200);
    });
}

#[test]
fn what_was_handed_over_is_committed_when_the_store_is_dropped() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(open(&dir));
        let puts: Vec<_> = (0..500)
            .map(|n| {
                let store = Arc::clone(&store);
                Box::pin(async move { store.put(vec![plain(n)]).await })
            })
            .collect();
        // Each is polled once, so that it is handed over, and then given up.
        for mut put in puts {
            assert!(futures::poll!(&mut put).is_pending());
            drop(put);
        }
        drop(store);
        let (all, _) = open(&dir).reader().counts().await.unwrap();
        assert_eq!(all, 500);
    });
}

#[test]
fn a_failed_commit_acknowledges_nobody_and_the_next_goes_on() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        drop(store.put(vec![plain(1)]).await.unwrap());
        let other = Connection::open(dir.path().join("store.db")).unwrap();
        other
            .execute_batch("create trigger stop before insert on batches begin select raise(abort, 'no'); end")
            .unwrap();
        let puts = (2..20).map(|n| store.put(vec![plain(n)]));
        for result in futures::future::join_all(puts).await {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        assert_eq!(store.failure(), None);
        other.execute_batch("drop trigger stop").unwrap();
        drop(store.put(vec![plain(30)]).await.unwrap());
        let batches = store.reader().batches(0, usize::MAX).await.unwrap();
        assert_eq!(batches.iter().map(|batch| (batch.seq, batch.events)).collect::<Vec<_>>(), [(1, 1), (2, 1)]);
    });
}

#[test]
fn work_that_always_fails_goes_alone() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        drop(store.put(vec![plain(1)]).await.unwrap());
        let other = Connection::open(dir.path().join("store.db")).unwrap();
        other
            .execute_batch(
                "create trigger stop before insert on states when new.id = 'bad' begin select raise(abort, 'no'); end",
            )
            .unwrap();
        for round in 0..3 {
            // Handed over at once, so that they share a commit with the one that fails.
            let appends = (0..20).map(|n| {
                let name = if n == 7 { "bad".to_owned() } else { format!("{round}-{n}") };
                store.append(change(100 + 20 * round + n, &entity("red", &name), 0, "new"))
            });
            for (n, result) in futures::future::join_all(appends).await.into_iter().enumerate() {
                match result {
                    Ok(appended) => assert!(n != 7 && matches!(appended, Appended::Done(_)), "{n}: {appended:?}"),
                    Err(error) => assert!(n == 7 && error.kind() == ErrorKind::Unavailable, "{n}: {error}"),
                }
            }
        }
        assert_eq!(store.failure(), None);
        assert_eq!(store.reader().counts().await.unwrap().0, 1 + 3 * 19);
    });
}

#[test]
fn a_database_that_was_deleted_or_replaced_in_use_ends_the_store() {
    for (file, replaced) in [
        ("store.db", false),
        ("store.db-wal", false),
        ("store.lock", false),
        ("store.db", true),
        ("store.db-wal", true),
        ("store.lock", true),
    ] {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let store = open(&dir);
            drop(store.put(vec![plain(1)]).await.unwrap());
            let path = dir.path().join(file);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            if replaced {
                std::fs::write(&path, bytes).unwrap();
            }
            for n in 2..5 {
                let error = store.put(vec![plain(n)]).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
            }
            assert!(store.failure().unwrap().contains("deleted or replaced"), "{:?}", store.failure());
        });
    }
}

#[test]
fn a_lost_database_is_missed_and_no_new_history_begun() {
    run(async {
        let (dir, _) = used().await;
        let path = dir.path().join("store.db");
        let lost = std::fs::read(&path).unwrap();
        let refused = |dir: &TempDir, reason: &str| {
            let error = SqliteStore::open(dir.path(), [3; 4]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unusable);
            assert!(error.to_string().contains(reason) && error.to_string().contains("store.id"), "{error}");
        };
        std::fs::remove_file(&path).unwrap();
        refused(&dir, "is gone");
        assert!(!path.exists(), "a refusal makes nothing");
        std::fs::write(&path, b"").unwrap();
        refused(&dir, "is empty");
        let (other, _) = (tempfile::tempdir().unwrap(), ());
        drop(SqliteStore::open(other.path(), [9; 4]).unwrap());
        std::fs::copy(other.path().join("store.db"), &path).unwrap();
        refused(&dir, "is another store's");
        std::fs::write(&path, &lost).unwrap();
        assert_eq!(open(&dir).reader().counts().await.unwrap().0, 4);
        // Whoever means to begin anew says so.
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(dir.path().join("store.id")).unwrap();
        assert_eq!(open(&dir).reader().counts().await.unwrap().0, 0);
    });
}

#[test]
fn a_locked_database_is_an_error_and_the_store_goes_on_after_it() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        drop(store.put(vec![plain(1)]).await.unwrap());
        let other = Connection::open(dir.path().join("store.db")).unwrap();
        other.execute_batch("begin immediate").unwrap();
        let error = store.put(vec![plain(2)]).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        other.execute_batch("commit").unwrap();
        drop(store.put(vec![plain(3)]).await.unwrap());
        assert_eq!(store.failure(), None);
    });
}

#[test]
fn what_is_read_is_what_was_written_or_an_error() {
    run(async {
        let (dir, log) = used().await;
        let (task, submission) = (log[0].entity_id.clone().unwrap(), log[2].event_id);
        let (get, list) = (format!("/tasks/{task}"), "/tasks".to_owned());
        let (history, submissions) = (format!("/tasks/{task}/history"), "/data?user_id=u".to_owned());
        for (damage, path) in [
            ("update states set state = replace(state, '\"b\"', '\"c\"')", &get),
            ("update states set state = replace(state, '\"b\"', '\"c\"')", &list),
            ("update states set version = 3", &get),
            ("update states set deleted = 1", &get),
            ("update states set places = replace(places, ',[2,', ',[2,1') where version = 2", &history),
            ("update states set places = ',[1,1,0],[2,1,0]' where version = 2", &history),
            ("update states set places = ',[1,1,0],[2,1,' where version = 2", &history),
            ("update states set places = ',[1,1,0],[2,1,-1]' where version = 2", &history),
            ("update submissions set seq = 1", &submissions),
        ] {
            let copy = tempfile::tempdir().unwrap();
            std::fs::copy(dir.path().join("store.db"), copy.path().join("store.db")).unwrap();
            let rig = Rig::new(Backend::Sqlite(Arc::new(open(&copy)), copy), ingest::Settings::default());
            assert_eq!(rig.api.handle(Req::get(path).received()).await.status(), 200, "{path}");
            let connection = Connection::open(rig.backend.folder().unwrap().join("store.db")).unwrap();
            assert_eq!(connection.execute(damage, []).unwrap(), 1);
            assert_eq!(rig.api.handle(Req::get(path).received()).await.status(), 500, "{damage}: {path}");
            let other = rig.api.handle(Req::get(&format!("/data/{submission}")).received()).await;
            assert_eq!(other.status(), 200, "the rest is served");
        }
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(dir.path().join("store.db"), copy.path().join("store.db")).unwrap();
        let connection = Connection::open(copy.path().join("store.db")).unwrap();
        assert_eq!(connection.execute("update kept set answer = replace(answer, '201', '200')", []).unwrap(), 1);
        let rig = Rig::new(Backend::Sqlite(Arc::new(open(&copy)), copy), ingest::Settings::default());
        let again = Req::post("/data", r#"{"user_id":"u","message":"m"}"#).h("idempotency-key", "k");
        assert_eq!(rig.api.handle(again.received()).await.status(), 500, "not done a second time");
    });
}

#[test]
fn versions_have_their_places_wherever_those_stand() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let (a, b) = (entity("red", "a"), entity("red", "b"));
        for (n, version) in (1..).zip(0..40) {
            let (one, other) = (change(n, &a, version, "new"), change(100 + n, &b, version, "new"));
            let (one, other) = futures::join!(store.append(one), store.append(other));
            drop((one.unwrap(), other.unwrap()));
        }
        let rows: i64 = Connection::open(dir.path().join("store.db"))
            .unwrap()
            .query_row("select count(*) from versions where id = 'a'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 32, "the latest eight stand in the state's row");
        for (after, limit) in [(0, 100), (0, 40), (0, 32), (30, 5), (31, 1), (32, 1), (35, 100), (40, 1), (7, 0)] {
            let events = store.history(&a, after, limit).await.unwrap();
            let versions: Vec<_> = events.iter().filter_map(|event| event.entity_version).collect();
            assert_eq!(versions, (after + 1..=40).take(limit).collect::<Vec<_>>(), "{limit} after {after}");
            assert!(events.iter().all(|event| event.entity_id.as_deref() == Some("a")));
        }
        let found = store.reader().soundness(|_| true).await.unwrap();
        assert_eq!((found.offender, found.events), (None, 80));
        assert_eq!(store.reader().first_unplaced().await.unwrap(), None);
        // One of either kind is lost.
        for lost in [
            "delete from versions where version = 9",
            "update states set places = substr(places, instr(places, ',[34,'))",
            "update states set places = substr(places, 1, instr(places, ',[40,') - 1)",
            "update states set places = replace(places, ',[38,', ',[30,')",
        ] {
            let copy = tempfile::tempdir().unwrap();
            let target = copy.path().join("store.db").display().to_string();
            Connection::open(dir.path().join("store.db")).unwrap().execute("vacuum into ?1", [&target]).unwrap();
            let copied = open(&copy);
            assert_eq!(Connection::open(&target).unwrap().execute(lost, []).unwrap(), 2);
            assert!(copied.reader().soundness(|_| true).await.unwrap().offender.is_some(), "{lost}");
        }
    });
}

#[test]
fn a_change_that_needs_damaged_places_is_refused_as_damage_and_others_are_made() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let (a, b) = (entity("red", "a"), entity("red", "b"));
        for (n, version) in (1..).zip(0..15) {
            drop(store.append(change(n, &a, version, "new")).await.unwrap());
        }
        let other = Connection::open(dir.path().join("store.db")).unwrap();
        assert_eq!(other.execute("update states set places = replace(places, ',[9,', ',[8,')", []).unwrap(), 1);
        // The sixteenth makes rows of them.
        let (broken, whole) =
            futures::join!(store.append(change(16, &a, 15, "new")), store.append(change(17, &b, 0, "new")));
        assert_eq!(broken.unwrap_err().kind(), ErrorKind::Corrupt);
        drop(whole.unwrap());
    });
}

#[test]
fn a_database_of_version_one_is_migrated_and_read() {
    run(async {
        let (dir, log) = used().await;
        let path = dir.path().join("store.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch(
                "insert into versions select tenant, kind, states.id, value ->> 0, value ->> 1, value ->> 2
                     from states, json_each('[' || ltrim(places, ',') || ']');
                 alter table states drop column places;
                 drop index users_by_creation; drop index users_by_email; drop index assets_by_creation;
                 drop index assets_by_status; alter table states drop column checksum;
                 alter table kept drop column checksum; pragma user_version = 1",
            )
            .unwrap();
        std::fs::remove_file(dir.path().join("store.id")).unwrap();
        let rig = Rig::new(Backend::Sqlite(Arc::new(open(&dir)), dir), ingest::Settings::default());
        assert_eq!(rig.backend.log().await, log);
        let path = format!("/tasks/{}", log[0].entity_id.clone().unwrap());
        assert_eq!(rig.api.handle(Req::get(&path).received()).await.status(), 200);
        assert_eq!(rig.api.handle(Req::put(&path, r#"{"task":"c"}"#).received()).await.status(), 200);
        let history = rig.api.handle(Req::get(&format!("{path}/history")).received()).await;
        assert_eq!(json(&history)["count"], 3);
        assert_eq!(std::fs::read_to_string(rig.backend.folder().unwrap().join("store.id")).unwrap(), "01010101\n");
    });
}

#[test]
fn fields_of_a_later_version_survive_the_store_the_relay_and_a_removal() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let Append { event, .. } = submitted(1, "red", "u");
        let text = String::from_utf8(event.to_line()).unwrap();
        let later = text.replacen('{', r#"{"of_a_later_version":{"a":[1,null]},"#, 1);
        let later = event::Sealed::of(event::Event::from_line(later.as_bytes()).unwrap());
        assert_ne!(later.event_hash, event.event_hash, "the hash covers what is not known");
        let made = submitted(1, "red", "u");
        drop(store.append(Append { event: later.clone(), ..made }).await.unwrap());
        drop(store.put(vec![plain(2), plain(3)]).await.unwrap());
        drop(store.put(vec![plain(4)]).await.unwrap());
        let now = later.received_at;
        ingest::local::relay::drain(&store, now).await.unwrap();
        let year = event::Timestamp::from_micros(now.micros() + 365 * 24 * 3_600 * 1_000_000);
        let retention = Retention { events: Some(Duration::from_secs(1)), submissions: None };
        assert_eq!(remove(&store, retention, year).await.unwrap().events, 2);
        let entity = EntityRef { tenant: "red".to_owned(), kind: "data".to_owned(), id: later.event_id.to_string() };
        assert_eq!(store.history(&entity, 0, 1).await.unwrap(), [later]);
    });
}
