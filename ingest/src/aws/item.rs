//! Items of the table, in both directions.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use event::domain::{State, list_key, submission};
use event::{Event, EventId, Timestamp};

use super::table::{EXPIRES, FILTERS, ID, LIST, PK, SK};
use super::{keys, line};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Append, EntityRef, Keep, Kept, NewState, Stored};

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// Largest item, bytes: names and values.
pub const LARGEST: usize = 400 << 10;
/// Largest partition key, bytes.
const LARGEST_PK: usize = 2 << 10;
/// Largest sort key, bytes.
const LARGEST_SK: usize = 1 << 10;

/// The event's line, deflated.
pub const LINE: &str = "line";
/// The dictionary that it was deflated with.
pub const DICTIONARY: &str = "dictionary";
/// The event that made the item.
pub const EVENT_ID: &str = "event_id";
const EVENT_TYPE: &str = "event_type";
/// The state's version.
pub const VERSION: &str = "version";
const STATE: &str = "state";
const EVENT_HASH: &str = "event_hash";
const DELETED: &str = "deleted";
const ANSWER: &str = "answer";
/// From when on an idempotency key may be used anew, microseconds; `expires` is when its item may go.
pub const UNTIL: &str = "until";

/// The id of the entity that holds a claim; a claim that was given up has none.
pub const OWNER: &str = "owner";

/// Whether an entity holds a claim after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It does, until its end if it has one: seconds since the epoch.
    Until(Option<i64>),
    /// It gave it up.
    NoMore,
}

/// A change's event: its line, and what people want to see of it in the table. A submission stands in its user's list.
pub fn of_event(append: &Append, expires: Option<i64>) -> Result<Item> {
    let event = &append.event;
    let mut item = keyed(keys::entity(&append.entity), keys::version(append.expected + 1));
    put(&mut item, EVENT_ID, text(event.event_id));
    put(&mut item, EVENT_TYPE, text(&event.event_type));
    put(&mut item, LINE, AttributeValue::B(Blob::new(line::deflate(event.line())?)));
    put(&mut item, DICTIONARY, number(line::DICTIONARY));
    if let Some(user_id) = event.user_id.as_ref().filter(|_| append.entity.kind == submission::ENTITY) {
        list(&mut item, &keys::submissions(&append.entity.tenant, user_id), &append.entity.id);
    }
    expire(&mut item, expires);
    checked(item)
}

/// An entity's state. A deleted one stands in no list.
pub fn of_state(append: &Append, new: &NewState, expires: Option<i64>) -> Result<Item> {
    let EntityRef { tenant, kind, id } = &append.entity;
    let mut item = keyed(keys::entity(&append.entity), keys::STATE.to_owned());
    put(&mut item, VERSION, number(append.expected + 1));
    put(&mut item, STATE, text(new.state.as_str()));
    put(&mut item, EVENT_ID, text(append.event.event_id));
    put(&mut item, EVENT_HASH, text(&append.event.event_hash));
    if new.deleted {
        put(&mut item, DELETED, AttributeValue::Bool(true));
        expire(&mut item, expires);
    } else {
        list(&mut item, &keys::states(tenant, kind), &list_key(kind, id, &new.state));
        let fields: serde_json::Value = serde_json::from_str(new.state.as_str()).unwrap_or_default();
        for name in FILTERS {
            if let Some(value) = fields.get(name).and_then(serde_json::Value::as_str) {
                put(&mut item, name, text(value));
            }
        }
    }
    checked(item)
}

/// The claim of an entity to a unique value, or what is left of one that was given up.
pub fn of_claim(append: &Append, field: &str, value: &str, holds: Holds) -> Result<Item> {
    let EntityRef { tenant, kind, id } = &append.entity;
    let mut item = keyed(keys::claim(tenant, kind, field, value), keys::CLAIM.to_owned());
    put(&mut item, EVENT_ID, text(append.event.event_id));
    match holds {
        Holds::Until(end) => {
            put(&mut item, OWNER, text(id));
            // From then on whoever wants the value may take it, whether or not the table still has the item.
            expire(&mut item, end);
        }
        // Its time has come already: nobody needs it, but nobody who writes may remove it.
        Holds::NoMore => expire(&mut item, Some(append.event.received_at.seconds())),
    }
    checked(item)
}

/// An answer kept under an idempotency key.
pub fn of_kept(keep: &Keep) -> Result<Item> {
    let answer = serde_json::to_string(&keep.kept)
        .map_err(|error| Error::new(ErrorKind::Unavailable, "writing an answer to keep").with_source(error))?;
    let mut item = keyed(keys::kept(&keep.scope), keys::KEPT.to_owned());
    put(&mut item, ANSWER, text(answer));
    put(&mut item, EVENT_ID, text(keep.kept.event_id));
    put(&mut item, UNTIL, number(keep.kept.expires_at));
    // Never removed before it has expired.
    expire(&mut item, Some(keep.kept.expires_at.div_euclid(1_000_000).saturating_add(1)));
    checked(item)
}

