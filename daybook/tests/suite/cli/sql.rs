//! `daybook sql`: questions are answered, everything else harms nobody.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::Used;
use crate::support::{bounded, daybook, program};

#[test]
fn questions_are_answered_in_every_form() {
    let used = Used::new();
    let data = used.place.data();
    let sql = "select method, count(*) as n from requests group by method order by n desc, method";
    let rows = daybook(&data, &["sql", "--json", sql]).json()["rows"].clone();
    assert_eq!(
        rows,
        json!([{"method": "POST", "n": 3}, {"method": "PUT", "n": 2}, {"method": "DELETE", "n": 1}, {"method": "GET", "n": 1}])
    );
    assert!(daybook(&data, &["sql", sql]).done().ends_with("\n4 rows\n"));
    assert!(daybook(&data, &["sql", "--format", "csv", sql]).done().starts_with("method,n\r\nPOST,3"));
    assert_eq!(daybook(&data, &["sql", "--format", "ndjson", sql]).done().lines().count(), 4);
    daybook(&data, &["compact"]).done();
    assert_eq!(daybook(&data, &["sql", "--json", sql]).json()["rows"], rows, "the same from the table");
    let cut = daybook(&data, &["sql", "--rows", "2", sql]).done();
    assert!(cut.contains("2 rows, and more that were cut off"), "{cut}");

    let mut child = program()
        .arg("--data")
        .arg(&data)
        .args(["sql", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"select count(*) as n from requests;\n").unwrap();
    let out = child.wait_with_output().unwrap();
    let out: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(out["rows"], json!([{"n": 7}]));
}

#[test]
fn everything_else_is_refused_in_one_line() {
    let used = Used::new();
    let data = used.place.data();
    let before = listing(&data);
    for (sql, reason) in [
        ("drop table requests", "one SELECT"),
        ("select 1; select 2", "one SELECT"),
        ("create external table x stored as csv location '/etc/passwd'", "daybook: "),
        ("copy (select * from requests) to '/tmp/daybook-must-not-be-there.csv'", "one SELECT"),
        ("select * from '/etc/passwd'", "no table but requests"),
        ("select * from information_schema.tables", "no table but requests"),
        ("select * from generate_series(1, 10)", "no table functions"),
        ("select nonsense from requests", "nonsense"),
        ("", "one SELECT"),
    ] {
        daybook(&data, &["sql", sql]).refuses(reason);
    }
    assert_eq!(listing(&data), before, "nothing was written");
    assert!(!Path::new("/tmp/daybook-must-not-be-there.csv").exists());
}

/// Every file of a folder with its size, but for what SQLite keeps beside its files while they are open.
fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().ends_with("-shm") && !path.to_string_lossy().ends_with("-wal") {
                files.push((path.display().to_string(), fs::metadata(&path).unwrap().len()));
            }
        }
    }
    files.retain(|(name, _)| !name.contains("/lake/"));
    files.sort();
    files
}

#[test]
fn what_asks_for_too_much_is_stopped_and_the_rest_goes_on() {
    let used = Used::new();
    let data = used.place.data();
    let check = |sql: &str, args: &[&str]| {
        let ran = daybook(&data, &[&["sql"], args, &[sql]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        assert!(ran.err.starts_with("daybook: ") && ran.err.lines().count() == 1, "{ran:?}");
    };
    // A hundred million pairs and more of every seven rows.
    let many = "select count(*) from requests a, requests b, requests c, requests d, requests e, requests f, requests g, \
                requests h, requests i, requests j, requests k, requests l where a.path || b.path <> l.path";
    check(many, &["--timeout", "1s"]);
    check("select length(repeat(path, 2000000000)) from requests", &["--query-memory", "64MiB"]);
    check("select length(lpad(path, 2000000000, 'x')) from requests", &["--query-memory", "64MiB"]);
    check(&format!("select {}1", "- ".repeat(9_000)), &[]);
    check(
        &format!("select {}", vec!["1"; 900].join("+")).replace("select", "select path from requests where 1 ="),
        &[],
    );
    daybook(&data, &["sql", "select 1"]).done();
}

/// No connection, and no file outside the data folder but what the system itself asks for.
#[test]
fn no_statement_opens_what_is_not_the_log_s() {
    let used = Used::new();
    let data = used.place.data();
    daybook(&data, &["compact"]).done();
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("NOT TESTED: strace is not installed");
        return;
    }
    for sql in [
        "select count(*) from requests where path like '%a%'",
        "select * from '/etc/passwd'",
        "select * from \"https://example.org/a.parquet\"",
        "create external table x stored as parquet location 's3://bucket/x'",
        "select * from read_csv('/etc/passwd')",
    ] {
        let trace = used.place.beside("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=open,openat,openat2,creat,connect,socket,execve", "-o"]).arg(&trace);
        command
            .arg(program().get_program())
            .arg("--data")
            .arg(&data)
            .args(["sql", sql])
            .env_clear()
            .stdin(Stdio::null());
        bounded(&mut command);
        // What is executed is the program itself, wherever it was built: its path may have "open" in it.
        for line in fs::read_to_string(&trace).unwrap().lines().filter(|line| !line.contains("execve(")) {
            assert!(!line.contains("connect(") && !line.contains("AF_INET"), "{sql}: {line}");
            let Some(path) = line.split_once("open").and_then(|(_, rest)| rest.split('"').nth(1)) else { continue };
            let data = data.canonicalize().unwrap();
            let own = Path::new(path).starts_with(&data) || path == data.to_string_lossy();
            let system =
                ["/lib", "/usr/lib", "/etc/ld.so", "/proc/", "/sys/", "/dev/null", "/dev/urandom", "/etc/localtime"];
            let harmless = system.iter().any(|begin| path.starts_with(begin)) || path == "daybook.toml";
            assert!(own || harmless, "{sql}: {line}");
        }
    }
}
