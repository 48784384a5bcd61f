//! `daybook import`: other servers' logs become events, once, and nothing of them is lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use event::Event;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::{Place, Ran, Server, bounded, daybook, program, raw_events, raw_objects, table_rows};

/// Ten lines, one of them blank: seven requests, of which two are equal; two lines that are none.
const LOG: &str = include_str!("../../data/access.log");

fn import(data: &Path, format: &str, args: &[&str]) -> Value {
    run(data, format, args).json()
}

fn run(data: &Path, format: &str, args: &[&str]) -> Ran {
    daybook(data, &[&["import", "--json", "--format", format], args].concat())
}

fn file(place: &Place, name: &str, content: &[u8]) -> PathBuf {
    let path = place.beside(name);
    fs::write(&path, content).unwrap();
    path
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

fn lines_of(data: &Path) -> Vec<String> {
    let inflate = |path: PathBuf| {
        let mut text = String::new();
        let mut gzip = flate2::read::MultiGzDecoder::new(fs::File::open(path).unwrap());
        std::io::Read::read_to_string(&mut gzip, &mut text).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    raw_objects(data).into_iter().flat_map(inflate).collect()
}

#[test]
fn a_log_becomes_events_and_what_is_none_is_kept() {
    let place = Place::new();
    let log = file(&place, "access.log", LOG.as_bytes());
    let done = import(&place.data(), "combined", &[log.to_str().unwrap(), "--service", "shop"]);
    assert_eq!((&done["lines"], &done["new"], &done["quarantined"]), (&json!(9), &json!(7), &json!(2)), "{done}");
    let bad: Vec<_> = done["bad"].as_array().unwrap().iter().map(|bad| bad["line"].as_u64().unwrap()).collect();
    assert_eq!(bad, [5, 9]);

    let lines = lines_of(&place.data());
    let events: Vec<Event> = lines.iter().map(|line| Event::from_line(line.as_bytes()).unwrap()).collect();
    assert!(events.iter().all(|event| event.compute_hash() == event.event_hash && event.service == "shop"));
    assert!(events.iter().all(|event| event.event_type == "request.imported" && event.ingest_path == "import"));
    let first = &events[0];
    assert_eq!(first.received_at.to_seconds_string(), "2015-05-17T10:05:03Z");
    assert_eq!(
        (first.client_ip.as_deref(), first.status, first.response_bytes),
        (Some("203.0.113.7"), 200, Some(2030))
    );
    assert_eq!((first.user_agent.as_deref(), first.path.as_str()), (Some("Mozilla/5.0 (X11; Linux x86_64)"), "/a"));
    assert!(first.query_string.as_deref().unwrap().starts_with("token=[redacted:"), "{first:?}");
    assert!(first.request_headers.as_deref().unwrap().contains("https://example.org/?password=[redacted:"));
    assert_eq!(events[1].received_at.to_seconds_string(), "2015-05-18T00:59:59Z");
    assert_eq!((events[1].user_id.as_deref(), events[1].method.as_str()), (Some("ann"), "POST"));
    assert_ne!(events[2].event_id, events[3].event_id, "equal lines are two requests");
    assert_eq!((events[4].method.as_str(), events[4].path.as_str()), ("_OTHER", ""));
    assert_eq!(events[6].user_agent.as_deref(), Some(r#"a "quoted" agent"#));

    let list = daybook(&place.data(), &["quarantine", "list", "--full", "--json"]).json();
    assert_eq!(list["count"], 2);
    assert_eq!((&list["rows"][0]["raw_object"], &list["rows"][0]["line"]), (&json!("import/access.log"), &json!(5)));
    assert!(list["rows"][0]["text"].as_str().unwrap().contains("but has password=[redacted:"), "{list}");
    for path in walk(&place.data()).into_iter().filter(|path| !path.ends_with("installation.key")) {
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "{}", path.display());
    }
    assert!(!lines.concat().contains("hunter2"));
    let retried = daybook(&place.data(), &["quarantine", "retry"]).done();
    assert!(retried.contains("0 lines helped, 2 still refused"), "{retried}");

    daybook(&place.data(), &["verify"]).done();
    daybook(&place.data(), &["compact"]).done();
    daybook(&place.data(), &["verify"]).done();
    assert_eq!(table_rows(&place.data()).len(), 7);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn the_same_again_adds_nothing_however_it_comes() {
    let place = Place::new();
    let log = file(&place, "access.log", LOG.as_bytes());
    import(&place.data(), "combined", &[log.to_str().unwrap()]);
    let (objects, ids) = (raw_objects(&place.data()), raw_events(&place.data()));
    let gz = file(&place, "access.log.gz", &gzip(LOG.as_bytes()));
    let zst = file(&place, "access.log.zst", &zstd::encode_all(LOG.as_bytes(), 3).unwrap());
    for again in [&log, &gz, &zst] {
        let done = import(&place.data(), "combined", &[again.to_str().unwrap()]);
        assert_eq!((&done["new"], &done["known"], &done["objects"]), (&json!(0), &json!(7), &json!(0)), "{done}");
    }
    assert_eq!(raw_objects(&place.data()), objects);

    daybook(&place.data(), &["compact"]).done();
    let done = import(&place.data(), "combined", &[log.to_str().unwrap()]);
    assert_eq!(done["new"], 0);
    // A log that has grown: what is known adds no row.
    let more = LOG.lines().next().unwrap().replace("/a?", "/new?");
    fs::write(&log, format!("{LOG}{more}\n")).unwrap();
    import(&place.data(), "combined", &[log.to_str().unwrap()]);
    let done = daybook(&place.data(), &["compact", "--json"]).json();
    assert_eq!((&done["rows"], &done["duplicates"]), (&json!(1), &json!(7)), "{done}");
    assert_eq!(table_rows(&place.data()).len(), ids.len() + 1);
    daybook(&place.data(), &["verify"]).done();

    let elsewhere = import(&place.data(), "combined", &[log.to_str().unwrap(), "--source", "web2"]);
    assert_eq!(elsewhere["new"], 8, "a log of another name is another log");
}

#[test]
fn standard_input_needs_a_name() {
    let place = Place::new();
    run(&place.data(), "combined", &["-"]).refuses("say what log it is with --source");
    assert!(!place.data().exists());
    let mut child = program()
        .arg("--data")
        .arg(place.data())
        .args(["import", "--format", "ndjson", "--source", "in", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = r#"{"time":"2026-11-20T09:30:26Z","method":"GET","path":"/a","status":200}"#;
    writeln!(child.stdin.take().unwrap(), "{line}\n{line}\nnonsense").unwrap();
    let out = child.wait_with_output().unwrap();
    let done: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&done["new"], &done["quarantined"]), (&json!(2), &json!(1)));
}

#[test]
fn a_log_that_breaks_off_is_imported_up_to_there() {
    let place = Place::new();
    let line = LOG.lines().next().unwrap();
    let text: String =
        (0..2_000).map(|number| line.replace("/a?", &format!("/{}?", number * 7_919 % 9_973)) + "\n").collect();
    let whole = gzip(text.as_bytes());
    let log = file(&place, "cut.gz", &whole[..whole.len() / 2]);
    let ran = run(&place.data(), "combined", &[log.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("cannot be read from line") && ran.err.contains("what came before is imported"),
        "{ran:?}"
    );
    let there = raw_events(&place.data()).len();
    assert!((1..2_000).contains(&there), "{there}");
    let log = file(&place, "cut", text.as_bytes());
    import(&place.data(), "combined", &[log.to_str().unwrap()]);
    daybook(&place.data(), &["compact"]).done();
    assert_eq!(table_rows(&place.data()).len(), 2_000);
}

#[test]
fn lines_too_long_and_bytes_that_are_no_text_are_kept_apart() {
    let place = Place::new();
    let line = LOG.lines().next().unwrap();
    let long = line.replace("/a?", &format!("/{}?", "a".repeat(10_000)));
    let content = [long.as_bytes(), b"\n\xff\xfe no text\n", line.as_bytes(), b"\r\n"].concat();
    let log = file(&place, "odd", &content);
    let done = import(&place.data(), "combined", &[log.to_str().unwrap(), "--max-line", "9kB"]);
    assert_eq!((&done["new"], &done["quarantined"]), (&json!(1), &json!(2)), "{done}");
    assert!(done["bad"][0]["reason"].as_str().unwrap().contains("longer than 9000 bytes"), "{done}");
    assert_eq!(done["bad"][1]["base64"], "//4gbm8gdGV4dA==");
}

#[test]
fn beside_a_running_server() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let log = file(&place, "access.log", LOG.as_bytes());
    assert_eq!(import(&place.data(), "combined", &[log.to_str().unwrap()])["new"], 7);
    let rows =
        server.client().get("/queries/traffic?from=2015-05-17T00:00:00Z&to=2015-05-19T00:00:00Z").expect(200).json();
    let requests: i64 = rows["rows"].as_array().unwrap().iter().map(|row| row["requests"].as_i64().unwrap()).sum();
    assert_eq!(requests, 7);
    server.terminate();
    daybook(&place.data(), &["verify"]).done();
}

#[test]
fn a_wrong_command_line_makes_nothing() {
    let place = Place::new();
    let bare = |args: &[&str]| bounded(program().args(args));
    bare(&["import"]).is_misused("--format");
    bare(&["import", "--format", "xml", "x"]).is_misused("possible values");
    run(&place.data(), "combined", &["/nonexistent/x.log"]).refuses("cannot read /nonexistent/x.log");
}

/// The figures of a real log's description, by queries over what was imported.
///
/// Its file is named by `DAYBOOK_TEST_ACCESS_LOG`; 4,000 lines of Apache's combined format.
#[test]
fn a_real_log_is_counted_as_awk_counts_it() {
    let Some(log) = std::env::var_os("DAYBOOK_TEST_ACCESS_LOG") else {
        eprintln!("NOT TESTED: DAYBOOK_TEST_ACCESS_LOG names no file");
        return;
    };
    let (place, log) = (Place::new(), PathBuf::from(log));
    let done = import(&place.data(), "combined", &[log.to_str().unwrap()]);
    assert_eq!((&done["new"], &done["quarantined"]), (&json!(4_000), &json!(0)), "{done}");
    assert_eq!(import(&place.data(), "combined", &[log.to_str().unwrap()])["new"], 0);
    daybook(&place.data(), &["compact"]).done();
    daybook(&place.data(), &["verify"]).done();

    let rows = table_rows(&place.data());
    let count = |pick: fn(&crate::support::Logged) -> String| {
        let mut counts = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(pick(row)).or_insert(0) += 1);
        counts
    };
    assert_eq!(count(|row| row.method.clone()), BTreeMap::from([("GET".to_owned(), 3_983), ("HEAD".to_owned(), 17)]));
    let statuses = [("200", 3_540), ("206", 21), ("301", 102), ("304", 250), ("403", 1), ("404", 84), ("500", 2)];
    assert_eq!(count(|row| row.status.to_string()), statuses.map(|(status, count)| (status.to_owned(), count)).into());
    let ask = |sql: &str| daybook(&place.data(), &["sql", "--json", sql]).json()["rows"].clone();
    let sums =
        ask("select count(*) as n, count(distinct client_ip) as clients, sum(response_bytes) as bytes from requests");
    assert_eq!(sums, json!([{"n": 4_000, "clients": 806, "bytes": 838_782_701_i64}]));
    let days = ask("select cast(received_at as date) as day, count(*) as n from requests group by 1 order by 1");
    assert_eq!(days, json!([{"day": "2015-05-17", "n": 1_632}, {"day": "2015-05-18", "n": 2_368}]));
    let traffic = daybook(&place.data(), &["query", "traffic", "--param", "from=2015-05-17", "--json"]).json();
    let requests: i64 = traffic["rows"].as_array().unwrap().iter().map(|row| row["requests"].as_i64().unwrap()).sum();
    assert_eq!(requests, 4_000);
}
