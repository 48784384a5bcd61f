//! What each adapter makes of a service that fails: how often it asks, what it says, and what is durable then.

use std::time::Duration;

use event::domain::task;
use event::{Event, Sealed, Timestamp};
use ingest::ErrorKind;
use ingest::aws::{Fallback, FirehoseSink};
use ingest::store::{Append, Appended, EventSink, EventStore, ListOf, ListQuery};
use rig::plan::{Fault, Plan};
use rig::proxy::{Proxy, Upstreams};

use crate::backend::Backend;
use crate::conformance::{NOW, change, done, entity, id, keeping, plain, submitted};
use crate::rig::run;

const TRANSACTION: &str = "dynamodb:TransactWriteItems";
const PUT: &str = "dynamodb:PutItem";
const LOOK: &str = "dynamodb:TransactGetItems";
const BATCH: &str = "firehose:PutRecordBatch";
const OBJECT: &str = "s3:PutObject*";

fn behind_a_proxy(test: impl AsyncFn(&Proxy, &mut Backend)) {
    run(async {
        let proxy = Proxy::start(Upstreams::from_environment().unwrap()).await.unwrap();
        let mut backend = Backend::behind(&proxy).await;
        test(&proxy, &mut backend).await;
        backend.clients.remove_stream(&backend.stream).await;
    });
}

/// The appends that differ in how they are written, by number: a transaction, the same with a kept answer, one item.
fn appends(n: u128) -> [(&'static str, u128, Append); 3] {
    let kept = keeping(submitted(n + 2, "red", "u"), &format!("s{n}"), NOW + 1_000_000);
    [
        (TRANSACTION, n, change(n, &entity("red", &n.to_string()), 0, "new")),
        (TRANSACTION, n + 2, kept),
        (PUT, n + 1, submitted(n + 1, "red", "u")),
    ]
}

#[test]
fn one_fault_is_not_seen() {
    behind_a_proxy(async |proxy, backend| {
        let (store, mut n) = (backend.dynamo(backend.settings()), 0);
        for fault in [
            Fault::DropBefore,
            Fault::BreakOff,
            Fault::DropAfter,
            Fault::Duplicate,
            Fault::Throttle,
            Fault::Internal,
            Fault::Unavailable,
            Fault::Conflict,
            Fault::Truncate,
        ] {
            n += 10;
            for (operation, id, append) in appends(n) {
                proxy.play(Plan::none().on(operation, 1, fault));
                done(store.append(append.clone()).await.unwrap_or_else(|error| panic!("{fault:?}: {error}")), id);
                let traffic = proxy.take();
                assert_eq!(traffic.faults(), 1, "{fault:?}");
                assert_eq!(traffic.count("*"), if fault == Fault::Duplicate { 1 } else { 2 }, "{fault:?}: {traffic}");
                assert_eq!(store.history(&append.entity, 0, 9).await.unwrap(), [append.event], "{fault:?}");
                proxy.take();
            }
        }
        assert_eq!(backend.table_events().await.len(), 27, "each once");
    });
}

#[test]
fn a_table_that_stays_busy_has_changed_nothing() {
    behind_a_proxy(async |proxy, backend| {
        let store = backend.dynamo(backend.settings());
        for fault in [Fault::Throttle, Fault::Conflict] {
            for (operation, _, append) in appends(1) {
                proxy.play(Plan::none().always(operation, fault));
                let error = store.append(append).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert_eq!(proxy.take().operations(), [operation; 3], "three attempts, and nothing to look for");
            }
        }
        assert!(backend.items().await.is_empty());
    });
}

#[test]
fn answers_that_stay_lost_are_found_out() {
    behind_a_proxy(async |proxy, backend| {
        let store = backend.dynamo(backend.settings());
        for (operation, n, append) in appends(1) {
            proxy.play(Plan::none().always(operation, Fault::DropAfter));
            done(store.append(append).await.unwrap(), n);
            assert_eq!(proxy.take().operations(), [operation, operation, operation, LOOK]);
        }
        assert_eq!(backend.table_events().await.len(), 3);
        // Looked, and it is not there: that says it all if the table had answered, and nothing if it had not.
        for (fault, kind) in [(Fault::Internal, ErrorKind::Unavailable), (Fault::DropBefore, ErrorKind::Unknown)] {
            for (operation, _, append) in appends(101) {
                proxy.play(Plan::none().always(operation, fault));
                let error = store.append(append).await.unwrap_err();
                assert_eq!(error.kind(), kind, "{error}");
                assert_eq!(proxy.take().operations(), [operation, operation, operation, LOOK]);
            }
        }
        assert_eq!(backend.table_events().await.len(), 3);
        for (n, fault) in [(201, Fault::DropAfter), (301, Fault::DropBefore)] {
            for (operation, _, append) in appends(n) {
                proxy.play(Plan::none().always(operation, fault).always(LOOK, Fault::DropBefore));
                let error = store.append(append).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unknown, "nobody can tell: {error}");
            }
        }
    });
}

