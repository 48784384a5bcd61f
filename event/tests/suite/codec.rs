//! The line: what is written is read, what is read is written, and nothing is coerced.

use event::column::{Column, ColumnType, Origin};
use event::{COLUMNS, Event, Sealed, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::odd_text;

/// A field of a line: its name and its JSON.
type FieldText = (String, String);

fn line_columns() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.origin == Origin::Line)
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}

/// JSON of a column's type, as the codec writes it.
fn value_of(column: &Column) -> BoxedStrategy<String> {
    if column.name == "event_id" {
        return any::<u128>().prop_map(|id| json(&event::EventId::from_u128(id).to_string())).boxed();
    }
    match column.kind {
        ColumnType::String => odd_text().prop_map(|text| json(&text)).boxed(),
        ColumnType::Int => any::<i32>().prop_map(|n| n.to_string()).boxed(),
        ColumnType::Bigint => any::<i64>().prop_map(|n| n.to_string()).boxed(),
        ColumnType::Double => any::<f64>()
            .prop_filter("JSON has no other numbers", |n| n.is_finite())
            .prop_map(|n| Value::from(n).to_string())
            .boxed(),
        ColumnType::Boolean => any::<bool>().prop_map(|b| b.to_string()).boxed(),
        ColumnType::Timestamp => any::<i64>().prop_map(|n| json(&Timestamp::from_micros(n).to_string())).boxed(),
    }
}

/// The known fields of a line, in order; optional ones are there or not.
fn known_fields() -> impl Strategy<Value = Vec<FieldText>> {
    let columns: Vec<_> = line_columns()
        .map(|column| {
            let value = value_of(column);
            let value = if column.required { value.prop_map(Some).boxed() } else { prop::option::of(value).boxed() };
            value.prop_map(|json| (column.name.to_owned(), json))
        })
        .collect();
    columns.prop_map(|fields| fields.into_iter().filter_map(|(name, json)| Some((name, json?))).collect())
}

/// Fields of a later version: odd names, values that must stay to the byte.
fn unknown_fields() -> impl Strategy<Value = Vec<FieldText>> {
    let values = prop::sample::select(vec![
        "123456789012345678901234567890",
        "1e400",
        "-0.0",
        "null",
        "{ \"a\" : [1,\t2] }",
        r#""\u00e9\/""#,
        r#"{"a":1,"a":2}"#,
    ]);
    prop::collection::btree_map(odd_text().prop_map(|name| format!("x{name}")), values, 0..4)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect())
}

fn line(fields: &[FieldText]) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}:{value}", json(name))).collect();
    format!("{{{}}}", fields.join(","))
}

fn read(fields: &[FieldText]) -> Event {
    Event::from_line(line(fields).as_bytes()).unwrap()
}

/// The least that a line must hold.
fn required() -> Vec<FieldText> {
    let least = |column: &Column| match (column.name, column.kind) {
        ("event_id", _) => json("019aa0c5-6f8b-7000-8000-000000000000"),
        (_, ColumnType::Timestamp) => json("2026-11-20T09:30:26.123456Z"),
        (_, ColumnType::String) => json(""),
        (_, ColumnType::Double) => "0.5".to_owned(),
        (_, ColumnType::Boolean) => "true".to_owned(),
        (_, ColumnType::Int | ColumnType::Bigint) => "7".to_owned(),
    };
    line_columns().filter(|column| column.required).map(|column| (column.name.to_owned(), least(column))).collect()
}

