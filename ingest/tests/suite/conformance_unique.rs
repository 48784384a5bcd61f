//! What every store must do with a value that one entity may have that is there, and with entities whose ids do not grow.

use event::domain::Lifetime;
use event::domain::user::{self, Command, NewUser, Patch, User};
use event::{Event, Sealed, Timestamp};
use ingest::store::{Append, Appended, Claim, EntityRef, EventStore, Item, ListOf, ListQuery, NewState, Unique};

use crate::backend::Backend;
use crate::conformance::{NOW, done, plain};
use crate::rig::{on_both, verify_log};

pub fn entity(tenant: &str, name: &str) -> EntityRef {
    EntityRef { tenant: tenant.to_owned(), kind: user::ENTITY.to_owned(), id: name.to_owned() }
}

pub fn create(name: &str, email: &str) -> Command {
    create_for(name, email, Lifetime::UNBOUNDED)
}

pub fn create_for(name: &str, email: &str, lifetime: Lifetime) -> Command {
    Command::Create(NewUser { user_id: name.to_owned(), email: email.to_owned(), name: name.to_owned() }, lifetime)
}

pub fn address(email: &str) -> Command {
    address_for(email, Lifetime::UNBOUNDED)
}

pub fn address_for(email: &str, lifetime: Lifetime) -> Command {
    Command::Update(Patch { email: Some(email.to_owned()), name: None }, lifetime)
}

/// The n-th event: what a command makes of the user as the store has it, so many seconds after the first.
pub async fn change(store: &dyn EventStore, n: u128, entity: &EntityRef, seconds: i64, command: Command) -> Append {
    let stored = store.load(entity).await.unwrap();
    let current: Option<User> = stored.as_ref().map(|stored| serde_json::from_str(stored.state.as_str()).unwrap());
    let now = Timestamp::from_micros(NOW + seconds * 1_000_000);
    let made = user::decide(current.as_ref(), command, None, &entity.id, now).unwrap();
    let after: User = serde_json::from_str(made.state.as_str()).unwrap();
    let claim = |user: User| user.is_there(now).then_some(Claim { value: user.email, expires_at: user.expires_at });
    let deleted = after.deleted_at.is_some();
    let event = Event {
        event_type: made.event_type.to_owned(),
        received_at: now,
        tenant: entity.tenant.clone(),
        entity_type: Some(entity.kind.clone()),
        entity_id: Some(entity.id.clone()),
        entity_version: Some(made.version),
        operation: Some(made.operation.as_str().to_owned()),
        event_data: Some(made.data.to_string()),
        state_hash: Some(made.state.hash()),
        state_after: Some(made.state.as_str().to_owned()),
        prev_event_hash: stored.map(|stored| stored.event_hash),
        ..plain(n).into_event()
    };
    Append {
        event: Sealed::of(event),
        entity: entity.clone(),
        expected: made.version - 1,
        state: Some(NewState { state: made.state, deleted }),
        unique: Some(Unique { field: user::UNIQUE, taken: claim(after), left: current.and_then(claim) }),
        keep: None,
    }
}

async fn listed(store: &dyn EventStore, email: Option<&str>, before: Option<String>, limit: usize) -> Vec<String> {
    listed_at(store, 0, email, before, limit).await
}

/// The keys of the users that are there so many seconds after the first.
pub async fn listed_at(
    store: &dyn EventStore,
    seconds: i64,
    email: Option<&str>,
    before: Option<String>,
    limit: usize,
) -> Vec<String> {
    let now = Timestamp::from_micros(NOW + seconds * 1_000_000);
    let filters = email.iter().map(|email| (user::UNIQUE, (*email).to_owned())).collect();
    let of = ListOf::States { kind: user::ENTITY.to_owned(), filters };
    let found = store.list(&ListQuery { tenant: "red".to_owned(), of, before, limit, now }).await.unwrap();
    assert!(found.iter().all(|listed| matches!(listed.item, Item::State(_))));
    found.into_iter().map(|listed| listed.key).collect()
}

