//! Whole runs of several servers and clients on one thread: chance, faults, clock and order from one seed.
//!
//! Stores fail before and after they have done what they were asked, answers are lost, servers are killed in the middle
//! of requests, clocks are set. In the end the log, the states and what the clients heard must agree (I1 to I6).
//! `DAYBOOK_TEST_SEEDS` sets how many runs there are (300), `DAYBOOK_TEST_SEED` names one to be repeated.

mod client;
mod sea;
mod server;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use event::Event;
use event::domain::evolve;
use futures::executor::block_on;
use ingest::store::memory::MemoryStore;
use ingest::store::{EntityRef, EventStore};

use self::client::{Attempt, Client, Heard, Ledger};
use self::server::Server;
use self::world::Actor;
use crate::rig::verify_log;

/// Clients of a run, and requests of each.
const CLIENTS: usize = 4;
const REQUESTS: usize = 12;

/// A number from the environment.
#[expect(clippy::disallowed_methods, reason = "a test has an environment")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn every_run_keeps_the_promises() {
    let seeds = match number("DAYBOOK_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DAYBOOK_TEST_SEEDS").unwrap_or(300),
    };
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for seed in seeds {
        let failed = std::panic::catch_unwind(|| simulate(seed));
        match failed {
            Ok((log, _)) => log.iter().for_each(|event| *sums.entry(event.event_type.clone()).or_default() += 1),
            Err(panic) => {
                eprintln!("simulation: DAYBOOK_TEST_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!("simulation: {sums:?}");
}

#[test]
fn a_seed_is_a_run() {
    for seed in [1, 2, 3] {
        let lines = |(log, heard): (Vec<Event>, usize)| (log.iter().map(Event::to_line).collect::<Vec<_>>(), heard);
        assert_eq!(lines(simulate(seed)), lines(simulate(seed)));
    }
}

/// One run; its log, and how many answers were heard.
fn simulate(seed: u64) -> (Vec<Event>, usize) {
    world::begin(seed);
    let store = Arc::new(MemoryStore::default());
    let failures = [0, 10, 50, 200][world::below(4)];
    let kills = [0, 0, 2, 6][world::below(4)];
    let servers: Vec<Rc<Server>> = (0..1 + world::below(2)).map(|name| Server::new(&store, failures, name)).collect();
    let ledger = Rc::new(RefCell::new(Ledger::default()));
    let mut actors: Vec<Actor> =
        (0..CLIENTS).map(|name| Box::pin(Client::new(name, &servers, &ledger).act(REQUESTS)) as Actor).collect();
    actors.push(Box::pin(async move {
        for _ in 0..kills {
            world::pause(40 + world::below(200)).await;
            servers[world::below(servers.len())].kill();
        }
    }));
    world::run(actors);
    let log = store.log();
    check_log(&log, &store);
    let ledger = ledger.borrow();
    check_attempts(&log, &ledger.attempts);
    (log, ledger.attempts.iter().filter(|attempt| attempt.heard != Heard::Nothing).count())
}

/// I4, I5, and what holds of any event whatever the clock did.
fn check_log(log: &[Event], store: &MemoryStore) {
    verify_log(log);
    let mut entities: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in log {
        assert!(event.duration_ms >= 0.0, "{event:?}");
        if let (Some(id), true) = (&event.entity_id, event.state_after.is_some()) {
            entities.entry(id).or_default().push(event);
        }
    }
    for (id, events) in entities {
        let entity = EntityRef { tenant: events[0].tenant.clone(), kind: "task".to_owned(), id: id.to_owned() };
        let stored = block_on(store.load(&entity)).unwrap().unwrap();
        let folded = events.iter().fold(None, |state, event| Some(evolve(state.as_ref(), event).unwrap()));
        assert_eq!((stored.version, Some(stored.state)), (events.len() as i64, folded), "I5: {id}");
    }
}

/// I1, I3, I6: the log has what was answered, and nothing else but what may have been done unheard.
fn check_attempts(log: &[Event], attempts: &[Attempt]) {
    let mut events: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in log {
        events.entry(event.user_agent.as_deref().unwrap()).or_default().push(event);
    }
    let mut last_ids = HashMap::new();
    let mut purposes: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    for attempt in attempts {
        let found = events.remove(attempt.name.as_str()).unwrap_or_default();
        assert!(found.len() <= 1, "I6: {attempt:?} has {found:?}");
        let event = found.first();
        if let Heard::Answer { status, event_id } = &attempt.heard {
            let event = event.unwrap_or_else(|| panic!("I1: {attempt:?} was answered, the log has nothing"));
            assert_eq!((event.status, event.event_id.to_string()), (i32::from(*status), event_id.clone()));
        }
        if let Some(event) = event {
            // Ids of one process grow in the order of the requests, whatever its clock does.
            let last = last_ids.insert(event.service_version.clone(), event.event_id);
            assert!(last.is_none_or(|last| last < event.event_id), "{last:?}, then {event:?}");
        }
        if let Some(purpose) = &attempt.purpose {
            let (changes, done) = purposes.entry(purpose).or_default();
            *changes += usize::from(event.is_some_and(|event| !event.event_type.starts_with("request.")));
            *done |= matches!(attempt.heard, Heard::Answer { status: 200..300, .. });
        }
    }
    assert!(events.is_empty(), "I3: nobody sent {events:?}");
    for (purpose, (changes, done)) in purposes {
        // A clock that leaps a year makes every kept answer expire.
        assert!(world::has_leapt() || changes <= 1, "I3: {purpose} was done {changes} times");
        assert!(!done || changes >= 1, "I1: {purpose} was answered and not done");
    }
}
