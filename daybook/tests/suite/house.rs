//! The house: who may use whom, and what every file of the repository keeps to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate of the workspace and what its own build may not contain, as names or, ending in `*`, their beginnings.
struct Border {
    of: &'static str,
    never: &'static [&'static [&'static str]],
}

const STAGES: &[&str] = &["event", "ingest", "compactor", "query", "daybook"];
/// Async runtimes and HTTP.
const OUTSIDE: &[&str] = &["tokio*", "async-std", "smol", "futures*", "http", "http-*", "hyper*", "tower*", "reqwest"];
/// Clocks and sources of randomness.
const CHANCE: &[&str] = &["iana-time-zone", "time", "getrandom", "rand", "rand_*", "fastrand"];
/// The table's formats.
const COLUMNAR: &[&str] = &["arrow*", "parquet*", "iceberg*"];
const DATAFUSION: &[&str] = &["datafusion*"];
const DATABASES: &[&str] = &["rusqlite", "libsqlite3-sys", "sqlx*"];
/// Nothing of a cloud is in a build without the feature `aws`.
const CLOUD: &[&str] = &["cloud", "aws-*", "lambda_*"];

/// The table of `docs/architecture.md`.
const BORDERS: &[Border] = &[
    Border {
        of: "event",
        never: &[&["ingest", "compactor", "query", "daybook"], OUTSIDE, CHANCE, COLUMNAR, DATAFUSION, DATABASES, CLOUD],
    },
    Border { of: "ingest", never: &[&["compactor", "query", "daybook"], COLUMNAR, DATAFUSION, CLOUD] },
    Border { of: "compactor", never: &[&["ingest", "query", "daybook"], DATAFUSION, CLOUD] },
    Border { of: "query", never: &[&["ingest", "compactor", "daybook"], DATABASES, CLOUD] },
    Border { of: "daybook", never: &[&["bench"], CLOUD] },
    // Measures stages, without the query engine's weight in its build.
    Border { of: "bench", never: &[&["daybook"], DATAFUSION, CLOUD] },
    Border { of: "cloud", never: &[STAGES, COLUMNAR, DATAFUSION, DATABASES] },
    // Tests of all that needs AWS: whom it may use is no question, but nobody may use it.
    Border { of: "rig", never: &[&["bench"]] },
];

#[test]
fn crates_keep_to_their_borders() {
    for Border { of, never } in BORDERS {
        let used = used_by(of);
        assert!(used.contains(*of), "cargo tree shows {of} itself");
        for rule in never.iter().copied().flatten() {
            let broken: Vec<&String> = used.iter().filter(|name| matches(rule, name)).collect();
            assert!(broken.is_empty(), "{of} must not use {rule}, but its build contains {broken:?}");
        }
    }
}

#[test]
fn every_crate_of_the_workspace_has_a_border() {
    let members: BTreeSet<String> = metadata()["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap().to_owned())
        .collect();
    let bordered: BTreeSet<String> = BORDERS.iter().map(|border| border.of.to_owned()).collect();
    assert_eq!(members, bordered);
}

/// Stages meet in `daybook` alone, also in tests: what needs two of them is a test of the whole machine.
#[test]
fn stages_do_not_name_each_other() {
    let stages = ["ingest", "compactor", "query"];
    for package in metadata()["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let named = package["dependencies"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap());
        let named: Vec<&str> = named.filter(|it| stages.contains(it)).collect();
        assert!(
            ["daybook", "bench", "rig"].contains(&name) || named.is_empty(),
            "{name} names {named:?}, if only for tests"
        );
    }
}

#[test]
fn datafusion_is_named_in_the_local_engine_only() {
    for file in files("rs") {
        // The tests that find such names name them.
        if file.starts_with("query/src/local/") || file == "daybook/tests/suite/house.rs" {
            continue;
        }
        for (number, line) in read(&file).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            assert!(!code.contains("datafusion"), "{file}:{}: {line}", number + 1);
        }
    }
}

#[test]
fn no_source_file_is_longer_than_500_lines() {
    for file in files("rs") {
        let lines = read(&file).lines().count();
        assert!(lines <= 500, "{file} has {lines} lines; split it by responsibility");
    }
}

#[test]
fn the_readme_can_be_read_in_one_go() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 150, "README.md has {lines} lines");
}

