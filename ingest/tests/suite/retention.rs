//! Old events leave the store once the raw log has them; what is left is right, and what is gone is said to be.

use std::sync::Arc;
use std::time::Duration;

use event::{Event, Timestamp};
use ingest::local::relay::drain;
use ingest::local::retention::{Removed, Retention, remove};
use ingest::store::sqlite::SqliteStore;
use ingest::store::{EventSink, EventStore, ListOf, ListQuery};
use rusqlite::Connection;

use crate::backend::Backend;
use crate::conformance::{change, entity, plain, submitted};
use crate::rig::{Req, Rig, json, run};

const DAY: u64 = 24 * 60 * 60;
/// The id of [`conformance::id`](crate::conformance::id) is of this time.
const MADE: i64 = 1_763_631_026_059_000;

fn days(days: u64) -> Option<Duration> {
    Some(Duration::from_secs(days * DAY))
}

fn day(day: i64) -> Timestamp {
    Timestamp::from_micros(MADE + day * 24 * 3_600 * 1_000_000)
}

fn open(dir: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::open(dir.path(), [1; 4]).unwrap()
}

/// Three versions of a task, submissions and reads, in batches of their own and shared ones.
async fn fill(store: &SqliteStore) {
    let a = entity("red", "a");
    drop(store.append(change(1, &a, 0, "new")).await.unwrap());
    drop(store.append(submitted(2, "red", "u")).await.unwrap());
    let together = futures::join!(
        store.append(change(3, &a, 1, "in_progress")),
        store.append(submitted(4, "red", "u")),
        store.append(submitted(5, "red", "v")),
        store.put((6..12).map(plain).collect()),
        store.append(submitted(12, "red", "u")),
    );
    drop((together.0.unwrap(), together.1.unwrap(), together.2.unwrap(), together.3.unwrap(), together.4.unwrap()));
    drop(store.append(change(13, &a, 2, "completed")).await.unwrap());
    drop(store.put(vec![plain(14)]).await.unwrap());
}

async fn check(store: &SqliteStore) {
    let found = store.reader().soundness(|_| true).await.unwrap();
    assert_eq!(found.offender, None);
    assert_eq!(store.reader().first_unplaced().await.unwrap(), None);
}

async fn submissions(store: &SqliteStore, user: &str) -> usize {
    let of = ListOf::Submissions { user_id: user.to_owned() };
    let query = ListQuery { tenant: "red".to_owned(), of, before: None, limit: 100, now: day(0) };
    store.list(&query).await.unwrap().len()
}

async fn versions(store: &SqliteStore) -> Vec<i64> {
    let events = store.history(&entity("red", "a"), 0, 100).await.unwrap();
    events.into_iter().filter_map(|event| event.entity_version).collect()
}

#[test]
fn nothing_goes_before_its_time_nor_before_the_raw_log_has_it() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        fill(&store).await;
        let thirty = Retention { events: days(30), submissions: None };
        assert_eq!(remove(&store, thirty, day(40)).await.unwrap(), Removed::default(), "not relayed");
        drain(&store, day(0)).await.unwrap();
        assert_eq!(remove(&store, thirty, day(29)).await.unwrap(), Removed::default(), "not old");
        assert_eq!(remove(&store, Retention::default(), day(9_999)).await.unwrap(), Removed::default(), "for ever");
        let raw = dir.path().join("raw");
        std::fs::rename(&raw, dir.path().join("elsewhere")).unwrap();
        assert_eq!(remove(&store, thirty, day(40)).await.unwrap(), Removed::default(), "not in the raw log any more");
        std::fs::rename(dir.path().join("elsewhere"), &raw).unwrap();
        assert_eq!(versions(&store).await, [1, 2, 3]);
        assert!(remove(&store, thirty, day(40)).await.unwrap().events > 0);
        check(&store).await;
    });
}

#[test]
fn events_go_and_submissions_stay_until_theirs() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        fill(&store).await;
        drain(&store, day(0)).await.unwrap();
        let both = Retention { events: days(30), submissions: days(300) };
        let removed = remove(&store, both, day(31)).await.unwrap();
        assert_eq!(removed.events, 3 + 6, "all but submissions and the last batch");
        check(&store).await;
        assert_eq!((submissions(&store, "u").await, submissions(&store, "v").await), (3, 1));
        assert!(versions(&store).await.is_empty());
        assert_eq!(store.load(&entity("red", "a")).await.unwrap().unwrap().version, 3, "states stay");
        assert_eq!(remove(&store, both, day(31)).await.unwrap(), Removed::default(), "once");
        assert_eq!(remove(&store, both, day(301)).await.unwrap().events, 4);
        assert_eq!((submissions(&store, "u").await, submissions(&store, "v").await), (0, 0));
        check(&store).await;

        // Numbers and ids go on from where they were.
        drop(store);
        let store = open(&dir);
        let last = store.reader().last_event_id().await.unwrap();
        assert_eq!(last, Some(plain(14).event_id));
        drop(store.append(change(20, &entity("red", "a"), 3, "new")).await.unwrap());
        assert_eq!(drain(&store, day(301)).await.unwrap().events, 1);
        assert_eq!(versions(&store).await, [4]);
        check(&store).await;
    });
}

