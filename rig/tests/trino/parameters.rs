//! What is asked: each question with values that are there, and with some that are not.

use std::collections::BTreeMap;

use query::{Cell, NamedQuery, Params, Rows, Scope};

use crate::world::now;

/// One way to ask a question.
#[derive(Debug, Clone)]
pub struct Case {
    pub given: BTreeMap<&'static str, String>,
    pub tenant: Option<&'static str>,
    /// Whether it is also asked as a statement with the values in it.
    pub as_statement: bool,
}

impl Case {
    pub fn bind(&self, query: &NamedQuery) -> Params {
        let scope = Scope { now: now(), tenant: self.tenant.map(str::to_owned) };
        query.bind(self.given.iter().map(|(name, text)| (*name, text.as_str())), &scope).unwrap()
    }
}

/// Names and values of parameters.
type Given = &'static [(&'static str, &'static str)];

/// What is asked beside the defaults: of all time, of one tenant, of two hours, whose groups are small, of few rows.
const VARIANTS: [(Given, Option<&str>); 4] = [
    (&[("from", "now - 36d"), ("limit", "10000")], None),
    (&[("from", "now - 36d")], Some("acme")),
    (&[("from", "now - 2h")], None),
    (&[("from", "now - 36d"), ("to", "now - 3d"), ("limit", "3")], Some("ümlaut")),
];

/// And what some questions are asked as well.
const MORE: [(&str, Given); 15] = [
    ("availability", &[("slow_ms", "5")]),
    ("availability", &[("slow_ms", "-1")]),
    ("slowest", &[("route", "/tasks/{id}"), ("limit", "10000")]),
    ("slowest", &[("route", "' or 1=1 --")]),
    ("visits", &[("gap_minutes", "0"), ("from", "now - 36d")]),
    ("visits", &[("gap_minutes", "600"), ("from", "now - 36d")]),
    ("late_events", &[("late_seconds", "0"), ("from", "now - 36d")]),
    ("entity_as_of", &[("as_of", "now - 1d")]),
    ("entity_history", &[("to", "now - 1d")]),
    ("task_status", &[("to", "now - 1d")]),
    ("freshness", &[("to", "now + 9999d")]),
    ("user_requests", &[("user_id", "'; drop table requests; --"), ("from", "now - 36d")]),
    ("user_requests", &[("user_id", "a\nb\u{2028}c\u{202e}d"), ("from", "now - 36d")]),
    ("user_requests", &[("user_id", ""), ("from", "now - 36d")]),
    ("user_requests", &[("user_id", "\u{feff}ann"), ("from", "now - 36d")]),
];

/// The ways to ask `query` about these rows of the table.
pub fn cases(query: &NamedQuery, rows: &Rows) -> Vec<Case> {
    let mut cases = Vec::new();
    // To the microsecond: the first event counts, the last one does not.
    let [from, to] = [rows.rows.len() / 2, rows.rows.len() * 3 / 4].map(|number| time(rows, &rows.rows[number]));
    let exact = [("from", from.as_str()), ("to", to.as_str()), ("as_of", to.as_str()), ("limit", "10000")];
    for (number, required) in required(query, rows).into_iter().enumerate() {
        let variants = VARIANTS.iter().map(|(given, tenant)| (*given, *tenant)).chain([(&exact[..], None)]);
        let variants = variants.filter(|_| number == 0);
        let more = MORE.iter().filter(|(name, _)| *name == query.name).map(|(_, given)| (*given, None));
        let first = [(&[][..], None)].into_iter().chain(more).map(|case| (case, true));
        for ((given, tenant), as_statement) in first.chain(variants.map(|case| (case, false))) {
            let mut all = required.clone();
            let known = given.iter().filter_map(|(name, text)| Some((query.param(name)?.name, (*text).to_owned())));
            all.extend(known);
            let case = Case { given: all, tenant, as_statement };
            // Where a question lacks a parameter, variants may be the same.
            if !cases.iter().any(|other: &Case| other.given == case.given && other.tenant == case.tenant) {
                cases.push(case);
            }
        }
    }
    cases
}

/// Values for what has no default, some of them of few rows or none.
fn required(query: &NamedQuery, rows: &Rows) -> Vec<BTreeMap<&'static str, String>> {
    let names = query.params.iter().filter(|param| param.default.is_none()).map(|param| param.name);
    let one = |name: &'static str, value: String| BTreeMap::from([(name, value)]);
    match names.collect::<Vec<_>>()[..] {
        [] => vec![BTreeMap::new()],
        ["entity_id"] => entities(rows),
        ["user_id"] => vec![one("user_id", "Ünïcödé-使用者".to_owned()), one("user_id", "user-7".to_owned())],
        [name @ ("request_id" | "trace_id")] => {
            let mut values: Vec<_> = frequent(rows, name, |_| true).into_iter().take(2).collect();
            values.push("' or '1'='1".to_owned());
            values.into_iter().map(|value| one(name, value)).collect()
        }
        ref other => panic!("no values for {other:?} of {}", query.name),
    }
}

/// The task that changed most, the one that was read most, one that was deleted, a submission, and one that is not there.
fn entities(rows: &Rows) -> Vec<BTreeMap<&'static str, String>> {
    let operation = |row: &[Cell], wanted: &str| cell(rows, row, "operation") == &Cell::Text(wanted.to_owned());
    let is_task = |row: &[Cell]| cell(rows, row, "entity_type") == &Cell::Text("task".to_owned());
    let tasks: [Vec<String>; 3] = [
        frequent(rows, "entity_id", |row| is_task(row) && operation(row, "update")),
        frequent(rows, "entity_id", |row| is_task(row) && operation(row, "read")),
        frequent(rows, "entity_id", |row| is_task(row) && operation(row, "delete")),
    ];
    let submission = frequent(rows, "entity_id", |row| !is_task(row)).remove(0);
    let tasks = tasks.into_iter().map(|mut ids| BTreeMap::from([("entity_id", ids.remove(0))]));
    let others = [
        BTreeMap::from([("entity_id", submission), ("entity_type", "data".to_owned())]),
        BTreeMap::from([("entity_id", "no task é".to_owned())]),
    ];
    tasks.chain(others).collect()
}

/// The texts of a column in the rows that are wanted, the most frequent first.
fn frequent(rows: &Rows, name: &str, wanted: impl Fn(&[Cell]) -> bool) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.rows.iter().filter(|row| wanted(row)) {
        if let Cell::Text(text) = cell(rows, row, name) {
            *counts.entry(text).or_default() += 1;
        }
    }
    let mut texts: Vec<(&str, usize)> = counts.into_iter().collect();
    texts.sort_by_key(|(text, count)| (std::cmp::Reverse(*count), *text));
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}

fn time(rows: &Rows, row: &[Cell]) -> String {
    match cell(rows, row, "received_at") {
        Cell::Timestamp(time) => time.to_string(),
        other => panic!("{other:?} is no time"),
    }
}

fn cell<'r>(rows: &Rows, row: &'r [Cell], name: &str) -> &'r Cell {
    &row[rows.columns.iter().position(|column| column.name == name).unwrap()]
}