#[test]
fn a_value_is_one_entitys_until_it_gives_it_up() {
    on_both(async |backend| {
        let store = backend.store();
        let store = store.as_ref();
        let (ann, eve) = (entity("red", "ann"), entity("red", "eve"));
        let at = async |n: u128, of: &EntityRef, command: Command| {
            store.append(change(store, n, of, 0, command).await).await.unwrap()
        };
        done(at(1, &ann, create("ann", "a@x")).await, 1);
        assert_eq!(at(2, &eve, create("eve", "a@x")).await, Appended::Taken);
        assert_eq!((store.load(&eve).await.unwrap(), store.history(&eve, 0, 9).await.unwrap().len()), (None, 0));
        done(at(3, &entity("blue", "eve"), create("eve", "a@x")).await, 3);
        done(at(4, &eve, create("eve", "e@x")).await, 4);
        assert_eq!(at(5, &eve, address("a@x")).await, Appended::Taken);
        done(at(6, &ann, address("a@x")).await, 6);
        done(at(7, &ann, address("b@x")).await, 7);
        done(at(8, &eve, address("a@x")).await, 8);
        assert_eq!(at(9, &ann, address("a@x")).await, Appended::Taken);
        done(at(10, &eve, Command::Delete).await, 10);
        assert!(listed(store, Some("a@x"), None, 9).await.is_empty());
        done(at(11, &ann, address("a@x")).await, 11);
        assert_eq!(at(12, &eve, create("eve", "a@x")).await, Appended::Taken);
        done(at(13, &eve, create("eve", "b@x")).await, 13);
        assert_eq!(store.load(&eve).await.unwrap().map(|stored| stored.version), Some(4));
        verify_log(&backend.log().await);
    });
}

#[test]
fn a_repetition_of_an_append_is_done_and_a_stale_one_a_conflict() {
    on_both(async |backend| {
        let store = backend.store();
        let store = store.as_ref();
        let ann = entity("red", "ann");
        let first = change(store, 1, &ann, 0, create("ann", "a@x")).await;
        let late = change(store, 2, &ann, 0, create("ann", "a@x")).await;
        for _ in 0..2 {
            done(store.append(first.clone()).await.unwrap(), 1);
        }
        assert_eq!(store.append(late).await.unwrap(), Appended::Conflict);
        assert_eq!(backend.log().await.len(), 1);
    });
}

/// Appends all at once, each to a store of its own; how many are done, where all others find the value taken.
pub async fn winners(backend: &Backend, appends: Vec<Append>) -> usize {
    let append = |append| {
        let store = backend.store();
        tokio::spawn(async move { store.append(append).await.unwrap() })
    };
    let tasks: Vec<_> = appends.into_iter().map(append).collect();
    let mut winners = 0;
    for task in tasks {
        match task.await.unwrap() {
            Appended::Done(_) => winners += 1,
            other => assert_eq!(other, Appended::Taken),
        }
    }
    winners
}

#[test]
fn of_thirty_two_at_once_one_has_it() {
    on_both(async |backend| {
        for round in 0..4_u128 {
            let store = backend.store();
            let names: Vec<String> = (0..32).map(|n| format!("u{round}-{n}")).collect();
            let mut appends = Vec::new();
            for (n, name) in (100 * round..).zip(&names) {
                appends.push(
                    change(store.as_ref(), n, &entity("red", name), 0, create(name, &format!("{round}@x"))).await,
                );
            }
            let winners = winners(&backend, appends).await;
            assert_eq!((winners, listed(store.as_ref(), Some(&format!("{round}@x")), None, 9).await.len()), (1, 1));
        }
        assert_eq!(backend.log().await.len(), 4);
    });
}

#[test]
fn lists_are_by_creation_whatever_the_ids() {
    on_both(async |backend| {
        let store = backend.store();
        let store = store.as_ref();
        let names = ["m", "b", "z", "a", "y", "c", "gone"];
        for (n, name) in names.iter().enumerate() {
            // Two in each second.
            let append =
                change(store, n as u128, &entity("red", name), n as i64 / 2, create(name, &format!("{n}@x"))).await;
            done(store.append(append).await.unwrap(), n as u128);
        }
        let gone = entity("red", "gone");
        done(store.append(change(store, 20, &gone, 50, Command::Delete).await).await.unwrap(), 20);
        let renamed = entity("red", "m");
        done(store.append(change(store, 21, &renamed, 60, address("new@x")).await).await.unwrap(), 21);
        let blue = entity("blue", "q");
        done(store.append(change(store, 22, &blue, 3, create("q", "0@x")).await).await.unwrap(), 22);
        let ids =
            |keys: &[String]| keys.iter().map(|key| key.split_once('.').unwrap().1.to_owned()).collect::<Vec<_>>();
        let expect = ["y", "c", "z", "a", "m", "b"];
        let all = listed(store, None, None, 9).await;
        assert_eq!(ids(&all), expect);
        let (mut walked, mut before) = (Vec::new(), None);
        loop {
            let page = listed(store, None, before.take(), 4).await;
            let Some(last) = page.last() else { break };
            before = Some(last.clone());
            walked.extend(ids(&page));
        }
        assert_eq!(walked, expect);
        assert_eq!(ids(&listed(store, Some("new@x"), None, 9).await), ["m"]);
        assert_eq!(listed(store, Some("new@x"), Some(all[4].clone()), 9).await.len(), 0);
        assert_eq!(listed(store, Some("0@x"), None, 9).await.len(), 0);
        assert_eq!(listed(store, Some("6@x"), None, 9).await.len(), 0);
    });
}
