//! Times at the ends of the calendar and before 1970.

use event::{Event, EventId, Timestamp};
use query::Cell;

use crate::fixture::{ask, events, scope};
use crate::table;

fn times() -> Vec<Event> {
    let base = events().remove(0);
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:30:00.5Z",
        "1969-12-30T23:59:59.5Z",
        "1969-12-31T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "2262-04-12T00:00:00Z",
        "2300-06-01T12:34:56.789Z",
        "9999-12-31T23:59:59.999999Z",
    ]
    .iter()
    .zip(1_u128..)
    .map(|(time, id)| Event {
        event_id: EventId::from_u128(id),
        received_at: Timestamp::parse(time).unwrap(),
        ..base.clone()
    })
    .collect()
}

#[tokio::test]
async fn every_time_is_found_in_files_and_in_the_tail() {
    let all = times();
    let one_each: Vec<&[Event]> = all.chunks(1).collect();
    for snapshot in [table::snapshot(&one_each, &[]).await, table::snapshot(&[], &all).await] {
        for (index, event) in all.iter().enumerate() {
            let time = event.received_at.to_string();
            let count = async |from: &str, to: &str| {
                let given = [("from", from), ("to", to)];
                let hours = ask(snapshot.clone(), "traffic", &given, &scope()).await;
                hours.rows.iter().map(|row| if let Cell::Int(requests) = row[1] { requests } else { 0 }).sum::<i64>()
            };
            assert_eq!(
                count(&time, "9999-12-31T23:59:59.999999Z").await,
                (all.len() - 1 - index) as i64,
                "from {time}"
            );
            assert_eq!(count("0001-01-01", &time).await, index as i64, "to {time}");
        }
    }
}
