//! A user's state is a fold of its events, through removals, ends and new beginnings (I4, I5).

use event::domain::user::{self, Command, NewUser, Patch, User};
use event::domain::{self, Lifetime, Refusal, State};
use event::{Event, EventIds, Timestamp};
use proptest::prelude::*;

const ID: &str = "ann.lee_1";

fn name() -> impl Strategy<Value = String> {
    crate::support::odd_text().prop_map(|text| format!("n{text}"))
}

fn command() -> impl Strategy<Value = Command> {
    let email = || "[a-z]{1,3}@[a-z]{1,3}";
    let lifetime = || (0..3_u32).prop_map(Lifetime::of_days);
    let create = (email(), name(), lifetime())
        .prop_map(|(email, name, lifetime)| Command::Create(NewUser { user_id: ID.to_owned(), email, name }, lifetime));
    let update = (prop::option::of(email()), prop::option::of(name()), lifetime())
        .prop_map(|(email, name, lifetime)| Command::Update(Patch { email, name }, lifetime));
    prop_oneof![3 => create, 5 => update, 2 => Just(Command::Delete)]
}

proptest! {
    #[test]
    fn the_log_folds_to_what_was_decided(
        steps in prop::collection::vec((command(), prop_oneof![-5..100_i64, 80_000..200_000_i64]), 1..40)
    ) {
        let (mut ids, mut seconds, mut version) = (EventIds::default(), 1_000, 0);
        let (mut user, mut state): (Option<User>, Option<State>) = (None, None);
        for (command, later) in steps {
            seconds += later;
            let now = Timestamp::from_micros(seconds * 1_000_000);
            let there = user.as_ref().is_some_and(|user| {
                user.deleted_at.is_none() && user.expires_at.is_none_or(|end| end > seconds)
            });
            let creates = matches!(command, Command::Create(..));
            let change = match user::decide(user.as_ref(), command, None, ID, now) {
                Ok(change) => change,
                Err(refusal) => {
                    prop_assert_eq!(refusal, if there { Refusal::Exists } else { Refusal::NotFound });
                    prop_assert_eq!(there, creates);
                    continue;
                }
            };
            version += 1;
            prop_assert_eq!((change.version, there), (version, !creates));
            let event = Event {
                event_id: ids.next(now, [3; 16]),
                event_type: change.event_type.to_owned(),
                received_at: now,
                entity_type: Some(user::ENTITY.to_owned()),
                entity_id: Some(ID.to_owned()),
                entity_version: Some(change.version),
                event_data: Some(change.data.to_string()),
                ..Event::default()
            };
            // As the log keeps it.
            let event = Event::from_line(&event.sealed().to_line()).unwrap();
            let next = domain::evolve(state.as_ref(), &event).unwrap();
            prop_assert_eq!(&next, &change.state);
            let read: User = serde_json::from_str(next.as_str()).unwrap();
            prop_assert_eq!(&State::of(&read), &next);
            (user, state) = (Some(read), Some(next));
        }
    }

    #[test]
    fn bodies_are_read_or_refused(
        body in prop_oneof![crate::support::odd_text(), "\\{\"(userId|email|name|id)\":[\"a-z0-9@{}\\[\\],]{0,12}\\}"]
    ) {
        let _ = Patch::parse(&body);
        if let Ok(new) = NewUser::parse(&body) {
            prop_assert!(user::is_id(&new.user_id));
        }
    }

    #[test]
    fn an_address_is_normalised_once(text in prop_oneof![crate::support::odd_text(), "[A-Za-zİß]{1,4}@[A-Za-zİ.]{1,6}"]) {
        if let Some(email) = domain::email::normalised(&text) {
            prop_assert_eq!(domain::email::normalised(&email), Some(email));
        }
    }
}
