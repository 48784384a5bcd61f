//! What others are told about the columns.

use std::collections::HashSet;

use event::{COLUMNS, schema};

use crate::support::golden;

#[test]
fn the_columns_in_every_form() {
    golden("schema/columns.json", &schema::json());
    golden("schema/columns.md", &schema::markdown());
    golden("../../athena/tables/tables.sql", &schema::athena());
    golden("../../athena/tables/gateway_log.sql", &schema::gateway_log());
    golden("../../athena/tables/views.sql", &schema::views());
    golden("../../terraform/columns.tf", &schema::hcl());
}

#[test]
fn the_json_form_is_json() {
    let columns: Vec<serde_json::Value> = serde_json::from_str(&schema::json()).unwrap();
    let names: Vec<&str> = columns.iter().filter_map(|column| column["name"].as_str()).collect();
    assert_eq!(names, COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>());
}

#[test]
fn names_are_unique_and_comments_fit_the_catalog() {
    let names: HashSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(names.len(), COLUMNS.len());
    for column in COLUMNS {
        assert!(column.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
        // Glue takes 255 bytes.
        assert!((1..=255).contains(&column.meaning.len()), "{}", column.name);
    }
}
