//! One event as a bus is told of it, and how many of them one call takes.

use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use event::{Event, Timestamp};
use serde::Serialize;

use crate::notice::Notice;

/// What an event of ours is from, to rules of the bus.
const SOURCE: &str = "daybook";
/// Most entries of a call.
const ENTRIES: usize = 10;
/// An entry, and a call, counts for fewer bytes than this.
const BYTES: usize = 256 << 10;
/// What an entry's time counts for, bytes.
const TIME: usize = 14;

/// One event, as `aws events put-events` takes it, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Entry {
    event_bus_name: String,
    source: &'static str,
    detail_type: String,
    detail: String,
    /// When the request came.
    pub time: Timestamp,
}

impl Entry {
    /// What the bus of this name is told of an event that was chosen as this type.
    ///
    /// A state that would make it larger than a bus takes is left out, and that is said: the version is named, at which it
    /// can be read.
    pub fn of(bus: &str, kind: &str, event: &Event) -> Self {
        let whole = Self::new(bus, Notice::of(kind, event), event.received_at);
        match whole.size() < BYTES {
            true => whole,
            false => Self::new(bus, Notice::without_state(kind, event), event.received_at),
        }
    }

    fn new(bus: &str, notice: Notice, time: Timestamp) -> Self {
        Self { event_bus_name: bus.to_owned(), source: SOURCE, detail_type: notice.kind, detail: notice.body, time }
    }

    /// As the SDK sends it.
    pub fn to_sent(&self) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.event_bus_name)
            .source(self.source)
            .detail_type(&self.detail_type)
            .detail(&self.detail)
            .time(DateTime::from_millis(self.time.millis()))
            .build()
    }

    /// What it counts for, bytes.
    fn size(&self) -> usize {
        TIME + self.source.len() + self.detail_type.len() + self.detail.len()
    }
}

/// Cuts entries into calls, in their order; each has one at least.
pub fn calls(entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    let mut rest = entries;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = rest.iter().take(ENTRIES).take_while(|entry| {
            bytes += entry.size();
            bytes < BYTES
        });
        let (call, left) = rest.split_at(fit.count().max(1).min(rest.len()));
        rest = left;
        (!call.is_empty()).then_some(call)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(detail: usize) -> Entry {
        Entry {
            event_bus_name: String::new(),
            source: SOURCE,
            detail_type: "k".to_owned(),
            detail: "x".repeat(detail),
            time: Timestamp::default(),
        }
    }

    #[test]
    fn a_call_has_ten_entries_and_less_than_a_quarter_of_a_mebibyte() {
        let check = |sizes: &[usize], expect: &[usize]| {
            let entries: Vec<_> = sizes.iter().copied().map(entry).collect();
            let calls: Vec<usize> = calls(&entries).map(<[_]>::len).collect();
            assert_eq!(calls, expect, "{sizes:?}");
        };
        let (rest, most) = (entry(0).size(), BYTES - 1);
        check(&[], &[]);
        check(&[1; 25], &[10, 10, 5]);
        check(&[most - rest, 1, 1], &[1, 2]);
        check(&[most - 2 * rest, 0, 0], &[2, 1]);
        check(&[most - 2 * rest + 1, 0, 0], &[1, 2]);
        check(&[1, BYTES, 1], &[1, 1, 1]);
    }

    #[test]
    fn a_state_that_is_too_large_is_left_out_and_that_is_said() {
        let event = |state: usize| Event {
            event_type: "data.submitted".to_owned(),
            entity_version: Some(1),
            state_after: Some(format!(r#"{{"message":"{}"}}"#, "x".repeat(state))),
            ..Event::default()
        };
        let whole = Entry::of("bus", "data.submitted", &event(200 << 10));
        assert!(whole.detail.contains("xxx") && !whole.detail.contains("state_left_out"));
        let brief = Entry::of("bus", "data.submitted", &event(300 << 10));
        assert!(brief.size() < 1_000 && brief.detail.contains(r#""version":1,"#), "{}", brief.detail);
        assert!(brief.detail.contains(r#""state_left_out":true"#), "{}", brief.detail);
    }

    #[test]
    fn what_is_kept_is_what_the_command_line_takes() {
        let time = Timestamp::parse("2026-11-20T09:30:26.123456Z").ok();
        let entry = Entry { time: time.unwrap_or_default(), ..entry(2) };
        assert_eq!(
            serde_json::to_string(&entry).ok().as_deref(),
            Some(
                r#"{"EventBusName":"","Source":"daybook","DetailType":"k","Detail":"xx","Time":"2026-11-20T09:30:26.123456Z"}"#
            )
        );
    }
}
