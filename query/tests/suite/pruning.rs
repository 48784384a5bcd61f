//! How little is read: whole files, row groups and pages are left out.

use event::{Event, EventId, Timestamp};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use query::local::{Limits, LocalEngine, Snapshot};
use query::{Cell, QueryEngine, Rows, named};

use crate::fixture::{ask, events, now, scope};
use crate::table::Lake;

const DAY: i64 = 86_400_000_000;
const ROWS: usize = 4_000;

/// A day of requests, in the order of time, with a body each and random-looking entity ids.
fn day(days_ago: i64) -> Vec<Event> {
    let template = events().remove(2);
    let start = now().micros() - days_ago * DAY - DAY / 2;
    let event = |index: usize| {
        let noise = (index as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Event {
            event_id: EventId::from_u128(noise),
            received_at: Timestamp::from_micros(start + index as i64 * (DAY / ROWS as i64)),
            entity_id: Some(format!("{:032x}", noise ^ days_ago as u128)),
            entity_version: Some(1),
            operation: Some("create".to_owned()),
            path: (1..8).map(|n| format!("{:032x}", noise.wrapping_mul(noise >> n))).collect(),
            state_after: Some(format!("{:x}", noise.wrapping_mul(noise))),
            ..template.clone()
        }
    };
    (0..ROWS).map(event).collect()
}

async fn lake(days: i64, properties: WriterProperties) -> Snapshot {
    let mut lake = Lake::in_memory(properties).await;
    for days_ago in 0..days {
        lake.append(&day(days_ago)).await;
    }
    Snapshot { table: lake.table, tail: vec![] }
}

async fn traffic(snapshot: Snapshot, from: &str) -> Rows {
    ask(snapshot, "traffic", &[("from", from)], &scope()).await
}

fn requests(rows: &Rows) -> i64 {
    rows.rows.iter().map(|row| if let Cell::Int(count) = row[1] { count } else { 0 }).sum()
}

#[tokio::test]
async fn days_outside_the_range_are_not_opened() {
    let week = lake(7, WriterProperties::builder().build()).await;
    let one = lake(1, WriterProperties::builder().build()).await;
    let (of_week, of_one) = (traffic(week.clone(), "2026-11-20").await, traffic(one, "2026-11-20").await);
    assert_eq!(of_week.rows, of_one.rows);
    assert_eq!(of_week.bytes_read, of_one.bytes_read);
    let whole = traffic(week.clone(), "2026-11-01").await;
    assert_eq!(requests(&whole), 7 * ROWS as i64 - ROWS as i64 / 2);
    assert!(whole.bytes_read > 6 * of_one.bytes_read, "{} of {}", of_one.bytes_read, whole.bytes_read);
    assert_eq!(traffic(week, "now + 2d").await.bytes_read, 0);
}

#[tokio::test]
async fn row_groups_and_pages_outside_the_range_are_not_read() {
    let groups = |rows: usize| WriterProperties::builder().set_max_row_group_row_count(Some(rows));
    for properties in [
        groups(200).build(),
        groups(1 << 20)
            .set_dictionary_enabled(false)
            .set_data_page_row_count_limit(200)
            .set_write_batch_size(200)
            .build(),
    ] {
        let snapshot = lake(1, properties).await;
        let given = |from: &'static str| [("from", from), ("limit", "10000")];
        let whole = ask(snapshot.clone(), "slowest", &given("2026-11-01"), &scope()).await;
        let few = ask(snapshot, "slowest", &given("now - 10m"), &scope()).await;
        assert_eq!(whole.rows.len(), ROWS / 2);
        assert!((20..40).contains(&few.rows.len()), "{}", few.rows.len());
        assert!(few.bytes_read * 2 < whole.bytes_read, "{} of {}", few.bytes_read, whole.bytes_read);
    }
}

#[tokio::test]
async fn bloom_filters_leave_row_groups_out() {
    let properties = |bloom: bool| {
        WriterProperties::builder()
            .set_max_row_group_row_count(Some(500))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_column_bloom_filter_enabled("entity_id".into(), bloom)
            .set_column_bloom_filter_ndv("entity_id".into(), 500)
            .set_column_bloom_filter_enabled("entity_id".into(), bloom)
            .build()
    };
    let wanted = day(0)[1_234].entity_id.clone().unwrap();
    let mut bytes = Vec::new();
    for bloom in [true, false] {
        let snapshot = lake(1, properties(bloom)).await;
        let rows = ask(snapshot, "entity_history", &[("entity_id", &wanted)], &scope()).await;
        assert_eq!(rows.rows.len(), 1);
        bytes.push(rows.bytes_read);
    }
    assert!(bytes[0] * 4 < bytes[1] * 3, "{bytes:?}");
}

#[tokio::test]
async fn footers_are_read_once_for_all_engines_of_a_table() {
    let snapshot = lake(3, WriterProperties::builder().build()).await;
    let query = named::find("traffic").unwrap();
    let params = query.bind([("from", "2026-11-01")], &scope()).unwrap();
    let engine = LocalEngine::new(snapshot.clone(), Limits::default()).unwrap();
    let first = engine.run(query, &params).await.unwrap();
    let again = engine.run(query, &params).await.unwrap();
    assert_eq!(first.rows, again.rows);
    assert!(again.bytes_read < first.bytes_read, "{} after {}", again.bytes_read, first.bytes_read);
    let next = engine.on(snapshot).unwrap().run(query, &params).await.unwrap();
    assert_eq!((next.rows, next.bytes_read), (again.rows, again.bytes_read));
}