#[test]
fn every_relative_link_leads_somewhere() {
    for file in files("md") {
        let folder = root().join(&file).parent().unwrap().to_owned();
        for target in between(&read(&file), "](", ')') {
            let path = target.split('#').next().unwrap_or_default();
            let external = target.contains("://") || target.starts_with("mailto:");
            assert!(external || folder.join(path).exists(), "{file} links to {target}, which is not there");
        }
    }
}

/// Documents name the files that make them true; a file that was moved must be found under its new name.
#[test]
fn every_path_that_a_document_names_is_there() {
    let top = [
        "event/",
        "ingest/",
        "compactor/",
        "query/",
        "daybook/",
        "cloud/",
        "rig/",
        "athena/",
        "bench/",
        "docs/",
        ".ci/",
        ".github/",
    ];
    for file in files("md") {
        for name in between(&outside_fences(&read(&file)), "`", '`') {
            let path = name.split("::").next().unwrap_or_default();
            let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
            if plain && top.iter().any(|top| path.starts_with(top)) {
                assert!(root().join(path).exists(), "{file} names {path}, which is not there");
            }
        }
    }
}

/// `file.rs::name` in a document is a function of that file.
#[test]
fn every_test_that_a_document_names_is_there() {
    for file in files("md") {
        for name in between(&outside_fences(&read(&file)), "`", '`') {
            let Some((path, function)) = name.split_once(".rs::") else { continue };
            let path = format!("{path}.rs");
            assert!(
                read(&path).contains(&format!("fn {function}(")),
                "{file} names {function}, which is not in {path}"
            );
        }
    }
}

#[test]
fn the_documented_columns_are_the_events() {
    let document = read("docs/event-format.md");
    let table = document.split("<!-- columns -->\n").nth(1).and_then(|rest| rest.split("<!-- /columns -->").next());
    let table = table.expect("docs/event-format.md has a table between <!-- columns --> and <!-- /columns -->");
    assert_eq!(table.trim(), event::schema::markdown().trim(), "`daybook schema --format markdown` prints it anew");
}

#[test]
fn actions_are_pinned_by_their_commit() {
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let Some((_, action)) = line.split_once("uses: ") else { continue };
            let pin = action.split_once('@').map_or("", |(_, pin)| pin);
            let (commit, version) = pin.split_once(" # ").unwrap_or((pin, ""));
            let pinned = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(pinned && version.starts_with('v'), "{}: {action}", path.display());
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every file of the repository that ends so, by its path from the root.
fn files(extension: &str) -> Vec<String> {
    const LEFT_OUT: &[&str] = &["target", "bin", "daybook-data", "node_modules"];
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with('.') || LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no *.{extension}");
    found
}

/// What stands between each `open` and the next `close`.
fn between(text: &str, open: &str, close: char) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(open) {
        let Some((inner, after)) = after.split_once(close) else { break };
        found.push(inner.to_owned());
        rest = after;
    }
    found
}

/// A document without its fenced blocks: the marks of a fence would be taken for those of a name.
fn outside_fences(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

fn matches(rule: &str, name: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == rule,
    }
}

/// What a crate's own build contains on this machine: its normal dependencies and theirs.
///
/// `cargo tree -p` resolves features for this crate alone. `cargo metadata` shows them as the whole workspace turns them
/// on: there `event` has a source of randomness, since another crate asks `uuid` for one.
fn used_by(package: &str) -> BTreeSet<String> {
    let tree = cargo(&["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn metadata() -> serde_json::Value {
    serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap()
}

/// Asks the cargo that runs the test, which must not change anything. On a fresh machine it fetches what the tests were
/// built without.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--locked")
        .current_dir(root())
        .output()
        .expect("cargo runs the test, so it is there");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
