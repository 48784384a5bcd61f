//! What all commands have in common: help, exit statuses, folders, output that nobody reads.

use std::fs;
use std::process::{Command, Stdio};

use super::Used;
use crate::support::{Place, Ran, Server, bounded, daybook, program};

/// Commands that read an installation.
const READERS: &[&[&str]] = &[
    &["query", "traffic"],
    &["history", "task", "x"],
    &["show", "task", "x"],
    &["verify"],
    &["compact"],
    &["lake"],
    &["quarantine", "list"],
    &["quarantine", "retry"],
    &["sql", "select 1"],
    &["tail"],
    &["export", "events"],
    &["replay"],
];

fn bare(args: &[&str]) -> Ran {
    bounded(program().args(args))
}

#[test]
fn help_lists_commands_and_examples() {
    let help = bare(&["--help"]).done();
    for word in ["Examples:", "daybook serve", "daybook verify", "Exit status", "--data", "--config", "--listen"] {
        assert!(help.contains(word), "{word:?} is not in {help}");
    }
    for command in ["query", "show", "schema", "quarantine"] {
        assert!(bare(&[command, "--help"]).done().contains("Example"), "{command}");
    }
    for command in [
        "serve",
        "compact",
        "import",
        "quarantine",
        "lake",
        "query",
        "sql",
        "history",
        "show",
        "tail",
        "export",
        "verify",
        "replay",
        "doctor",
        "schema",
        "cost",
        "demo",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("\n  {command}")), "{command} is not in {help}");
        bare(&[command, "--help"]).done();
    }
    assert!(bare(&["--version"]).done().starts_with("daybook "));
}

#[test]
fn a_wrong_command_line_is_status_two() {
    bare(&[]).is_misused("Usage");
    bare(&["nonsense"]).is_misused("unrecognized subcommand");
    bare(&["serve", "--nonsense"]).is_misused("unexpected argument");
    bare(&["query"]).is_misused("required");
    bare(&["quarantine"]).is_misused("Usage");
    bare(&["lake", "--days", "3", "--all"]).is_misused("cannot be used with");
    bare(&["compact", "--settle", "soon"]).is_misused("--settle");
    bare(&["history", "task"]).is_misused("<ID>");
    bare(&["verify", "--format", "xml"]).is_misused("possible values");
    bare(&["show", "task", "x", "--version", "1", "--as-of", "2026-01-01T00:00:00Z"]).is_misused("cannot be used with");
}

#[test]
fn a_folder_that_is_not_there_is_not_made_by_asking() {
    let place = Place::new();
    for args in READERS {
        daybook(&place.data(), args).refuses("there is no data folder");
        assert!(!place.data().exists(), "{args:?}");
    }
}

#[test]
fn a_folder_that_is_nobody_s_installation_is_left_as_it_is() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    for args in READERS {
        daybook(&place.data(), args).refuses("holds nothing of Daybook's");
        assert_eq!(fs::read_dir(place.data()).unwrap().count(), 0, "{args:?}");
    }
}

#[test]
fn help_shows_no_key_of_the_environment() {
    let key = format!("a:alpha:{}", event::sha256_hex(b"secret"));
    let help = bounded(program().env("DAYBOOK_API_KEYS", &key).args(["serve", "--help"])).done();
    assert!(help.contains("DAYBOOK_API_KEYS") && !help.contains(&key), "{help}");
}

#[test]
fn a_file_where_the_folder_should_be_is_named() {
    let place = Place::new();
    fs::write(place.data(), "").unwrap();
    for args in READERS.iter().chain([&["serve", "--listen", "127.0.0.1:0"].as_slice()]) {
        daybook(&place.data(), args).refuses(&place.data().display().to_string());
    }
}

#[test]
fn a_key_that_cannot_be_read_is_named() {
    let place = Place::new();
    Server::start(&place.data(), &[]).terminate();
    let key = place.data().join("installation.key");
    fs::write(&key, "nonsense").unwrap();
    daybook(&place.data(), &["serve", "--listen", "127.0.0.1:0"]).refuses("must hold 64 hex digits");
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    daybook(&place.data(), &["serve", "--listen", "127.0.0.1:0"]).refuses("cannot read");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    Server::start(&place.data(), &[]).terminate();
    let mode = fs::metadata(place.data().join("installation.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_database_of_a_later_version_is_refused() {
    let used = Used::new();
    let data = used.place.data();
    let store = rusqlite::Connection::open(data.join("store.db")).unwrap();
    store.execute_batch("pragma user_version = 99").unwrap();
    drop(store);
    for args in READERS.iter().chain([&["serve", "--listen", "127.0.0.1:0"].as_slice()]) {
        daybook(&data, args).refuses("later version of Daybook (format 99); upgrade");
    }
}

#[test]
fn a_foreign_database_is_refused() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    let store = rusqlite::Connection::open(place.data().join("store.db")).unwrap();
    store.execute_batch("create table theirs (x)").unwrap();
    drop(store);
    daybook(&place.data(), &["serve", "--listen", "127.0.0.1:0"]).refuses("is not a Daybook database");
}

/// What a shell says of the program's own status when the reader leaves after the first line.
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let used = Used::new();
    let program = program();
    for args in [
        "query traffic",
        "query --list",
        "schema",
        "verify",
        "verify --format json",
        "lake",
        "quarantine list",
        "--help",
    ] {
        let line = format!(
            "{{ {} --data {} {args}; echo status $? >&2; }} | true",
            program.get_program().display(),
            used.place.data().display()
        );
        let ran = bounded(Command::new("sh").args(["-c", &line]).stdin(Stdio::null()));
        assert_eq!(ran.err, "status 0\n", "{args}");
    }
}

#[test]
fn logs_go_to_standard_error_and_answers_to_standard_output() {
    let used = Used::new();
    let ran = daybook(&used.place.data(), &["verify", "--format", "json", "--log", "debug"]);
    serde_json::from_str::<serde_json::Value>(&ran.out).expect("nothing but the answer");
    daybook(&used.place.data(), &["verify", "--log", "a=b=c"]).refuses("log = ");
}

#[test]
fn the_columns_are_printed_for_whoever_needs_them() {
    for (format, word) in [("json", "event_id"), ("markdown", "event_id"), ("athena", "event_id"), ("hcl", "event_id")]
    {
        let text = bare(&["schema", "--format", format]).done();
        assert!(text.contains(word), "{format}: {text}");
    }
}