proptest! {
    #[test]
    fn a_line_is_written_as_it_was_read(known in known_fields(), unknown in unknown_fields()) {
        let text = line(&[known, unknown].concat());
        let event = Event::from_line(text.as_bytes()).unwrap();
        let written = event.to_line();
        prop_assert_eq!(std::str::from_utf8(&written).unwrap(), &text);
        prop_assert!(!written.contains(&b'\n'));
        let again = Event::from_line(&written).unwrap();
        prop_assert_eq!(&again, &event);
        prop_assert_eq!(again.compute_hash(), event.compute_hash());
    }

    #[test]
    fn the_order_of_fields_does_not_matter(
        (known, shuffled) in known_fields().prop_flat_map(|known| (Just(known.clone()), Just(known).prop_shuffle())),
    ) {
        prop_assert_eq!(read(&shuffled), read(&known));
    }

    #[test]
    fn the_hash_covers_every_field_but_itself(known in known_fields(), at in any::<prop::sample::Index>()) {
        let hash = read(&known).compute_hash();
        let mut without = known.clone();
        let (name, _) = &mut without[at.index(known.len())];
        let changed = std::mem::replace(name, "renamed".to_owned());
        if line_columns().any(|column| column.name == changed && !column.required) {
            prop_assert_ne!(read(&without).compute_hash(), hash);
        }
        let mut sealed = read(&known).sealed();
        prop_assert!(sealed.hash_holds());
        sealed.path.push('x');
        prop_assert!(!sealed.hash_holds());
    }

    #[test]
    fn what_is_sealed_has_the_hash_and_the_line_of_its_event(known in known_fields(), unknown in unknown_fields()) {
        let event = read(&[known, unknown].concat());
        let hash = event.compute_hash();
        let sealed = Sealed::of(event);
        prop_assert_eq!(&sealed.event_hash, &hash);
        prop_assert_eq!(sealed.line(), sealed.to_line());
        prop_assert_eq!(&Sealed::kept(Event::clone(&sealed)), &sealed);
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Event::from_line(&bytes);
    }

    #[test]
    fn a_damaged_line_is_refused_or_read(known in known_fields(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = line(&known).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(event) = Event::from_line(&bytes) {
            prop_assert_eq!(&Event::from_line(&event.to_line()).unwrap(), &event);
        }
    }
}

/// JSON that no column of the type may take.
fn wrong(kind: ColumnType) -> &'static [&'static str] {
    match kind {
        ColumnType::String => &["1", "true", "[]", "{}", r#"["a"]"#],
        ColumnType::Int => &[r#""1""#, "1.5", "1.0", "2147483648", "-2147483649", "true", "[]"],
        ColumnType::Bigint => &[r#""1""#, "1.5", "1e3", "9223372036854775808", "true", "{}"],
        ColumnType::Double => &[r#""1""#, "1e999", "true", "[]", r#""NaN""#],
        ColumnType::Boolean => &[r#""true""#, "1", "0", "[]"],
        ColumnType::Timestamp => &[
            "1763631026123456",
            r#""2026-11-20""#,
            r#""2026-11-20T09:30:26+00:00""#,
            r#""2026-11-20T09:30:26.1234567Z""#,
            r#""2026-11-20 09:30:26Z""#,
            r#""2026-11-20T09:30:60Z""#,
            "true",
        ],
    }
}

#[track_caller]
fn refused(fields: &[FieldText], column: Option<&str>, reason: &str) {
    let error = Event::from_line(line(fields).as_bytes()).unwrap_err();
    assert_eq!(error.column(), column, "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn a_wrong_type_is_refused_and_the_column_named() {
    for column in line_columns() {
        let null = if column.required { &["null"][..] } else { &[] };
        let id =
            if column.name == "event_id" { &[r#""x""#, r#""019AA0C5-6F8B-7000-8000-000000000000""#][..] } else { &[] };
        for json in wrong(column.kind).iter().chain(null).chain(id) {
            let mut fields = required();
            fields.retain(|(name, _)| name != column.name);
            fields.push((column.name.to_owned(), (*json).to_owned()));
            refused(&fields, Some(column.name), "expected");
        }
    }
}

#[test]
fn an_optional_null_is_the_same_as_nothing() {
    let mut fields = required();
    for column in line_columns().filter(|column| !column.required) {
        fields.push((column.name.to_owned(), "null".to_owned()));
    }
    assert_eq!(read(&fields), read(&required()));
}

#[test]
fn a_missing_required_field_is_named() {
    for column in line_columns().filter(|column| column.required) {
        let mut fields = required();
        fields.retain(|(name, _)| name != column.name);
        refused(&fields, Some(column.name), "missing");
    }
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    for (name, value) in required() {
        let twice = [required(), vec![(name.clone(), value)]].concat();
        refused(&twice, None, &format!("{name} stands twice"));
    }
    let unknown = ("later".to_owned(), "1".to_owned());
    refused(&[required(), vec![unknown.clone(), unknown]].concat(), None, "later stands twice");
}

#[test]
fn what_is_not_one_object_is_refused() {
    let good = line(&required());
    for text in ["", "null", "[]", "\"a\"", "{", &format!("{good}{good}"), &format!("{good}\n"), &good[1..]] {
        assert_eq!(Event::from_line(text.as_bytes()).unwrap_err().column(), None, "{text}");
    }
    assert!(Event::from_line(b"{\"event_id\":\"\xff\"}").is_err());
}

#[test]
fn many_unknown_fields_take_no_time() {
    let many: Vec<FieldText> = (0..300_000).map(|n| (format!("x{n}"), "0".to_owned())).collect();
    assert_eq!(read(&[required(), many].concat()).extra.len(), 300_000);
}