/// Our write came through, its answer was lost, and another one followed before we asked again.
#[test]
fn a_change_that_was_overtaken_is_still_one_s_own() {
    behind_a_proxy(async |_, backend| {
        let store = backend.dynamo(backend.settings());
        let a = entity("red", "a");
        let first = change(1, &a, 0, "new");
        done(store.append(first.clone()).await.unwrap(), 1);
        done(store.append(change(2, &a, 1, "new")).await.unwrap(), 2);
        // Another kept answer makes another token: the table does not know the repetition, its event does.
        let again = keeping(first, "s", NOW + 1_000_000);
        done(store.append(again).await.unwrap(), 1);
        assert_eq!(store.load(&a).await.unwrap().unwrap().version, 2);
        let late = change(3, &a, 0, "new");
        assert_eq!(store.append(late).await.unwrap(), Appended::Conflict);
    });
}

#[test]
fn reads_are_repeated_and_then_given_up() {
    behind_a_proxy(async |proxy, backend| {
        let store = backend.dynamo(backend.settings());
        let a = entity("red", "a");
        done(store.append(change(1, &a, 0, "new")).await.unwrap(), 1);
        let of = ListOf::States { kind: task::ENTITY.to_owned(), filters: Vec::new() };
        let query =
            ListQuery { tenant: "red".to_owned(), of, before: None, limit: 9, now: Timestamp::from_micros(NOW) };
        for fault in [Fault::Throttle, Fault::Internal, Fault::DropAfter, Fault::Truncate] {
            let plan = |plan: Plan, operation: &str| plan.on(operation, 1, fault);
            let operations = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"];
            proxy.play(operations.into_iter().fold(Plan::none(), plan));
            assert_eq!(store.load(&a).await.unwrap().unwrap().version, 1, "{fault:?}");
            assert_eq!(store.history(&a, 0, 9).await.unwrap().len(), 1, "{fault:?}");
            assert_eq!(store.list(&query).await.unwrap().len(), 1, "{fault:?}");
            proxy.play(Plan::none().always("dynamodb:*", fault));
            proxy.take();
            for error in [
                store.load(&a).await.unwrap_err(),
                store.history(&a, 0, 9).await.unwrap_err(),
                store.kept("s", event::Timestamp::from_micros(NOW)).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}: {error}");
            }
            assert_eq!(proxy.take().count("*"), 9, "{fault:?}");
            assert_eq!(store.list(&query).await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
    });
}

/// An event whose line fills more than half a record: each travels in one of its own.
fn large(n: u128) -> Sealed {
    Sealed::of(Event { user_agent: Some("x".repeat(600_000)), ..plain(n).into_event() })
}

#[test]
fn of_a_put_only_the_failed_records_are_repeated() {
    behind_a_proxy(async |proxy, backend| {
        let sink = FirehoseSink::new(backend.lines());
        let events: Vec<Sealed> = (1..=5).map(large).collect();
        proxy.play(Plan::none().on(BATCH, 1, Fault::PartialPut(0b01101)).on(BATCH, 2, Fault::PartialPut(0b010)));
        let receipts = sink.put(events.clone()).await.unwrap();
        let ids: Vec<_> = receipts.iter().map(|receipt| receipt.event_id()).collect();
        assert_eq!(ids, (1..=5).map(id).collect::<Vec<_>>(), "in the order of the events");
        let sent: Vec<u64> = proxy.take().0.iter().map(|exchange| exchange.request_bytes / 800_000).collect();
        assert_eq!(sent, [5, 3, 1], "records a call");
        let mut log = backend.log().await;
        log.sort_by_key(|event| event.event_id);
        assert_eq!(log, events, "each once");
        proxy.play(Plan::none().always(BATCH, Fault::PartialPut(u64::MAX)));
        let error = sink.put(vec![plain(9)]).await.unwrap_err();
        assert_eq!((error.kind(), proxy.take().count(BATCH)), (ErrorKind::Unavailable, 3), "{error}");
    });
}

#[test]
fn firehose_is_asked_again_before_it_is_given_up() {
    behind_a_proxy(async |proxy, backend| {
        let sink = FirehoseSink::new(backend.lines());
        for fault in [Fault::Throttle, Fault::Internal, Fault::Unavailable, Fault::DropBefore] {
            proxy.play(Plan::none().during(BATCH, 1..=2, fault));
            assert_eq!(sink.put(vec![plain(1)]).await.unwrap().len(), 1, "{fault:?}");
            assert_eq!(proxy.take().count(BATCH), 3, "{fault:?}");
            proxy.play(Plan::none().always(BATCH, fault));
            assert_eq!(sink.put(vec![plain(1)]).await.unwrap_err().kind(), ErrorKind::Unavailable, "{fault:?}");
            assert_eq!(proxy.take().count(BATCH), 3, "{fault:?}");
        }
        let huge = Sealed::of(Event { user_agent: Some("x".repeat(1 << 20)), ..plain(2).into_event() });
        proxy.play(Plan::none());
        assert_eq!(sink.put(vec![plain(1), huge]).await.unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(proxy.take().count("*"), 0, "nothing was sent");
    });
}

#[test]
fn an_object_is_written_once_whatever_happens() {
    behind_a_proxy(async |proxy, backend| {
        let sink = backend.objects();
        let faults =
            [Fault::DropBefore, Fault::BreakOff, Fault::DropAfter, Fault::Throttle, Fault::Internal, Fault::Conflict];
        for (n, fault) in (1..).zip(faults) {
            proxy.play(Plan::none().on(OBJECT, 1, fault));
            let receipts = sink.put(vec![plain(n), plain(100 + n)]).await.unwrap();
            assert_eq!((receipts[0].event_id(), receipts[1].event_id()), (id(n), id(100 + n)), "{fault:?}");
            assert_eq!(proxy.take().count(OBJECT), 2, "{fault:?}");
        }
        let keys = backend.keys("raw/").await;
        assert_eq!(keys.len(), faults.len());
        assert!(keys.iter().all(|key| key.starts_with("raw/dt=2025-11-20/hour=09/fallback-019aa0c5-")), "{keys:?}");
        assert_eq!(backend.log().await.len(), 2 * faults.len());
        // The same first event, but more of them: no lines take another's place.
        assert_eq!(sink.put(vec![plain(1), plain(101), plain(201)]).await.unwrap().len(), 3);
        assert_eq!(backend.keys("raw/").await.len(), keys.len() + 1);
        proxy.take();
        proxy.play(Plan::none().always(OBJECT, Fault::Conflict));
        let error = sink.put(vec![plain(7)]).await.unwrap_err();
        assert_eq!((error.kind(), proxy.take().count(OBJECT)), (ErrorKind::Unavailable, 3), "{error}");
        assert!(sink.put(Vec::new()).await.unwrap().is_empty());
    });
}

#[test]
fn bodies_are_set_aside_once_whatever_happens() {
    behind_a_proxy(async |proxy, backend| {
        let store = backend.dynamo(backend.settings());
        for (n, fault) in (1..).zip([Fault::DropAfter, Fault::Conflict, Fault::Unavailable]) {
            let key = format!("bodies/dt=2025-11-20/{n}");
            proxy.play(Plan::none().on(OBJECT, 1, fault).on("s3:GetObject*", 1, Fault::Throttle));
            store.set_aside(&key, b"body").await.unwrap();
            assert_eq!(store.read_aside(&key).await.unwrap().as_deref(), Some(b"body".as_slice()), "{fault:?}");
        }
        proxy.play(Plan::none().always("s3:*", Fault::Unavailable));
        assert_eq!(store.set_aside("bodies/x", b"").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(store.read_aside("bodies/x").await.unwrap_err().kind(), ErrorKind::Unavailable);
    });
}

#[test]
fn where_firehose_fails_an_object_is_written() {
    behind_a_proxy(async |proxy, backend| {
        let deadline = backend.parts.deadline.clone();
        let sink = Fallback::new(FirehoseSink::new(backend.lines()), backend.objects(), deadline);
        assert_eq!(sink.put(vec![plain(1)]).await.unwrap().len(), 1);
        assert_eq!((sink.used(), backend.log().await), (0, vec![plain(1).into_event()]));
        proxy.play(Plan::none().always("firehose:*", Fault::Unavailable));
        let changed = change(2, &entity("red", "a"), 0, "new").event;
        let changed = Sealed::of(Event { state_hash: Some("h".to_owned()), ..changed.into_event() });
        let receipts = sink.put(vec![changed.clone(), plain(3)]).await.unwrap();
        assert_eq!((receipts[0].event_id(), receipts[1].event_id(), sink.used()), (id(2), id(3), 1));
        let mut log = backend.log().await;
        log.sort_by_key(|event| event.event_id);
        assert_eq!(log[1], changed, "a change is chained: its line stays as it is");
        assert_eq!(log[2], Sealed::of(Event { ingest_path: "fallback".to_owned(), ..plain(3).into_event() }));
        proxy.play(Plan::none().always("firehose:*", Fault::Unavailable).always("s3:*", Fault::Throttle));
        let error = sink.put(vec![plain(4)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("ServiceUnavailable") && error.to_string().contains("SlowDown"), "{error}");
    });
}

#[test]
fn a_firehose_that_hangs_leaves_time_for_the_other_road() {
    behind_a_proxy(async |proxy, backend| {
        let deadline = backend.parts.deadline.clone();
        let sink = Fallback::new(FirehoseSink::new(backend.lines()), backend.objects(), deadline.clone());
        let begun = tokio::time::Instant::now();
        deadline.set(Some((begun + Duration::from_secs(2)).into_std()));
        proxy.play(Plan::none().always("firehose:*", Fault::Delay(Duration::from_secs(5))));
        assert_eq!(sink.put(vec![plain(1)]).await.unwrap().len(), 1);
        assert!(begun.elapsed() < Duration::from_secs(2) && sink.used() == 1, "{:?}", begun.elapsed());
    });
}

#[test]
fn every_call_ends_with_the_deadline() {
    behind_a_proxy(async |proxy, backend| {
        let store = backend.dynamo(backend.settings());
        proxy.play(Plan::none().always("*", Fault::Delay(Duration::from_secs(5))));
        let begun = tokio::time::Instant::now();
        backend.parts.deadline.set(Some((begun + Duration::from_millis(300)).into_std()));
        let a = entity("red", "a");
        let (read, put, aside, append) = tokio::join!(
            store.load(&a),
            async { backend.objects().put(vec![plain(1)]).await },
            store.read_aside("bodies/x"),
            store.append(change(1, &a, 0, "new")),
        );
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let kinds = [read.unwrap_err().kind(), put.unwrap_err().kind(), aside.unwrap_err().kind()];
        assert_eq!(kinds, [ErrorKind::Unavailable; 3]);
        assert_eq!(append.unwrap_err().kind(), ErrorKind::Unknown, "it may still arrive");
    });
}
