//! Notices and retention: what had its time in the store before it was told of is said to be missed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use event::Timestamp;
use ingest::System;
use ingest::local::notices::{Missed, Notifier, Receiver, Record, Settings, removed_to, url};
use ingest::local::relay::drain;
use ingest::local::retention::{Retention, remove};
use ingest::notice::{Choice, Secret};
use ingest::store::EventStore;
use ingest::store::sqlite::SqliteStore;
use tokio::sync::watch;

use crate::conformance::{change, entity, submitted};
use crate::rig::run;

/// A time by which the ids of the conformance suite are old by far.
fn later() -> Timestamp {
    Timestamp::from_micros(4_000_000_000_000_000)
}

async fn notifier(store: &Arc<SqliteStore>, choice: &Choice) -> Notifier {
    let url = url("http://127.0.0.1:9/").unwrap();
    let settings = Settings { url, secret: Secret::of([1; 32]), timeout: Duration::from_secs(1) };
    let receiver = Receiver::new(settings, System::real()).unwrap();
    Notifier::open(Arc::clone(store), choice.clone(), receiver, 35, System::real()).await.unwrap()
}

/// The record once the notifier has read everything, and what it says is so.
async fn followed(store: &Arc<SqliteStore>, choice: &Choice, folder: &Path, so: impl Fn(&Record) -> bool) -> Record {
    let last = store.reader().extent().await.unwrap().last;
    let (stop, stopped) = watch::channel(());
    let notifier = notifier(store, choice).await;
    let running = tokio::spawn(notifier.run(Duration::from_millis(5), stopped));
    for _ in 0..2_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if Record::read(folder).unwrap().is_some_and(|record| record.read_to == last && so(&record)) {
            break;
        }
    }
    drop(stop);
    running.await.unwrap();
    Record::read(folder).unwrap().unwrap()
}

#[test]
fn what_went_before_it_was_told_of_is_said_to_be_missed() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(dir.path(), [1; 4]).unwrap());
        let tasks = Choice::parse(&["task.*"]).unwrap();
        drop(notifier(&store, &tasks).await);
        let a = entity("red", "a");
        for (number, expected, status) in [(1, 0, "new"), (2, 1, "in_progress"), (3, 2, "completed")] {
            drop(store.append(change(number, &a, expected, status)).await.unwrap());
        }
        drop(store.append(submitted(4, "red", "u")).await.unwrap());
        drain(&store, later()).await.unwrap();
        let events = Retention { events: Some(Duration::from_secs(1)), submissions: None };
        assert_eq!(remove(&store, events, later()).await.unwrap().events, 3);

        let record = followed(&store, &tasks, dir.path(), |_| true).await;
        assert_eq!(record.missed, Some(Missed { first: 1, last: 3 }));
        assert_eq!((record.read_to, record.waiting.len()), (4, 0));
        assert_eq!(followed(&store, &tasks, dir.path(), |_| true).await, record, "it is said once");
        let extent = store.reader().extent().await.unwrap();
        assert_eq!(removed_to(extent, &Choice::parse(&["data.submitted"]).unwrap()), 0, "submissions are all there");
    });
}

#[test]
fn what_waits_is_remembered_and_taken_up_again() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(dir.path(), [1; 4]).unwrap());
        let submissions = Choice::parse(&["data.submitted"]).unwrap();
        drop(notifier(&store, &submissions).await);
        let ids = [1, 2].map(|number| submitted(number, "red", "u"));
        let expect = ids.clone().map(|append| append.event.event_id);
        for append in ids {
            drop(store.append(append).await.unwrap());
        }
        for attempts in 1..=2 {
            let tried = |record: &Record| record.waiting.iter().all(|waiting| waiting.attempts >= attempts);
            let record = followed(&store, &submissions, dir.path(), tried).await;
            let waiting: Vec<_> = record.waiting.iter().map(|waiting| waiting.event_id).collect();
            assert_eq!(waiting, expect, "nobody takes them");
            assert!(record.waiting.iter().all(|waiting| waiting.attempts == attempts), "{record:?}");
        }
    });
}
