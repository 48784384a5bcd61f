//! `daybook history` and `daybook show`.

use super::Used;
use crate::support::{Server, daybook, text};

#[test]
fn a_history_has_every_change() {
    let used = Used::new();
    let data = used.place.data();
    let table = daybook(&data, &["history", "task", &used.task]).done();
    for word in ["task.created", "task.updated", "3 rows"] {
        assert!(table.contains(word), "{word} is not in {table}");
    }
    let json = daybook(&data, &["history", "task", &used.task, "--format", "json"]).json();
    let versions: Vec<i64> =
        json["rows"].as_array().unwrap().iter().map(|row| row["entity_version"].as_i64().unwrap()).collect();
    assert_eq!(versions, [1, 2, 3]);
}

#[test]
fn a_state_is_shown_as_it_is_and_as_it_was() {
    let used = Used::new();
    let data = used.place.data();
    // The same from raw objects and from the table.
    for _ in 0..2 {
        let show = |args: &[&str]| daybook(&data, &[&["show", "task", &used.task], args].concat());
        assert_eq!(show(&[]).json()["status"], "completed");
        assert_eq!(show(&["--version", "1"]).json()["task"], "first");
        assert_eq!(show(&["--version", "2"]).json()["task"], "second");
        show(&["--version", "9"]).refuses("was not there then");
        let history = daybook(&data, &["history", "task", &used.task, "--format", "json"]).json();
        assert_eq!(show(&["--as-of", &text(&history, "/rows/1/received_at")]).json()["status"], "new");
        assert_eq!(show(&["--as-of", "2999-01-01T00:00:00Z"]).json()["status"], "completed");
        show(&["--as-of", "2001-01-01T00:00:00Z"]).refuses("was not there then");
        assert_eq!(show(&["--as-of", "now"]).json()["status"], "completed");
        show(&["--as-of", "yesterday"]).is_misused("--as-of");
        daybook(&data, &["compact"]).done();
    }
}

#[test]
fn what_was_removed_is_there_no_more_but_was() {
    let used = Used::new();
    let show = |args: &[&str]| daybook(&used.place.data(), &[&["show", "task", &used.removed], args].concat());
    show(&[]).refuses("was removed; daybook history task");
    assert_eq!(show(&["--version", "1"]).json()["task"], "gone");
}

#[test]
fn an_entity_that_never_was_is_named() {
    let used = Used::new();
    let unknown = "019aa0c5-6f8b-7000-8000-000000000000";
    for args in [["history", "task", unknown], ["show", "task", unknown], ["history", "user", &used.task]] {
        daybook(&used.place.data(), &args).refuses(&format!("the log has no change of {} {}", args[1], args[2]));
    }
}

#[test]
fn the_same_answers_come_while_a_server_runs() {
    let used = Used::new();
    let server = Server::start(&used.place.data(), &["--relay-every", "50ms"]);
    assert_eq!(daybook(&used.place.data(), &["show", "task", &used.task]).json()["version"], 3);
    daybook(&used.place.data(), &["verify"]).done();
    server.terminate();
}
