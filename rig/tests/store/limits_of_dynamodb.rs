//! Pages, sizes and times as DynamoDB has them.

use event::domain::{State, task};
use event::{Event, Sealed, Timestamp};
use futures::future::join_all;
use ingest::aws::DynamoSettings;
use ingest::store::{Append, Appended, EventStore, ListOf, ListQuery, NewState};
use ingest::{ErrorKind, Settings, System};
use rig::proxy::{Proxy, Upstreams};
use rig::random::Random;
use serde_json::{Value, json};

use crate::backend::{Backend, on_both};
use crate::conformance::{NOW, change, done, entity, id, keeping, submitted};
use crate::rig::{Req, Rig, json, run};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Text of so many bytes that does not deflate to less than half.
fn noise(seed: u64, bytes: usize) -> String {
    let mut random = Random::of(seed, "noise", 0);
    std::iter::repeat_with(|| format!("{:016x}", random.number())).take(bytes / 16).collect()
}

fn noisy(append: Append, bytes: usize) -> Append {
    let seed = append.event.event_id.as_u128() as u64;
    let event = Event { user_agent: Some(noise(seed, bytes)), ..append.event.into_event() };
    Append { event: Sealed::of(event), ..append }
}

#[test]
fn a_history_over_a_megabyte_is_read_to_its_end() {
    run(async {
        let proxy = Proxy::start(Upstreams::from_environment().unwrap()).await.unwrap();
        let backend = Backend::behind(&proxy).await;
        let (store, a) = (backend.dynamo(backend.settings()), entity("red", "a"));
        for n in 0..40 {
            done(store.append(noisy(change(n, &a, n as i64, "new"), 64_000)).await.unwrap(), n);
        }
        proxy.take();
        let versions = async |after, limit| -> Vec<i64> {
            let events = store.history(&a, after, limit).await.unwrap();
            events.into_iter().filter_map(|event| event.entity_version).collect()
        };
        assert_eq!(versions(0, 100).await, (1..=40).collect::<Vec<_>>());
        assert!(proxy.take().count("dynamodb:Query") > 1, "more than a page of DynamoDB's");
        assert_eq!(versions(2, 37).await, (3..=39).collect::<Vec<_>>());
        assert!(versions(i64::MAX, 9).await.is_empty() && versions(40, 9).await.is_empty());
        assert_eq!(versions(i64::MIN, 1).await, [1]);
        backend.clients.remove_stream(&backend.stream).await;
    });
}

