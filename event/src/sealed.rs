//! An event that has its hash, and the line it stands in.

use std::ops::Deref;

use crate::codec::{HASH, sha256_hex};
use crate::envelope::Event;

/// An event with its hash and its line: nothing changes it any more.
#[derive(Debug, Clone)]
pub struct Sealed {
    event: Box<Event>,
    line: Vec<u8>,
}

impl Sealed {
    /// Seals an event; to be done last, once every other field has its value. It is rendered once, for its hash and for
    /// its line.
    pub fn of(event: impl Into<Box<Event>>) -> Self {
        let mut event = event.into();
        let (mut line, at) = event.render(Some(HASH));
        event.event_hash = sha256_hex(&line);
        // Its id stands before it in any line: it is never the first field.
        line.splice(at..at, format!(",\"{HASH}\":\"{}\"", event.event_hash).into_bytes());
        Self { event, line }
    }

    /// An event that was sealed before, such as one of the log, with the hash that it has, right or wrong.
    pub fn kept(event: Event) -> Self {
        Self { line: event.to_line(), event: Box::new(event) }
    }

    /// The event as one line, without a line feed.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// The event and its line.
    pub fn into_parts(self) -> (Box<Event>, Vec<u8>) {
        (self.event, self.line)
    }

    /// The event, which may be changed again and is then not what was sealed.
    pub fn into_event(self) -> Event {
        *self.event
    }
}

impl Deref for Sealed {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

/// Two are equal when their lines are.
impl PartialEq for Sealed {
    fn eq(&self, other: &Self) -> bool {
        self.line == other.line
    }
}

/// What was sealed, and what is read of it: equal when the lines are.
impl PartialEq<Sealed> for Event {
    fn eq(&self, other: &Sealed) -> bool {
        self.to_line() == other.line
    }
}
