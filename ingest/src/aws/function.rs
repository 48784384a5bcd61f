//! The function `ingest`: a gateway's event in, a recorded answer out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cloud::{Deadline, Failure, Function, Ground, Invocation, Refusal};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::config::{self, Sink};
use crate::api::Api;
use crate::http::Response;
use crate::http::gateway::{Invoked, Reply, receive};

/// Answers gateways' events.
///
/// Whatever the event, the invocation succeeds: what is wrong with a request, or with the store, is told by the answer.
pub struct IngestFunction {
    api: Api,
    sink: Arc<Sink>,
    ground: Ground,
    /// The store's deadline, before the invocation's: what it fails with is still to be recorded.
    patience: Deadline,
    /// Fallback writes that have been counted.
    counted: AtomicU64,
}

impl IngestFunction {
    /// Reads the settings and makes the clients; makes no request.
    ///
    /// # Errors
    /// A setting is missing or makes no sense.
    pub async fn build(ground: &Ground) -> Result<Self, Refusal> {
        let patience = Deadline::default();
        let (parts, sink) = config::parts(ground, patience.clone()).await?;
        Ok(Self { api: Api::new(parts), sink, ground: ground.clone(), patience, counted: AtomicU64::new(0) })
    }

    /// The same function on a store that keeps nothing: what all but the store takes. For benchmarks only.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    #[cfg(feature = "bench")]
    pub async fn build_without_store(ground: &Ground) -> Result<Self, Refusal> {
        let patience = Deadline::default();
        let (parts, sink) = config::parts(ground, patience.clone()).await?;
        let nothing = Arc::new(crate::store::noop::NoopStore);
        let parts = crate::Parts { store: Arc::clone(&nothing) as _, sink: nothing, ..parts };
        Ok(Self { api: Api::new(parts), sink, ground: ground.clone(), patience, counted: AtomicU64::new(0) })
    }

    /// Counts what nobody else does: gateways and Lambda have metrics of requests, refusals, failures and times, and a
    /// line for each request would cost more than the request's share of the log.
    fn count(&self, response: &Response) {
        let metrics = &self.ground.metrics;
        metrics.count("Unrecorded", u64::from(response.event_id().is_none()));
        metrics.count("IdempotentReplays", u64::from(response.header("idempotency-replayed").is_some()));
        let used = self.sink.used();
        metrics.count("FallbackWrites", used - self.counted.swap(used, Ordering::Relaxed));
    }
}

impl Function for IngestFunction {
    type Answer = Reply;

    async fn handle(&self, event: Box<RawValue>, invocation: &Invocation) -> Result<Reply, Failure> {
        let arrival = self.api.arrival();
        let invoked = Invoked {
            arrival,
            invocation_id: invocation.request_id.clone(),
            trace_id: invocation.trace_id.clone(),
            cold_start: invocation.cold_start,
        };
        let (received, shape) = receive(event.get(), self.api.base_path(), invoked);
        if let Some(request_id) = &received.request_id {
            self.ground.log.correlate(request_id);
        }
        let left = self.ground.deadline.remaining();
        self.patience.set(left.map(|left| Instant::now().into_std() + left * 2 / 3));
        let response = self.api.handle(received).await;
        self.count(&response);
        Ok(shape.reply(response))
    }
}
