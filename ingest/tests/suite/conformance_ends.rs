//! What every store must do with entities that have ended by themselves, and with what they had to themselves.

use event::domain::user::{Command, Patch};
use event::domain::{Lifetime, State};
use ingest::store::{Appended, EntityRef, EventStore, NewState};

use crate::conformance::done;
use crate::conformance_unique::{address, address_for, change, create, create_for, entity, listed_at, winners};
use crate::rig::{on_both, verify_log};

const DAY: i64 = 24 * 60 * 60;

/// Changes a user so many seconds after the first.
async fn at(store: &dyn EventStore, n: u128, of: &EntityRef, seconds: i64, command: Command) -> Appended {
    store.append(change(store, n, of, seconds, command).await).await.unwrap()
}

fn a_day() -> Lifetime {
    Lifetime::of_days(1)
}

fn rename(name: &str, lifetime: Lifetime) -> Command {
    Command::Update(Patch { email: None, name: Some(name.to_owned()) }, lifetime)
}

#[test]
fn an_ended_entity_is_loaded_and_listed_no_more() {
    on_both(async |backend| {
        let store = backend.store();
        let store = store.as_ref();
        let ann = entity("red", "ann");
        done(at(store, 1, &ann, 0, create_for("ann", "a@x", a_day())).await, 1);
        for (seconds, count) in [(0, 1), (DAY - 1, 1), (DAY, 0), (100 * DAY, 0)] {
            assert_eq!(listed_at(store, seconds, None, None, 9).await.len(), count, "{seconds}");
            assert_eq!(listed_at(store, seconds, Some("a@x"), None, 9).await.len(), count, "{seconds}");
        }
        let stored = store.load(&ann).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.deleted), (1, false), "its versions go on from it");
        done(at(store, 2, &ann, DAY, create_for("ann", "a@x", a_day())).await, 2);
        assert_eq!(store.load(&ann).await.unwrap().map(|stored| stored.version), Some(2));
        assert_eq!(listed_at(store, DAY, Some("a@x"), None, 9).await.len(), 1);
        assert_eq!(store.history(&ann, 0, 9).await.unwrap().len(), 2);
        verify_log(&backend.log().await);
    });
}

#[test]
fn lists_pass_over_what_has_ended() {
    on_both(async |backend| {
        let store = backend.store();
        let store = store.as_ref();
        // Each third has no end; the others are in between, and all the oldest.
        for n in 0..40_u128 {
            let lifetime = if n >= 20 && n % 3 == 0 { Lifetime::UNBOUNDED } else { a_day() };
            let name = format!("u{n:02}");
            let create = create_for(&name, &format!("{n}@x"), lifetime);
            done(at(store, n, &entity("red", &name), n as i64, create).await, n);
        }
        let names =
            |keys: &[String]| keys.iter().map(|key| key.split_once('.').unwrap().1.to_owned()).collect::<Vec<_>>();
        for (seconds, expect) in [
            (0, (0..40).rev().map(|n| format!("u{n:02}")).collect::<Vec<_>>()),
            (DAY + 30, (21..40).rev().filter(|n| n % 3 == 0 || *n > 30).map(|n| format!("u{n:02}")).collect()),
            (2 * DAY, ["u39", "u36", "u33", "u30", "u27", "u24", "u21"].map(str::to_owned).to_vec()),
        ] {
            for limit in [1, 2, 3, 7, 50] {
                let (mut walked, mut before) = (Vec::new(), None);
                loop {
                    let page = listed_at(store, seconds, None, before.take(), limit).await;
                    assert!(page.len() <= limit);
                    // A page is full, or the last.
                    before = page.last().cloned().filter(|_| page.len() == limit);
                    walked.extend(names(&page));
                    if before.is_none() {
                        break;
                    }
                }
                assert_eq!(walked, expect, "after {seconds} s, by {limit}");
            }
        }
    });
}

