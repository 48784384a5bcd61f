//! The files of questions, and the grammar of their headers.

use std::collections::BTreeSet;
use std::path::Path;

use query::named::{self, DefaultValue, ParamValue, TimeExpression, Unit};
use query::{ErrorKind, ParamKind, Scope};

use crate::fixture::now;

#[test]
fn every_file_is_a_question_and_every_question_a_file() {
    named::check().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../athena/queries");
    let files: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let questions: BTreeSet<String> = named::all().iter().map(|query| format!("{}.sql", query.name)).collect();
    assert_eq!(files, questions);
    assert_eq!(named::all().len(), questions.len(), "a question is listed twice");
}

#[test]
fn every_question_reads_requests_of_a_time_range_in_the_house_style() {
    for query in named::all() {
        let sql = query.sql;
        let name = query.name;
        assert!(sql.contains("    from requests\n    where received_at >= :from\n"), "{name}");
        assert!(sql.contains("(:tenant is null or tenant = :tenant)"), "{name}");
        assert!(sql.contains("\n)\n\nselect *\nfrom "), "{name} ends with select *");
        assert!(sql.ends_with('\n') && !sql.contains(';') && !sql.contains('\t'), "{name}");
        let code = sql.lines().filter(|line| !line.starts_with("--"));
        let outside_texts = |line: &str| line.split('\'').step_by(2).collect::<String>();
        assert!(code.clone().map(outside_texts).all(|line| line == line.to_lowercase()), "{name} is in lower case");
        assert!(sql.lines().all(|line| line.len() <= 120), "{name}");
        assert!(query.question.ends_with('?'), "{name}");
        assert_eq!(named::find(name).unwrap().name, name);
    }
}

/// Athena takes 25 execution parameters, and nothing but a value may look like one.
#[test]
fn every_question_can_be_prepared() {
    for query in named::all() {
        let required = query.params.iter().filter(|param| param.default.is_none()).map(|param| {
            let text = if param.kind == ParamKind::Timestamp { "now" } else { "1" };
            (param.name, text)
        });
        let prepared = query.prepare(&query.bind(required, &Scope::tenant(now(), "acme")).unwrap()).unwrap();
        assert!((1..=25).contains(&prepared.parameters.len()), "{}", query.name);
        assert_eq!(prepared.statement.matches('?').count(), prepared.parameters.len(), "{}", query.name);
        assert!(!prepared.statement.starts_with("--"), "{}", query.name);
    }
}

#[test]
fn an_unknown_name_is_named() {
    let error = named::find("nosuch").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownQuery);
    assert!(error.to_string().contains("nosuch") && error.to_string().contains("traffic"), "{error}");
}

const GOOD: &str = "-- name: good
-- question: Is it?
-- grain: one row
-- params:
--   from timestamp = now - 24h : first moment
--   at timestamp = 2026-11-20T09:30:26Z : a moment
--   id string : who
--   kind string = 'it is' : what
--   route string = null : where
--   least bigint = -5 : how many
--   limit limit = 20 : how many rows
select :from, :at, :id, :kind, :route, :least, :tenant limit :limit
";

#[test]
fn headers_are_read() {
    let query = named::parse("good.sql", GOOD).unwrap();
    assert_eq!((query.name, query.question, query.grain), ("good", "Is it?", "one row"));
    let params: Vec<_> = query.params.iter().map(|param| (param.name, param.kind, param.default.clone())).collect();
    let at = event::Timestamp::parse("2026-11-20T09:30:26Z").unwrap();
    assert_eq!(
        params,
        [
            ("from", ParamKind::Timestamp, Some(DefaultValue::Time(TimeExpression::FromNow(-24, Unit::Hour)))),
            ("at", ParamKind::Timestamp, Some(DefaultValue::Time(TimeExpression::At(at)))),
            ("id", ParamKind::String, None),
            ("kind", ParamKind::String, Some(DefaultValue::Value(ParamValue::String("it is".to_owned())))),
            ("route", ParamKind::String, Some(DefaultValue::Null)),
            ("least", ParamKind::Bigint, Some(DefaultValue::Value(ParamValue::Bigint(-5)))),
            ("limit", ParamKind::Limit, Some(DefaultValue::Value(ParamValue::Bigint(20)))),
        ]
    );
    assert_eq!(query.params[0].meaning, "first moment");
}

#[test]
fn bad_headers_are_refused_with_file_and_line() {
    for (line, from, to, reason) in [
        (1, "-- name: good", "", "expected `-- name: …`"),
        (1, "-- name: good", "-- name:good2", "not the name of the file"),
        (1, "-- name: good", "--name: good", "expected `-- name: …`"),
        (2, "-- question: Is it?", "-- question:", "`question` says nothing"),
        (2, "-- question: Is it?", "-- grain: one row", "expected `-- question: …`"),
        (4, "-- params:", "-- params: some", "expected `none`"),
        (5, "-- params:\n", "-- params: none\n", "without parameters declares one"),
        (5, "--   from", "-- from", "expected `--   NAME KIND"),
        (5, " : first moment", "", "no ` : MEANING`"),
        (5, " : first moment", " : ", "meaning says nothing"),
        (5, "now - 24h", "yesterday", "expected a time"),
        (5, "from timestamp", "From timestamp", "not a name"),
        (5, "from timestamp = now - 24h", "from", "no kind"),
        (6, "--   at ", "--   from ", "declared twice"),
        (6, "--   at ", "--   tenant ", "cannot be declared"),
        (7, "id string", "id text", "expected one of timestamp"),
        (8, "'it is'", "it is", "text in single quotes"),
        (8, "'it is'", "'it's'", "text in single quotes"),
        (10, "-5", "five", "whole number"),
        (11, "limit = 20", "limit = 0", "from 1 to 10000"),
        (11, "limit = 20", "limit = null", "cannot be null"),
        (12, ":id,", ":idd,", "`:idd` is not declared"),
        (13, ":id,", "", "`id` is not used"),
        (13, ", :tenant", "", "`:tenant` is not used"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = named::parse("good.sql", text.leak()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadQueryFile);
        assert!(error.to_string().starts_with(&format!("athena/queries/good.sql:{line}: ")), "{from} → {to}: {error}");
        assert!(error.to_string().contains(reason), "{from} → {to}: {error}");
    }
}
