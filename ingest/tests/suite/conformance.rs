//! What every store and sink must do, run on each.

use event::domain::submission;
use event::domain::task::{self, Command};
use event::{Event, EventId, Sealed, Timestamp};
use ingest::store::{Append, Appended, EntityRef, Keep, Kept, ListOf, ListQuery, NewState};

use crate::rig::{on_both, verify_log};

pub const NOW: i64 = 1_763_631_026_000_000;

/// The id of the n-th event; neighbours in time.
pub fn id(n: u128) -> EventId {
    EventId::from_u128((0x019a_a0c5_6f8b_7000_8000_u128 << 48) + n)
}

pub fn plain(n: u128) -> Sealed {
    let event = Event {
        event_id: id(n),
        event_type: "request.read".to_owned(),
        schema_version: 1,
        received_at: Timestamp::from_micros(NOW),
        tenant: "red".to_owned(),
        ..Event::default()
    };
    Sealed::of(event)
}

pub fn entity(tenant: &str, name: &str) -> EntityRef {
    EntityRef { tenant: tenant.to_owned(), kind: task::ENTITY.to_owned(), id: name.to_owned() }
}

/// The n-th event: version `expected + 1` of an entity, with a status.
pub fn change(n: u128, entity: &EntityRef, expected: i64, status: &str) -> Append {
    let body = format!(r#"{{"task":"{n}","status":"{status}"}}"#);
    let command = Command::parse_create(&body).unwrap();
    let made = task::decide(None, command, None, &entity.id, Timestamp::from_micros(NOW)).unwrap();
    let event = Event {
        event_type: made.event_type.to_owned(),
        tenant: entity.tenant.clone(),
        entity_type: Some(entity.kind.clone()),
        entity_id: Some(entity.id.clone()),
        entity_version: Some(expected + 1),
        ..plain(n).into_event()
    };
    let state = Some(NewState { state: made.state, deleted: false });
    Append { event: Sealed::of(event), entity: entity.clone(), expected, state, unique: None, keep: None }
}

pub fn submitted(n: u128, tenant: &str, user: &str) -> Append {
    let event = Event {
        event_type: submission::SUBMITTED.to_owned(),
        tenant: tenant.to_owned(),
        user_id: Some(user.to_owned()),
        entity_type: Some(submission::ENTITY.to_owned()),
        entity_id: Some(id(n).to_string()),
        entity_version: Some(1),
        ..plain(n).into_event()
    };
    let entity = EntityRef { tenant: tenant.to_owned(), kind: submission::ENTITY.to_owned(), id: id(n).to_string() };
    Append { event: Sealed::of(event), entity, expected: 0, state: None, unique: None, keep: None }
}

pub fn keeping(append: Append, scope: &str, expires_at: i64) -> Append {
    let kept = Kept {
        fingerprint: "f".to_owned(),
        status: 201,
        headers: vec![("etag".to_owned(), "\"1\"".to_owned())],
        body: "{}".to_owned(),
        event_id: append.event.event_id,
        expires_at,
    };
    Append { keep: Some(Keep { scope: scope.to_owned(), kept }), ..append }
}

#[track_caller]
pub fn done(appended: Appended, n: u128) {
    match appended {
        Appended::Done(receipt) => assert_eq!(receipt.event_id(), id(n)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_append_is_read_back() {
    on_both(async |backend| {
        let store = backend.store();
        let a = entity("red", "a");
        assert_eq!(store.load(&a).await.unwrap(), None);
        let first = change(1, &a, 0, "new");
        done(store.append(first.clone()).await.unwrap(), 1);
        let stored = store.load(&a).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.event_id, stored.deleted), (1, id(1), false));
        assert_eq!((stored.event_hash, stored.state), (first.event.event_hash.clone(), first.state.unwrap().state));
        assert_eq!(store.history(&a, 0, 10).await.unwrap(), [first.event]);
        for other in [entity("blue", "a"), entity("red", "b"), EntityRef { kind: "user".to_owned(), ..a }] {
            assert_eq!(store.load(&other).await.unwrap(), None);
            assert!(store.history(&other, 0, 10).await.unwrap().is_empty());
        }
    });
}

#[test]
fn names_that_look_alike_share_nothing() {
    on_both(async |backend| {
        let store = backend.store();
        let names =
            [("red", "a"), ("red#task", "a"), ("red", "task#a"), ("red%23task", "a"), ("red", "a#"), ("red#", "a")];
        for (n, (tenant, name)) in (1..).zip(names) {
            let own = entity(tenant, name);
            assert_eq!((store.load(&own).await.unwrap(), store.history(&own, 0, 9).await.unwrap().len()), (None, 0));
            done(store.append(change(n, &own, 0, "new")).await.unwrap(), n);
            done(store.append(submitted(100 + n, tenant, name)).await.unwrap(), 100 + n);
        }
        for (n, (tenant, name)) in (1..).zip(names) {
            let own = entity(tenant, name);
            assert_eq!(store.load(&own).await.unwrap().unwrap().event_id, id(n));
            assert_eq!(store.history(&own, 0, 9).await.unwrap().len(), 1);
            let (of, now) = (ListOf::Submissions { user_id: name.to_owned() }, Timestamp::from_micros(NOW));
            let query = ListQuery { tenant: tenant.to_owned(), of, before: None, limit: 9, now };
            let listed: Vec<String> = store.list(&query).await.unwrap().into_iter().map(|listed| listed.key).collect();
            assert_eq!(listed, [id(100 + n).to_string()], "{tenant} {name}");
        }
    });
}

#[test]
fn an_append_on_another_version_changes_nothing() {
    on_both(async |backend| {
        let store = backend.store();
        let a = entity("red", "a");
        for expected in [1, 7, -1] {
            assert_eq!(store.append(change(9, &a, expected, "new")).await.unwrap(), Appended::Conflict);
        }
        done(store.append(change(1, &a, 0, "new")).await.unwrap(), 1);
        done(store.append(change(2, &a, 1, "new")).await.unwrap(), 2);
        for expected in [0, 1, 3] {
            let late = keeping(change(9, &a, expected, "cancelled"), "s", i64::MAX);
            assert_eq!(store.append(late).await.unwrap(), Appended::Conflict);
        }
        assert_eq!(store.load(&a).await.unwrap().unwrap().event_id, id(2));
        assert_eq!(store.kept("s", Timestamp::from_micros(NOW)).await.unwrap(), None);
        assert_eq!(backend.log().await.len(), 2);
    });
}

#[test]
fn a_repetition_of_one_s_own_append_is_done_once() {
    on_both(async |backend| {
        let store = backend.store();
        let a = entity("red", "a");
        let appends =
            [change(1, &a, 0, "new"), keeping(change(2, &a, 1, "new"), "s", i64::MAX), submitted(3, "red", "u")];
        for (n, append) in (1..).zip(&appends) {
            for _ in 0..3 {
                done(store.append(append.clone()).await.unwrap(), n);
            }
        }
        assert_eq!(backend.log().await.len(), 3);
        assert_eq!(store.load(&a).await.unwrap().unwrap().version, 2);
    });
}

#[test]
fn an_idempotency_key_is_known_until_it_expires() {
    on_both(async |backend| {
        let store = backend.store();
        let (a, b) = (entity("red", "a"), entity("red", "b"));
        let first = keeping(change(1, &a, 0, "new"), "s", NOW + 10);
        done(store.append(first.clone()).await.unwrap(), 1);
        let kept = first.keep.unwrap().kept;
        assert_eq!(store.kept("s", Timestamp::from_micros(NOW + 9)).await.unwrap(), Some(kept.clone()));
        assert_eq!(store.kept("s", Timestamp::from_micros(NOW + 10)).await.unwrap(), None);
        assert_eq!(store.kept("other", Timestamp::from_micros(NOW)).await.unwrap(), None);
        let again = keeping(change(2, &b, 0, "new"), "s", i64::MAX);
        assert_eq!(store.append(again.clone()).await.unwrap(), Appended::Known(kept));
        assert_eq!(store.load(&b).await.unwrap(), None);
        let mut late = again;
        late.event = Sealed::of(Event { received_at: Timestamp::from_micros(NOW + 10), ..late.event.into_event() });
        done(store.append(late).await.unwrap(), 2);
        let kept = store.kept("s", Timestamp::from_micros(NOW + 10)).await.unwrap().unwrap();
        assert_eq!(kept.event_id, id(2));
    });
}

#[test]
fn a_sink_gives_a_receipt_for_each_event_in_order() {
    on_both(async |backend| {
        let sink = backend.sink();
        assert!(sink.put(Vec::new()).await.unwrap().is_empty());
        let events: Vec<Sealed> = (0..5_000).rev().map(plain).collect();
        let receipts = sink.put(events.clone()).await.unwrap();
        let ids: Vec<EventId> = receipts.iter().map(|receipt| receipt.event_id()).collect();
        assert_eq!(ids, events.iter().map(|event| event.event_id).collect::<Vec<_>>());
        assert_eq!(backend.log().await, events);
        let again = sink.put(vec![plain(1)]).await.unwrap();
        assert_eq!(again[0].event_id(), id(1), "a repeated put is no error");
    });
}

#[test]
fn a_history_has_pages() {
    on_both(async |backend| {
        let store = backend.store();
        let a = entity("red", "a");
        for n in 0..7 {
            done(store.append(change(n, &a, n as i64, "new")).await.unwrap(), n);
        }
        let versions = async |after, limit| -> Vec<i64> {
            let events = store.history(&a, after, limit).await.unwrap();
            events.into_iter().filter_map(|event| event.entity_version).collect()
        };
        assert_eq!(versions(0, 3).await, [1, 2, 3]);
        assert_eq!(versions(3, 3).await, [4, 5, 6]);
        assert_eq!(versions(6, 3).await, [7]);
        assert!(versions(7, 3).await.is_empty() && versions(0, 0).await.is_empty());
    });
}

#[test]
fn bodies_are_set_aside_whole() {
    on_both(async |backend| {
        let store = backend.store();
        let large = vec![b'x'; 5 << 20];
        for (n, body) in [b"".as_slice(), b"\0\xff\r\n", &large].into_iter().enumerate() {
            let key = format!("bodies/dt=2026-11-20/{n}");
            for _ in 0..2 {
                store.set_aside(&key, body).await.unwrap();
                assert_eq!(store.read_aside(&key).await.unwrap().as_deref(), Some(body));
            }
        }
        assert_eq!(store.read_aside("bodies/dt=2026-11-20/none").await.unwrap(), None);
    });
}

#[test]
fn sixty_four_at_once_make_versions_without_a_gap() {
    on_both(async |backend| {
        let a = entity("red", "a");
        let tasks: Vec<_> = (0..64_u128)
            .map(|n| {
                let (store, a) = (backend.store(), a.clone());
                tokio::spawn(async move {
                    let mut conflicts = 0;
                    loop {
                        let version = store.load(&a).await.unwrap().map_or(0, |stored| stored.version);
                        match store.append(change(n, &a, version, "new")).await.unwrap() {
                            Appended::Done(_) => return (version + 1, conflicts),
                            Appended::Conflict => conflicts += 1,
                            other => panic!("{other:?}"),
                        }
                    }
                })
            })
            .collect();
        let mut versions = Vec::new();
        for task in tasks {
            versions.push(task.await.unwrap().0);
        }
        versions.sort_unstable();
        assert_eq!(versions, (1..=64).collect::<Vec<i64>>(), "one winner each");
        let history = backend.store().history(&a, 0, 100).await.unwrap();
        assert_eq!(history.iter().filter_map(|event| event.entity_version).collect::<Vec<_>>(), versions);
        assert_eq!(backend.log().await.len(), 64);
    });
}

#[test]
fn sixty_four_clients_at_once_keep_the_chain() {
    crate::rig::on_both(async |backend| {
        let rig = crate::rig::Rig::new(backend, ingest::Settings::default());
        let made = rig.api.handle(crate::rig::Req::post("/tasks", r#"{"task":"a"}"#).received()).await;
        let path = made.header("location").unwrap().to_owned();
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let (api, request) = (rig.api.clone(), crate::rig::Req::put(&path, &format!(r#"{{"task":"{n}"}}"#)));
                tokio::spawn(async move { api.handle(request.received()).await.status() })
            })
            .collect();
        let mut changed = 0;
        for task in tasks {
            match task.await.unwrap() {
                200 => changed += 1,
                status => assert_eq!(status, 409),
            }
        }
        let log = rig.backend.log().await;
        verify_log(&log);
        assert_eq!(log.len(), 65);
        assert_eq!(log.iter().filter(|event| event.event_type == "task.updated").count(), changed);
        assert!(changed > 0);
    });
}
