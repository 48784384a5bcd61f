//! What every store must do when it is asked for many, or for one among many.

use event::Timestamp;
use event::domain::task;
use ingest::store::{EntityRef, Item, ListOf, ListQuery, NewState};

use crate::conformance::{NOW, change, done, entity, id, plain, submitted};
use crate::rig::on_both;

#[test]
fn a_submission_is_found_though_the_clock_leapt() {
    on_both(async |backend| {
        let store = backend.store();
        let year = (365 * 24 * 60 * 60 * 1_000_u128) << 80;
        let ids: Vec<u128> = (0..200).map(|n| n + (n % 3) * year).collect();
        let appends = ids.iter().map(|n| store.append(submitted(*n, "red", "u")));
        for (appended, n) in futures::future::join_all(appends).await.into_iter().zip(&ids) {
            done(appended.unwrap(), *n);
        }
        for n in ids {
            let found = store.history(&submitted(n, "red", "u").entity, 0, 1).await.unwrap();
            assert_eq!(found.first().map(|event| event.event_id), Some(id(n)));
        }
        assert_eq!(backend.log().await.len(), 200);
    });
}

#[test]
fn a_submission_is_found_by_its_id_and_tenant() {
    on_both(async |backend| {
        let (store, sink) = (backend.store(), backend.sink());
        for n in 0..50 {
            done(store.append(submitted(n, if n % 2 == 0 { "red" } else { "blue" }, "u")).await.unwrap(), n);
            drop(sink.put(vec![plain(1_000 - n)]).await.unwrap());
        }
        for n in 0..50 {
            let of = |tenant: &str| EntityRef { tenant: tenant.to_owned(), ..submitted(n, "red", "u").entity };
            let (own, other) = if n % 2 == 0 { ("red", "blue") } else { ("blue", "red") };
            assert_eq!(store.history(&of(own), 0, 1).await.unwrap()[0].event_id, id(n));
            assert!(store.history(&of(other), 0, 1).await.unwrap().is_empty());
            assert!(store.history(&of(own), 1, 1).await.unwrap().is_empty());
        }
        let read = EntityRef { id: id(1_000).to_string(), ..submitted(0, "red", "u").entity };
        assert!(store.history(&read, 0, 1).await.unwrap().is_empty(), "a read is no submission");
        let odd = EntityRef { id: "x".to_owned(), ..read };
        assert!(store.history(&odd, 0, 1).await.unwrap().is_empty());
    });
}

#[test]
fn lists_have_pages_filters_and_one_tenant() {
    on_both(async |backend| {
        let store = backend.store();
        for n in 0..30_u128 {
            let tenant = if n % 10 == 9 { "blue" } else { "red" };
            let status = if n % 2 == 0 { "new" } else { "completed" };
            let mut append = change(n, &entity(tenant, &format!("t{n:02}")), 0, status);
            if n == 4 {
                append.state = append.state.map(|new| NewState { deleted: true, ..new });
            }
            done(store.append(append).await.unwrap(), n);
            done(store.append(submitted(100 + n, tenant, if n % 3 == 0 { "u" } else { "v" })).await.unwrap(), 100 + n);
        }
        let states = |filters: &[(&'static str, &str)]| ListOf::States {
            kind: task::ENTITY.to_owned(),
            filters: filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        };
        let user = |user: &str| ListOf::Submissions { user_id: user.to_owned() };
        // Walks with every page size and gives the ids.
        let walk = async |tenant: &str, of: &ListOf, limit: usize| {
            let (mut ids, mut before, now) = (Vec::new(), None, Timestamp::from_micros(NOW));
            loop {
                let query = ListQuery { tenant: tenant.to_owned(), of: of.clone(), before, limit, now };
                let page = store.list(&query).await.unwrap();
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { return ids };
                before = Some(last.key.clone());
                for listed in page {
                    if let Item::Event(event) = &listed.item {
                        assert_eq!((event.tenant.as_str(), event.event_id.to_string()), (tenant, listed.key.clone()));
                    }
                    ids.push(listed.key);
                }
            }
        };
        for (tenant, of, count) in [
            ("red", states(&[]), 26),
            ("blue", states(&[]), 3),
            ("red", states(&[("status", "new")]), 14),
            ("red", states(&[("status", "completed"), ("priority", "medium")]), 12),
            ("red", states(&[("status", "cancelled")]), 0),
            ("red", states(&[("status", "new' or 1=1 --")]), 0),
            ("green", states(&[]), 0),
            ("red", ListOf::States { kind: "user".to_owned(), filters: Vec::new() }, 0),
            ("red", user("u"), 9),
            ("blue", user("u"), 1),
            ("red", user("nobody"), 0),
        ] {
            let all = walk(tenant, &of, 100).await;
            let mut sorted = all.clone();
            sorted.sort_by(|a, b| b.cmp(a));
            assert_eq!((all.len(), &all), (count, &sorted), "{tenant} {of:?}");
            assert!(!all.contains(&"t04".to_owned()), "deleted");
            for limit in [1, 2, 7] {
                assert_eq!(walk(tenant, &of, limit).await, all);
            }
        }
    });
}