/// An event as it was appended, to the byte.
///
/// # Errors
/// The item is not an event's, or is damaged.
pub fn event(item: &Item) -> Result<Event> {
    let number = item.get(DICTIONARY).and_then(|value| value.as_n().ok());
    let packed = item.get(LINE).and_then(|value| value.as_b().ok());
    let line = line_of(packed.map_or(&[], Blob::as_ref), number.map_or("", String::as_str))?;
    Event::from_line(&line)
        .map_err(|error| Error::new(ErrorKind::Corrupt, format!("the event at {}", place(item))).with_source(error))
}

/// An event's line from the attributes `line` and `dictionary` of its item, as the table and its stream have them.
///
/// # Errors
/// They are damaged, or of a later version.
pub fn line_of(packed: &[u8], dictionary: &str) -> Result<Vec<u8>> {
    let unknown = || Error::new(ErrorKind::Corrupt, format!("a stored line has no dictionary {dictionary:.20}"));
    line::inflate(packed, dictionary.parse().map_err(|_| unknown())?)
}

/// An entity as its state item has it.
pub fn stored(item: &Item) -> Result<Stored> {
    Ok(Stored {
        version: numeral(item, VERSION)?,
        state: State::from_canonical(string(item, STATE)?.to_owned()),
        event_id: event_id(item)?,
        event_hash: string(item, EVENT_HASH)?.to_owned(),
        deleted: item.contains_key(DELETED),
    })
}

/// The answer that an item keeps.
pub fn answer(item: &Item) -> Result<Kept> {
    serde_json::from_str(string(item, ANSWER)?)
        .map_err(|error| Error::new(ErrorKind::Corrupt, "a kept answer is damaged").with_source(error))
}

/// The event that made the item.
pub fn event_id(item: &Item) -> Result<EventId> {
    let damaged = |reason: String| Error::new(ErrorKind::Corrupt, format!("{} names no event: {reason}", place(item)));
    string(item, EVENT_ID)?.parse().map_err(damaged)
}

/// Whether the item's time has come, though the table still has it: removal lags by days.
pub fn is_expired(item: &Item, now: Timestamp) -> bool {
    numeral(item, EXPIRES).is_ok_and(|expires| expires <= now.seconds())
}

/// A string attribute.
pub fn string<'a>(item: &'a Item, name: &str) -> Result<&'a str> {
    let found = item.get(name).and_then(|value| value.as_s().ok());
    found.map(String::as_str).ok_or_else(|| missing(item, name))
}

/// The keys alone, to find an item by.
pub fn keyed(pk: String, sk: String) -> Item {
    Item::from([(PK.to_owned(), AttributeValue::S(pk)), (SK.to_owned(), AttributeValue::S(sk))])
}

/// A string value.
pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number value.
pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Bytes of an item as DynamoDB counts them: names, values, half a byte a digit and one more for a number.
pub fn size(item: &Item) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        _ => 1,
    };
    item.iter().map(|(name, of)| name.len() + value(of)).sum()
}

fn numeral(item: &Item, name: &str) -> Result<i64> {
    let found = item.get(name).and_then(|value| value.as_n().ok());
    found.and_then(|digits| digits.parse().ok()).ok_or_else(|| missing(item, name))
}

fn missing(item: &Item, name: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the item at {} has no {name}", place(item)))
}

fn place(item: &Item) -> String {
    let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
    format!("{:.200} {:.40}", part(PK), part(SK))
}

fn put(item: &mut Item, name: &str, value: AttributeValue) {
    item.insert(name.to_owned(), value);
}

fn list(item: &mut Item, list: &str, key: &str) {
    put(item, LIST, text(keys::shard_of(list, key)));
    put(item, ID, text(key));
}

fn expire(item: &mut Item, expires: Option<i64>) {
    if let Some(expires) = expires {
        put(item, EXPIRES, number(expires));
    }
}

/// Refuses what the table would refuse, before it is sent.
fn checked(item: Item) -> Result<Item> {
    let limits = [(PK, LARGEST_PK), (SK, LARGEST_SK), (LIST, LARGEST_PK), (ID, LARGEST_SK)];
    for (name, limit) in limits {
        let bytes = string(&item, name).map_or(0, str::len);
        if bytes > limit {
            return Err(Error::new(ErrorKind::TooLarge, format!("a key {name} of {bytes} bytes, {limit} are allowed")));
        }
    }
    match size(&item) {
        bytes if bytes > LARGEST => {
            let reason = format!("an item of {bytes} bytes at {}, {LARGEST} are allowed", place(&item));
            Err(Error::new(ErrorKind::TooLarge, reason))
        }
        _ => Ok(item),
    }
}
