//! A sink that has another one to go to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cloud::Deadline;
use event::{Event, Sealed};

use crate::error::{Error, ErrorKind, Result};
use crate::receipt::Receipt;
use crate::store::EventSink;

/// The first sink, and the second where the first fails. Itself a sink.
///
/// Events that take the second road say so: `ingest_path` is `fallback`. A change keeps its line to the byte, since
/// the next one is chained to its hash (I4).
#[derive(Debug)]
pub struct Fallback<A, B> {
    first: A,
    second: B,
    deadline: Deadline,
    used: AtomicU64,
}

impl<A: EventSink, B: EventSink> Fallback<A, B> {
    /// Goes to `second` where `first` fails, or takes more than half of the time that is left.
    pub fn new(first: A, second: B, deadline: Deadline) -> Self {
        Self { first, second, deadline, used: AtomicU64::new(0) }
    }

    /// How often the second sink was needed.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    async fn try_first(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        let Some(time) = self.deadline.remaining().map(half) else { return self.first.put(events).await };
        let slow = |_| Error::new(ErrorKind::Unavailable, format!("the first sink took longer than {time:?}"));
        tokio::time::timeout(time, self.first.put(events)).await.unwrap_or_else(|elapsed| Err(slow(elapsed)))
    }
}

#[async_trait]
impl<A: EventSink, B: EventSink> EventSink for Fallback<A, B> {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        let error = match self.try_first(events.clone()).await {
            Ok(receipts) => return Ok(receipts),
            Err(error) => error,
        };
        let used = self.used.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::warn!(%error, events = events.len(), fallback_writes = used, "the first sink failed; going to the second");
        let rerouted = self.second.put(events.into_iter().map(reroute).collect()).await;
        rerouted.map_err(|second| {
            let reason = format!("both sinks failed; the first: {error}; the second");
            Error::new(ErrorKind::Unavailable, reason).with_source(second)
        })
    }
}

fn half(time: Duration) -> Duration {
    time / 2
}

fn reroute(event: Sealed) -> Sealed {
    match event.state_hash {
        Some(_) => event,
        None => Sealed::of(Event { ingest_path: "fallback".to_owned(), ..event.into_event() }),
    }
}
