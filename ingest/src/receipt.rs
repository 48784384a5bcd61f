//! Proof that an event is durable.

use event::EventId;

/// Says that one event is durable (I1).
///
/// It has no public constructor: only a store's `append` and a sink's `put` give one, after the event is on disk or
/// acknowledged by the service that keeps it. A [`Response`](crate::http::Response) cannot be built without one, so
/// "no response before its event is durable" holds by compilation.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a receipt is what a response is built from"]
pub struct Receipt {
    event_id: EventId,
}

impl Receipt {
    pub(crate) fn new(event_id: EventId) -> Self {
        Self { event_id }
    }

    /// The durable event's id.
    pub fn event_id(&self) -> EventId {
        self.event_id
    }
}
