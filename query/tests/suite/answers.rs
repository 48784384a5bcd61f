//! The eight questions against answers computed by plain loops, however the rows are spread over files and tail.

use event::{Event, Timestamp};
use query::local::Snapshot;
use query::{Cell, Scope};

use crate::fixture::{ask, events, now, scope};
use crate::oracle::{self, Answer, Range};
use crate::table;

const HOUR: i64 = 3_600_000_000;

/// All rows in the tail, in one commit, in several commits, or in files and tail.
async fn arrangements(events: &[Event]) -> Vec<Snapshot> {
    let (old, new) = events.split_at(60);
    let interleaved: Vec<Vec<Event>> =
        (0..3).map(|part| events.iter().skip(part).step_by(3).cloned().collect()).collect();
    vec![
        table::snapshot(&[], events).await,
        table::snapshot(&[events], &[]).await,
        table::snapshot(&[&old[..30], &old[30..]], new).await,
        table::snapshot(&[&interleaved[0], &interleaved[1]], &interleaved[2]).await,
    ]
}

async fn check(name: &str, given: &[(&str, &str)], scope: &Scope, expect: Answer) {
    for (index, snapshot) in arrangements(&events()).await.into_iter().enumerate() {
        let has_files = snapshot.table.metadata().current_snapshot().is_some();
        let answer = ask(snapshot, name, given, scope).await;
        assert!(answer.rows.iter().all(|row| row.len() == answer.columns.len()));
        assert_eq!(answer.rows, expect, "{name} {given:?}, arrangement {index}");
        assert!(!answer.truncated);
        assert!(has_files || answer.bytes_read == 0, "{name}, arrangement {index}");
    }
}

fn last(hours: i64) -> Range {
    Range { from: Timestamp::from_micros(now().micros() - hours * HOUR), to: now(), tenant: None }
}

fn acme() -> Scope {
    Scope::tenant(now(), "acme")
}

#[tokio::test]
async fn traffic() {
    check("traffic", &[], &scope(), oracle::traffic(&events(), &last(24))).await;
    let range = Range { tenant: Some("acme"), ..last(48) };
    check("traffic", &[("from", "now - 48h")], &acme(), oracle::traffic(&events(), &range)).await;
    let nobody = Scope::tenant(now(), "nobody");
    check("traffic", &[("from", "now - 48h")], &nobody, vec![]).await;
}

#[tokio::test]
async fn errors() {
    check("errors", &[("from", "2026-11-18")], &scope(), oracle::errors(&events(), &last(60), 100)).await;
    let range = Range { tenant: Some("acme"), ..last(24) };
    check("errors", &[("limit", "3")], &acme(), oracle::errors(&events(), &range, 3)).await;
}

#[tokio::test]
async fn latency() {
    check("latency", &[], &scope(), oracle::latency(&events(), &last(24))).await;
    check("latency", &[("from", "now - 48h")], &scope(), oracle::latency(&events(), &last(48))).await;
}

#[tokio::test]
async fn slowest() {
    check("slowest", &[], &scope(), oracle::slowest(&events(), &last(24), None, 20)).await;
    let given = [("from", "now - 2d"), ("route", "/tasks/{id}"), ("limit", "7")];
    check("slowest", &given, &scope(), oracle::slowest(&events(), &last(48), Some("/tasks/{id}"), 7)).await;
    check("slowest", &[("route", "' or 1=1 --")], &scope(), vec![]).await;
}

#[tokio::test]
async fn top_actors() {
    let given = [("from", "now - 2d"), ("limit", "1000")];
    check("top_actors", &given, &scope(), oracle::top_actors(&events(), &last(48), 1_000)).await;
    check("top_actors", &[("limit", "4")], &scope(), oracle::top_actors(&events(), &last(24), 4)).await;
}

#[tokio::test]
async fn entity_history() {
    for task in ["task-0", "task-1", "task-2", "task-3", "task-9"] {
        let expect = oracle::entity_history(&events(), &last(1_000), task);
        assert_eq!(expect.is_empty(), task == "task-9");
        check("entity_history", &[("entity_id", task)], &scope(), expect).await;
    }
}

#[tokio::test]
async fn entity_as_of() {
    for task in ["task-0", "task-3", "task-9"] {
        check("entity_as_of", &[("entity_id", task)], &scope(), oracle::entity_as_of(&events(), &last(1_000), task))
            .await;
    }
    let moment = events()[40].received_at;
    for offset in [-1, 0, 1] {
        let as_of = Timestamp::from_micros(moment.micros() + offset);
        let range = Range { to: Timestamp::from_micros(as_of.micros() + 1), ..last(1_000) };
        let id = events()[40].entity_id.clone().unwrap();
        let expect = oracle::entity_as_of(&events(), &range, &id);
        check("entity_as_of", &[("entity_id", &id), ("as_of", &as_of.to_string())], &scope(), expect).await;
    }
}

#[tokio::test]
async fn a_deleted_entity_has_no_state() {
    let snapshot = table::snapshot(&[&events()], &[]).await;
    let deleted = events().into_iter().find(|event| event.operation.as_deref() == Some("delete")).unwrap();
    let rows = ask(snapshot, "entity_as_of", &[("entity_id", "task-3")], &scope()).await;
    let row = rows.rows.iter().find(|row| row[3] == Cell::Int(deleted.entity_version.unwrap())).unwrap();
    assert_eq!((&row[6], &row[7]), (&Cell::Bool(true), &Cell::Null));
}

/// A user that was made a day before now, to be there for twelve hours, and changed after six, to be there for twelve more.
fn a_user_with_an_end() -> Vec<Event> {
    let made = |version: i64, hours: i64| {
        let at = Timestamp::from_micros(now().micros() - hours * HOUR + 999_999);
        let text = |text: &str| Some(text.to_owned());
        Event {
            event_type: if version == 1 { "user.created" } else { "user.updated" }.to_owned(),
            received_at: at,
            entity_type: text("user"),
            entity_id: text("ann"),
            entity_version: Some(version),
            operation: text(if version == 1 { "create" } else { "update" }),
            state_after: Some(format!(r#"{{"expires_at":{},"userId":"ann"}}"#, at.seconds() + 12 * 3_600)),
            ..events()[0].clone()
        }
    };
    vec![made(1, 24), made(2, 18)]
}

#[tokio::test]
async fn an_entity_that_has_ended_is_not_there() {
    let changes = a_user_with_an_end();
    for (as_of, version, is_deleted) in [
        ("2026-11-19T12:00:01Z", 1, false),
        ("2026-11-20T05:59:59.999999Z", 2, false),
        ("2026-11-20T06:00:00Z", 2, true),
        ("now", 2, true),
    ] {
        for snapshot in [table::snapshot(&[], &changes).await, table::snapshot(&[&changes], &[]).await] {
            let given = [("entity_type", "user"), ("entity_id", "ann"), ("as_of", as_of)];
            let row = ask(snapshot, "entity_as_of", &given, &scope()).await.rows.remove(0);
            assert_eq!((&row[3], &row[6]), (&Cell::Int(version), &Cell::Bool(is_deleted)), "{as_of}");
        }
    }
}

#[tokio::test]
async fn submissions_by_user() {
    check("submissions_by_user", &[], &scope(), oracle::submissions_by_user(&events(), &last(168), 100)).await;
    let given = [("from", "now - 24h"), ("limit", "2")];
    check("submissions_by_user", &given, &scope(), oracle::submissions_by_user(&events(), &last(24), 2)).await;
}