#[test]
fn a_value_is_free_when_its_owner_has_ended() {
    on_both(async |backend| {
        let store = backend.store();
        let store = store.as_ref();
        let (ann, eve) = (entity("red", "ann"), entity("red", "eve"));
        done(at(store, 1, &ann, 0, create_for("ann", "a@x", a_day())).await, 1);
        assert_eq!(at(store, 2, &eve, DAY - 1, create("eve", "a@x")).await, Appended::Taken);
        done(at(store, 3, &eve, DAY, create("eve", "a@x")).await, 3);
        let owner = |keys: Vec<String>| {
            keys.into_iter().map(|key| key.split_once('.').unwrap().1.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(owner(listed_at(store, DAY, Some("a@x"), None, 9).await), ["eve"]);
        // Made again, ann has not what was hers.
        assert_eq!(at(store, 4, &ann, DAY, create("ann", "a@x")).await, Appended::Taken);
        done(at(store, 5, &ann, DAY, create("ann", "b@x")).await, 5);
        assert_eq!(at(store, 6, &ann, 9 * DAY, address("a@x")).await, Appended::Taken);
        done(at(store, 7, &eve, 9 * DAY, Command::Delete).await, 7);
        done(at(store, 8, &ann, 9 * DAY, address("a@x")).await, 8);
        assert_eq!(owner(listed_at(store, 9 * DAY, Some("a@x"), None, 9).await), ["ann"]);
        verify_log(&backend.log().await);
    });
}

#[test]
fn a_change_has_the_value_for_longer() {
    on_both(async |backend| {
        let store = backend.store();
        let store = store.as_ref();
        let (ann, eve) = (entity("red", "ann"), entity("red", "eve"));
        done(at(store, 1, &ann, 0, create_for("ann", "a@x", a_day())).await, 1);
        done(at(store, 2, &ann, DAY - 9, rename("Ann", a_day())).await, 2);
        assert_eq!(at(store, 3, &eve, DAY, create("eve", "a@x")).await, Appended::Taken);
        // One that has an end no more has it for ever.
        done(at(store, 4, &ann, DAY, rename("Ann Lee", Lifetime::UNBOUNDED)).await, 4);
        assert_eq!(at(store, 5, &eve, 99 * DAY, create("eve", "a@x")).await, Appended::Taken);
        // And one that gets an end, until then.
        done(at(store, 6, &ann, 99 * DAY, address_for("a@x", a_day())).await, 6);
        done(at(store, 7, &eve, 100 * DAY, create("eve", "a@x")).await, 7);
        // What ann would still have changed had she not ended is hers no more.
        let late = change(store, 8, &ann, 99 * DAY + 9, rename("Ann", a_day())).await;
        assert_eq!(store.append(late).await.unwrap(), Appended::Taken);
        verify_log(&backend.log().await);
    });
}

#[test]
fn of_sixteen_at_once_one_takes_over() {
    on_both(async |backend| {
        let ann = entity("red", "ann");
        done(at(backend.store().as_ref(), 1, &ann, 0, create_for("ann", "a@x", a_day())).await, 1);
        let mut appends = Vec::new();
        for n in 0..16_u128 {
            let (name, store) = (format!("u{n}"), backend.store());
            appends.push(change(store.as_ref(), 10 + n, &entity("red", &name), DAY, create(&name, "a@x")).await);
        }
        assert_eq!(winners(&backend, appends).await, 1);
        assert_eq!(listed_at(backend.store().as_ref(), DAY, Some("a@x"), None, 9).await.len(), 1);
    });
}

/// States of earlier versions of the software have no end.
#[test]
fn a_state_without_an_end_is_there_for_ever() {
    on_both(async |backend| {
        let store = backend.store();
        let store = store.as_ref();
        let (ann, eve) = (entity("red", "ann"), entity("red", "eve"));
        let text = r#"{"created_at":1763631026,"email":"a@x","name":"ann","updated_at":1763631026,"userId":"ann","version":1}"#;
        let mut append = change(store, 1, &ann, 0, create("ann", "a@x")).await;
        append.state = Some(NewState { state: State::from_canonical(text.to_owned()), deleted: false });
        done(store.append(append).await.unwrap(), 1);
        let later = 36_500 * DAY;
        assert_eq!(listed_at(store, later, Some("a@x"), None, 9).await.len(), 1);
        assert_eq!(at(store, 2, &eve, later, create("eve", "a@x")).await, Appended::Taken);
        assert_eq!(store.load(&ann).await.unwrap().unwrap().state.expires_at(), None);
    });
}
