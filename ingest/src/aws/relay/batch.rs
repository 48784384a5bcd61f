//! A stream's batch as Lambda hands it over: which of its records are changes, and their lines.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud::Failure;

use crate::aws::item::{self, DICTIONARY, EVENT_ID, LINE};
use crate::aws::table::SK;
use crate::json::{Json, Members};

/// The changes of a batch, in the stream's order.
#[derive(Debug)]
pub struct Batch {
    /// The stream they are from.
    pub stream: String,
    pub changes: Vec<Change>,
}

/// One record that inserted an event's item; other records are no changes.
#[derive(Debug)]
pub struct Change {
    /// The record's sequence number; empty if it has none.
    pub sequence: String,
    /// The event's id, as far as the record has it.
    pub event_id: String,
    /// The record's number in its batch, from 1.
    pub number: usize,
    pub content: Content,
    /// The record as it came, of one that cannot be read; else nothing.
    pub record: String,
}

/// What a record is to the log.
#[derive(Debug)]
pub enum Content {
    /// A line, without its line feed.
    Line { line: Vec<u8> },
    /// Nothing that could be relayed.
    Poison { reason: String },
}

impl Change {
    /// Its line, if it has one.
    pub fn line(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Line { line } => Some(line),
            Content::Poison { .. } => None,
        }
    }
}

impl Batch {
    /// Reads an event of Lambda's.
    ///
    /// # Errors
    /// It is no batch at all. A record that cannot be read is poison, not an error.
    pub fn read(event: &str) -> Result<Self, Failure> {
        let event = Json::new(event).members().unwrap_or_default();
        let records = event.get("Records").items().ok_or("the event is no batch of a stream: it has no Records")?;
        let stream = records.first().and_then(|record| record.members()?.get("eventSourceARN").text());
        let changes = records.iter().enumerate().filter_map(|(index, record)| change(*record, index + 1)).collect();
        Ok(Self { stream: stream.unwrap_or_default(), changes })
    }
}

/// A record as a change; `None` for what is none: other items, later writes to an item, removals.
fn change(json: Json<'_>, number: usize) -> Option<Change> {
    let record = json.members().unwrap_or_default();
    let name = record.get("eventName").text();
    let data = record.within("dynamodb");
    let sort_key = data.within("Keys").within(SK).get("S").text();
    let other = name.as_deref().is_some_and(|name| name != "INSERT")
        || sort_key.as_deref().is_some_and(|key| !key.starts_with("E#"));
    if other {
        return None;
    }
    let image = data.within("NewImage");
    let (content, record) = match line(name.is_some() && sort_key.is_some(), &image) {
        Ok(line) => (Content::Line { line }, String::new()),
        Err(reason) => (Content::Poison { reason }, json.raw().to_owned()),
    };
    let sequence = data.get("SequenceNumber").text().unwrap_or_default();
    let event_id = image.within(EVENT_ID).get("S").text().unwrap_or_default();
    Some(Change { sequence, event_id, number, content, record })
}

fn line(is_change: bool, image: &Members<'_>) -> Result<Vec<u8>, String> {
    if !is_change {
        return Err("the record does not say what was done, or to which item".to_owned());
    }
    let packed = image.within(LINE).get("B").bytes().ok_or("the item has no line")?;
    let packed = STANDARD.decode(packed).map_err(|error| format!("the line is no base64: {error}"))?;
    let dictionary = image.within(DICTIONARY).get("N").text().unwrap_or_default();
    let line = item::line_of(&packed, &dictionary).map_err(|error| error.to_string())?;
    if line.is_empty() || line.contains(&b'\n') {
        return Err("the line is empty, or several".to_owned());
    }
    Ok(line)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::line;

    fn record(sequence: &str, line: &[u8]) -> Value {
        let packed = STANDARD.encode(line::deflate(line).unwrap());
        json!({
            "eventName": "INSERT",
            "eventSourceARN": "arn:stream",
            "dynamodb": {
                "Keys": {"pk": {"S": "T#a#task#1"}, "sk": {"S": "E#000000000001"}},
                "NewImage": {
                    "line": {"B": packed}, "dictionary": {"N": line::DICTIONARY.to_string()}, "event_id": {"S": "e-1"},
                },
                "SequenceNumber": sequence,
            },
        })
    }

    fn read(records: &[Value]) -> Vec<(String, Result<Vec<u8>, String>)> {
        let batch = Batch::read(&json!({"Records": records}).to_string()).unwrap();
        let content = |content| match content {
            Content::Line { line } => Ok(line),
            Content::Poison { reason } => Err(reason),
        };
        batch.changes.into_iter().map(|change| (change.sequence, content(change.content))).collect()
    }

    #[test]
    fn lines_come_out_as_they_went_in() {
        let line = br#"{"event_id":"e-1","request_body":"\u0000"}"#;
        assert_eq!(read(&[record("7", line)]), [("7".to_owned(), Ok(line.to_vec()))]);
    }

    #[test]
    fn a_line_whose_place_in_the_stream_is_not_told_is_still_a_line() {
        let mut record = record("7", b"{}");
        record["dynamodb"]["SequenceNumber"] = json!(7);
        assert_eq!(read(&[record]), [(String::new(), Ok(b"{}".to_vec()))]);
    }

    #[test]
    fn other_items_and_writes_are_no_changes() {
        let altered = |pointer: &str, value: &str| {
            let mut record = record("7", b"{}");
            *record.pointer_mut(pointer).unwrap() = value.into();
            record
        };
        let state = altered("/dynamodb/Keys/sk/S", "S");
        assert_eq!(read(&[altered("/eventName", "MODIFY"), altered("/eventName", "REMOVE"), state]), []);
    }

    #[test]
    fn what_cannot_be_read_is_poison_with_its_reason_and_its_record() {
        let without = |pointer: &str| {
            let mut record = record("7", b"{}");
            *record.pointer_mut(pointer).unwrap() = json!([1]);
            record
        };
        let check = |record: Value, sequence: &str, expect: &str| {
            let read = read(&[record]);
            assert!(matches!(&read[..], [(at, Err(reason))] if at == sequence && reason.contains(expect)), "{read:?}");
        };
        check(without("/dynamodb/NewImage"), "7", "no line");
        check(without("/dynamodb/NewImage/line"), "7", "no line");
        check(without("/dynamodb/NewImage/dictionary/N"), "7", "dictionary");
        check(without("/dynamodb"), "", "does not say");
        check(json!(7), "", "does not say");
        check(record("7", b"two\nlines"), "7", "several");
        let mut damaged = record("7", b"{}");
        damaged["dynamodb"]["NewImage"]["line"]["B"] = json!("AAAA");
        check(damaged, "7", "damaged");
    }

    #[test]
    fn what_is_no_batch_is_an_error() {
        for event in ["{}", "[]", "null", r#"{"Records":7}"#] {
            assert!(Batch::read(event).is_err(), "{event}");
        }
        assert!(Batch::read(r#"{"Records":[]}"#).unwrap().changes.is_empty());
    }
}
