//! State is a fold of events: what is decided is what is folded, and every prefix is a state that once was (I4, I5).

use event::domain::task::{self, Command, Patch, Priority, Status, Task};
use event::domain::{self, Refusal, State};
use event::{Event, EventIds, Timestamp};
use proptest::prelude::*;

const ID: &str = "019aa0c5-6f8b-7000-8000-000000000000";

fn patch() -> impl Strategy<Value = Patch> {
    let status = prop::sample::select(vec![Status::New, Status::InProgress, Status::Completed, Status::Cancelled]);
    let priority = prop::sample::select(vec![Priority::Low, Priority::Medium, Priority::High, Priority::Urgent]);
    let text = crate::support::odd_text().prop_map(|text| format!("t{text}"));
    (prop::option::of(text), prop::option::of(status), prop::option::of(priority))
        .prop_map(|(task, status, priority)| Patch { task, status, priority })
}

/// A command, the version it is made for, and the seconds until it comes; clocks go back, too.
fn step() -> impl Strategy<Value = (Command, Option<i64>, i64)> {
    let create = patch().prop_map(|patch| Command::Create {
        task: patch.task.unwrap_or("made".to_owned()),
        status: patch.status.unwrap_or(Status::New),
        priority: patch.priority.unwrap_or(Priority::Medium),
    });
    let command = prop_oneof![2 => create, 8 => patch().prop_map(Command::Update), 1 => Just(Command::Delete)];
    (command, prop::option::weighted(0.3, 0..6_i64), -5..100_i64)
}

/// Runs commands against a task as ingest does; gives the events, chained and sealed.
fn run(steps: Vec<(Command, Option<i64>, i64)>) -> Vec<Event> {
    let (mut ids, mut seconds, mut events) = (EventIds::default(), 1_000, Vec::<Event>::new());
    let mut state: Option<Task> = None;
    for (command, expected, later) in steps {
        seconds += later;
        let now = Timestamp::from_micros(seconds * 1_000_000);
        let change = match task::decide(state.as_ref(), command.clone(), expected, ID, now) {
            Ok(change) => change,
            Err(Refusal::Stale { current }) => {
                assert_eq!(state.as_ref().map(|task| task.version), Some(current));
                continue;
            }
            Err(Refusal::NotFound) => {
                assert!(command == Command::Delete || matches!(command, Command::Update(_)));
                assert!(state.as_ref().is_none_or(|task| task.deleted_at.is_some()));
                continue;
            }
            Err(refusal) => panic!("{refusal:?}"),
        };
        let evolved = task::evolve(state.as_ref(), change.event_type, &change.data, ID, now).unwrap();
        assert_eq!(State::of(&evolved), change.state);
        assert_eq!(evolved.state(), change.state, "keys in their order without sorting them");
        let event = Event {
            event_id: ids.next(now, [3; 16]),
            event_type: change.event_type.to_owned(),
            received_at: now,
            entity_type: Some(task::ENTITY.to_owned()),
            entity_id: Some(ID.to_owned()),
            entity_version: Some(change.version),
            event_data: Some(change.data.to_string()),
            state_hash: Some(change.state.hash()),
            state_after: Some(change.state.as_str().to_owned()),
            prev_event_hash: events.last().map(|event| event.event_hash.clone()),
            ..Event::default()
        };
        events.push(event.sealed());
        state = Some(evolved);
    }
    events
}

proptest! {
    #[test]
    fn the_log_folds_to_what_was_decided(steps in prop::collection::vec(step(), 1..30)) {
        let mut state: Option<State> = None;
        let mut previous: Option<String> = None;
        for (index, event) in run(steps).into_iter().enumerate() {
            // As the log keeps it.
            let event = Event::from_line(&event.to_line()).unwrap();
            prop_assert_eq!(event.entity_version, Some(index as i64 + 1));
            prop_assert_eq!(&event.prev_event_hash, &previous);
            prop_assert!(event.hash_holds());
            let next = domain::evolve(state.as_ref(), &event).unwrap();
            prop_assert_eq!(Some(next.as_str()), event.state_after.as_deref());
            prop_assert_eq!(Some(next.hash()), event.state_hash);
            // What is stored is read back and folded on: the canonical form must survive that.
            let task: Task = serde_json::from_str(next.as_str()).unwrap();
            prop_assert_eq!(&State::of(&task), &next);
            state = Some(next);
            previous = Some(event.event_hash);
        }
    }

    #[test]
    fn an_event_out_of_order_is_refused_or_shows(steps in prop::collection::vec(step(), 3..30), at in any::<prop::sample::Index>()) {
        let events = run(steps);
        if events.len() < 2 {
            return Ok(());
        }
        let skipped = at.index(events.len() - 1);
        let mut state: Option<State> = None;
        for (index, event) in events.iter().enumerate().filter(|(index, _)| *index != skipped) {
            match domain::evolve(state.as_ref(), event) {
                Ok(next) if index < skipped => state = Some(next),
                // The version that the fold counts is not the one that the event was given.
                Ok(next) => {
                    prop_assert_ne!(Some(next.hash()), event.state_hash.clone());
                    break;
                }
                Err(_) => break,
            }
        }
    }

    #[test]
    fn commands_are_read_or_refused(body in prop_oneof![crate::support::odd_text(), "\\{\"(task|status|priority|id)\":[\"a-z0-9{}\\[\\],]{0,12}\\}"]) {
        let _ = Command::parse_create(&body);
        let _ = Command::parse_update(&body);
        let _ = domain::submission::Submission::parse(&body);
    }
}