#[test]
fn submissions_may_go_before_other_events() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        fill(&store).await;
        drain(&store, day(0)).await.unwrap();
        let removed = remove(&store, Retention { events: None, submissions: days(1) }, day(2)).await.unwrap();
        assert_eq!(removed.events, 4);
        assert_eq!((submissions(&store, "u").await, versions(&store).await), (0, vec![1, 2, 3]));
        check(&store).await;
    });
}

#[test]
fn a_damaged_mark_of_the_removed_is_found() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        fill(&store).await;
        drain(&store, day(0)).await.unwrap();
        remove(&store, Retention { events: days(1), submissions: None }, day(2)).await.unwrap();
        drop(store.append(change(20, &entity("red", "a"), 3, "new")).await.unwrap());
        check(&store).await;
        let connection = Connection::open(dir.path().join("store.db")).unwrap();
        assert_eq!(connection.execute("update states set places = '' where version = 4", []).unwrap(), 1);
        assert!(store.reader().first_unplaced().await.unwrap().is_some(), "it is newer than what was removed");
    });
}

#[test]
fn a_history_says_what_is_no_longer_there() {
    run(async {
        let rig = Rig::new(Backend::sqlite(), ingest::Settings::default());
        let path = format!("/tasks/{}", rig.task("a").await);
        rig.expect(200, Req::put(&path, r#"{"task":"b"}"#)).await;
        let Backend::Sqlite(store, _) = &rig.backend else { panic!("a database") };
        drain(store, day(0)).await.unwrap();
        let later = Timestamp::from_micros(store_time(store).await + 40 * 24 * 3_600 * 1_000_000);
        rig.expect(404, Req::get("/nothing")).await;
        assert_eq!(remove(store, Retention { events: days(30), submissions: None }, later).await.unwrap().events, 2);
        let send = async |target: String| rig.api.handle(Req::get(&target).received()).await;
        let history = send(format!("{path}/history")).await;
        assert_eq!((history.status(), &json(&history)["complete"]), (200, &false.into()));
        assert_eq!((&json(&history)["count"], &json(&history)["query"]), (&0.into(), &"entity_history".into()));
        assert_eq!(json(&send(path.clone()).await)["task"], "b");
        assert_eq!(json(&send(format!("{path}?version=2")).await)["task"], "b");
        let gone = send(format!("{path}?version=1")).await;
        assert_eq!(gone.status(), 404);
        assert!(String::from_utf8_lossy(gone.body()).contains("entity_as_of"));
        let changed = rig.api.handle(Req::put(&path, r#"{"task":"c"}"#).received()).await;
        assert_eq!(changed.status(), 200);
        let history = send(format!("{path}/history")).await;
        assert_eq!((&json(&history)["count"], &json(&history)["items"][0]["changes"]), (&1.into(), &().into()));
        check(store).await;
    });
}

/// The time in the store's last id, microseconds.
async fn store_time(store: &Arc<SqliteStore>) -> i64 {
    let last = store.reader().last_event_id().await.unwrap().unwrap();
    i64::try_from(last.as_u128() >> 80).unwrap() * 1_000
}

#[test]
fn reads_beside_a_removal_see_all_or_none_of_it() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(open(&dir));
        for n in 0..300 {
            let (a, b) = (submitted(10 * n, "red", "u"), plain(10 * n + 1));
            let both = futures::join!(store.append(a), store.put(vec![b]), store.put(vec![plain(10 * n + 2)]));
            drop((both.0.unwrap(), both.1.unwrap(), both.2.unwrap()));
        }
        drain(&store, day(0)).await.unwrap();
        let reading = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                for _ in 0..60 {
                    assert_eq!(submissions(&store, "u").await, 100);
                    check(&store).await;
                }
            }
        });
        let removed = remove(&store, Retention { events: days(1), submissions: None }, day(2)).await.unwrap();
        assert!(removed.events > 500, "{removed:?}");
        reading.await.unwrap();
        let events: Vec<Event> = Backend::Sqlite(Arc::clone(&store), dir).log().await;
        assert!(events.iter().filter(|event| event.event_type == "data.submitted").count() == 300);
    });
}