#[test]
fn a_list_over_sixteen_megabytes_is_read_to_its_end() {
    on_both(async |backend| {
        let store = backend.dynamo(backend.settings());
        for numbers in (0..60).collect::<Vec<u128>>().chunks(4) {
            let appends = numbers.iter().map(|n| store.append(noisy(submitted(*n, "red", "u"), 600_000)));
            join_all(appends).await.into_iter().zip(numbers).for_each(|(appended, n)| done(appended.unwrap(), *n));
        }
        let of = ListOf::Submissions { user_id: "u".to_owned() };
        let query = ListQuery { tenant: "red".to_owned(), of, before: None, limit: 60, now: at(NOW) };
        let listed: Vec<String> = store.list(&query).await.unwrap().into_iter().map(|listed| listed.key).collect();
        assert_eq!(listed, (0..60).rev().map(|n| id(n).to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn rare_entries_are_found_among_many_and_all_pages_walked() {
    on_both(async |backend| {
        let store = backend.dynamo(backend.settings());
        for numbers in (0..600).collect::<Vec<u128>>().chunks(16) {
            let appends = numbers.iter().map(|n| {
                let status = if n % 97 == 0 { "cancelled" } else { "new" };
                store.append(change(*n, &entity("red", &format!("{n:04}")), 0, status))
            });
            join_all(appends).await.into_iter().zip(numbers).for_each(|(appended, n)| done(appended.unwrap(), *n));
        }
        let list = async |filters, before: Option<&str>, limit| -> Vec<String> {
            let of = ListOf::States { kind: task::ENTITY.to_owned(), filters };
            let query =
                ListQuery { tenant: "red".to_owned(), of, before: before.map(str::to_owned), limit, now: at(NOW) };
            store.list(&query).await.unwrap().into_iter().map(|listed| listed.key).collect()
        };
        let cancelled = || vec![("status", "cancelled".to_owned())];
        assert_eq!(list(cancelled(), None, 9).await, ["0582", "0485", "0388", "0291", "0194", "0097", "0000"]);
        assert_eq!(list(cancelled(), Some("0388"), 2).await, ["0291", "0194"]);
        let all = list(Vec::new(), None, 1_000).await;
        assert_eq!(all, (0..600).rev().map(|n| format!("{n:04}")).collect::<Vec<_>>());
        assert_eq!(list(vec![("task", "7".to_owned())], None, 9).await, ["0007"], "a field that the index lacks");
        assert!(list(Vec::new(), None, 0).await.is_empty());
    });
}

/// What the index says is a moment old; what is listed is not.
#[test]
fn a_list_shows_what_is_there_now() {
    on_both(async |backend| {
        let store = backend.dynamo(backend.settings());
        let (a, b) = (entity("red", "a"), entity("red", "b"));
        done(store.append(change(1, &a, 0, "new")).await.unwrap(), 1);
        done(store.append(change(2, &b, 0, "new")).await.unwrap(), 2);
        let list = async |status: &str| -> Vec<String> {
            let filters = vec![("status", status.to_owned())];
            let of = ListOf::States { kind: task::ENTITY.to_owned(), filters };
            let query = ListQuery { tenant: "red".to_owned(), of, before: None, limit: 9, now: at(NOW) };
            store.list(&query).await.unwrap().into_iter().map(|listed| listed.key).collect()
        };
        done(store.append(change(3, &a, 1, "completed")).await.unwrap(), 3);
        assert_eq!((list("new").await, list("completed").await), (vec!["b".to_owned()], vec!["a".to_owned()]));
        let mut deleted = change(4, &b, 1, "new");
        deleted.state = deleted.state.map(|new| NewState { deleted: true, ..new });
        done(store.append(deleted).await.unwrap(), 4);
        assert!(list("new").await.is_empty());
        assert!(store.load(&b).await.unwrap().unwrap().deleted);
    });
}

#[test]
fn an_item_is_taken_up_to_its_last_byte() {
    run(async {
        let proxy = Proxy::start(Upstreams::from_environment().unwrap()).await.unwrap();
        let backend = Backend::behind(&proxy).await;
        let store = backend.dynamo(backend.settings());
        let with_state = |n: u128, bytes: usize| {
            let state = State::from_canonical(format!("{{\"x\":\"{}\"}}", "x".repeat(bytes - 8)));
            Append {
                state: Some(NewState { state, deleted: false }),
                ..change(n, &entity("red", &format!("{n:04}")), 0, "new")
            }
        };
        // What is no state of the item: found from its refusal, which names the size.
        let error = store.append(with_state(1, 409_600)).await.unwrap_err();
        let bytes = error.to_string().split(' ').find_map(|word| word.parse::<usize>().ok()).unwrap();
        let most = 409_600 - (bytes - 409_600);
        assert_eq!(store.append(with_state(1, most + 1)).await.unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(proxy.take().count("*"), 0, "refused before anything is sent");
        done(store.append(with_state(1, most)).await.unwrap(), 1);
        assert_eq!(store.load(&entity("red", "0001")).await.unwrap().unwrap().state.as_str().len(), most);
        let large = noisy(change(2, &entity("red", "a"), 0, "new"), 1 << 20);
        assert_eq!(store.append(large).await.unwrap_err().kind(), ErrorKind::TooLarge);
        let tenant = "t".repeat(2_048);
        assert_eq!(store.append(submitted(3, &tenant, "u")).await.unwrap_err().kind(), ErrorKind::TooLarge);
        backend.clients.remove_stream(&backend.stream).await;
    });
}

#[test]
fn what_has_expired_is_not_read_though_it_is_there() {
    run(async {
        const DAY: i64 = 24 * 60 * 60 * 1_000_000;
        let mut backend = Backend::new().await;
        let settings = DynamoSettings { event_retention_days: 1, submission_retention_days: 2, ..backend.settings() };
        let (a, b) = (entity("red", "a"), entity("red", "b"));
        let submission = submitted(5, "red", "u");
        let store = backend.dynamo(settings.clone());
        done(store.append(keeping(change(1, &a, 0, "new"), "s", NOW + DAY)).await.unwrap(), 1);
        done(store.append(change(2, &b, 0, "new")).await.unwrap(), 2);
        let mut deleted = change(3, &b, 1, "new");
        deleted.state = deleted.state.map(|new| NewState { deleted: true, ..new });
        done(store.append(deleted).await.unwrap(), 3);
        done(store.append(submission.clone()).await.unwrap(), 5);
        // Events there are of a, events and state of b, and the submission.
        for (now, expect) in [
            (|| Timestamp::from_micros(NOW + DAY - 1_000_000), [1, 2, 1, 1]),
            (|| Timestamp::from_micros(NOW + DAY), [0, 0, 0, 1]),
            (|| Timestamp::from_micros(NOW + 2 * DAY), [0, 0, 0, 0]),
        ] as [(fn() -> Timestamp, [usize; 4]); 3]
        {
            backend.parts.system = System { now, ..backend.parts.system };
            let store = backend.dynamo(settings.clone());
            let of = ListOf::Submissions { user_id: "u".to_owned() };
            let query = ListQuery { tenant: "red".to_owned(), of, before: None, limit: 9, now: at(NOW) };
            let found = [
                store.history(&a, 0, 9).await.unwrap().len(),
                store.history(&b, 0, 9).await.unwrap().len(),
                usize::from(store.load(&b).await.unwrap().is_some()),
                store.history(&submission.entity, 0, 9).await.unwrap().len(),
            ];
            assert_eq!(found, expect);
            assert_eq!(store.list(&query).await.unwrap().len(), expect[3]);
            assert!(store.load(&a).await.unwrap().is_some(), "a state has no end");
        }
        assert_eq!(backend.table_events().await.len(), 4, "all are there still");
        let expires = |sk: &str| {
            let items = backend.items();
            let sk = sk.to_owned();
            async move {
                let items = items.await;
                let found = items.into_iter().find(|item| item["sk"].as_s() == Ok(&sk)).unwrap();
                found.get("expires").map(|value| value.as_n().unwrap().parse::<i64>().unwrap())
            }
        };
        assert_eq!(expires("E#000000000002").await, Some((NOW + DAY) / 1_000_000));
        assert_eq!(expires("I").await, Some((NOW + DAY) / 1_000_000 + 1));
        let for_ever = DynamoSettings { event_retention_days: 0, ..backend.settings() };
        done(backend.dynamo(for_ever).append(change(9, &a, 1, "new")).await.unwrap(), 9);
        assert!(backend.items().await.iter().filter(|item| !item.contains_key("expires")).count() >= 2);
        backend.clients.remove_stream(&backend.stream).await;
    });
}

#[test]
fn a_history_whose_events_have_expired_says_so() {
    run(async {
        let rig = Rig::new(Backend::new().await, Settings::default());
        let path = format!("/tasks/{}/history", rig.task("a").await);
        let Rig { mut backend, .. } = rig;
        backend.parts.system.now = || Timestamp::parse("2027-11-20T09:30:26Z").unwrap();
        let rig = Rig::new(backend, Settings::default());
        let answer = rig.api.handle(Req::get(&path).received()).await;
        assert_eq!(
            (answer.status(), &json(&answer)["count"], &json(&answer)["complete"]),
            (200, &0.into(), &false.into())
        );
        // The state is there, and what it was before it is not.
        let task = path.trim_end_matches("/history");
        for (query, status, version) in [
            ("as_of=2027-11-20T00:00:00Z", 200, json!(1)),
            ("version=1", 200, json!(1)),
            ("version=2", 404, Value::Null),
            ("as_of=2000-01-01T00:00:00Z", 404, Value::Null),
        ] {
            let answer = rig.api.handle(Req::get(&format!("{task}?{query}")).received()).await;
            assert_eq!((answer.status(), &json(&answer)["version"]), (status, &version), "{query}");
        }
        let before = rig.api.handle(Req::get(&format!("{task}?as_of=2000-01-01T00:00:00Z")).received()).await;
        assert!(json(&before)["detail"].as_str().unwrap().contains("entity_as_of"), "{}", json(&before));
        let none = "/tasks/019aa0c5-6f8b-7000-8000-000000000000/history";
        assert_eq!(rig.api.handle(Req::get(none).received()).await.status(), 404);
        rig.backend.clients.remove_stream(&rig.backend.stream).await;
    });
}

#[test]
fn a_race_for_a_free_key_has_one_winner() {
    on_both(async |backend| {
        let store = backend.dynamo(backend.settings());
        let appends = (1..=8).map(|n| {
            let append = change(n, &entity("red", &format!("{n}")), 0, "new");
            store.append(keeping(append, "s", NOW + 1_000_000))
        });
        let (mut done, mut known) = (0, 0);
        for appended in join_all(appends).await {
            match appended {
                Ok(Appended::Done(_)) => done += 1,
                Ok(Appended::Known(_)) => known += 1,
                Ok(Appended::Conflict | Appended::Taken) => panic!("no two have an entity in common"),
                // What it lost to, three times, was not finished then.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            }
        }
        assert_eq!(done, 1, "{known} know of it");
        assert_eq!(backend.table_events().await.len(), 1);
    });
}
