//! How much the server takes on at once, and what it counts of what it does not.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::patience::PATIENCE;
use crate::http::limits;

/// A body takes its share of the memory for bodies in steps of so many bytes; the first step is free.
const STEP: usize = 16 << 10;
/// Requests over the capacity whose refusal may be under way to the log at once.
const REFUSALS: usize = 128;
/// Requests that are wrong or late whose events are made at once: thousands that are cut in the same moment must not take
/// the places of good ones.
const FLAWED: usize = 64;
/// Such requests that may wait for their turn; of a client that is gone nothing but they are left.
const FLAWED_WAITING: usize = 16_384;
/// Contents that are taken at once: each holds a file, and a piece of it in memory.
const UPLOADS: usize = 64;
/// Contents that are sent at once: each holds a file, and a piece of it in memory.
const DOWNLOADS: usize = 256;
/// Files that connections may have open beside their sockets.
pub const FILES: usize = UPLOADS + DOWNLOADS;
/// Connections over the capacity that may be told so at once.
const FAREWELLS: usize = 16;

/// What a server takes on at once. Together with the limits of a request they bound its memory (I9).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Requests in work: from the last byte of their body until their event is durable.
    pub requests: usize,
    /// Bytes of the bodies of all requests together, but for the first 16 KiB of each.
    pub body_bytes: usize,
    /// How long a client is waited for.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 10_000, requests: 1_024, body_bytes: 256 << 20, patience: PATIENCE }
    }
}

/// The room that is left, and the counts of what had none. Shared by all connections.
#[derive(Debug)]
pub struct Capacity {
    limits: Limits,
    connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    farewells: Arc<Semaphore>,
    flawed: Arc<Semaphore>,
    flawed_waiting: Arc<Semaphore>,
    large: Arc<Semaphore>,
    counts: Counts,
}

/// What no event tells, since the start.
#[derive(Debug, Default)]
struct Counts {
    refused_requests: AtomicU64,
    refused_connections: AtomicU64,
    cut_connections: AtomicU64,
    unrecorded_requests: AtomicU64,
}

impl Capacity {
    /// All of it.
    pub fn new(limits: Limits) -> Self {
        // A largest body must have room, or it would be refused for ever.
        let bodies = limits.body_bytes.max(limits::BODY).div_ceil(STEP);
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            limits,
            connections: semaphore(limits.connections),
            requests: semaphore(limits.requests),
            bodies: semaphore(bodies),
            refusals: semaphore(REFUSALS),
            uploads: semaphore(UPLOADS),
            downloads: semaphore(DOWNLOADS),
            farewells: semaphore(FAREWELLS),
            flawed: semaphore(FLAWED),
            flawed_waiting: semaphore(FLAWED_WAITING),
            large: semaphore(cores / 2),
            counts: Counts::default(),
        }
    }

    /// What `/health` says of it: what is open and in work now, and the counts since the start.
    pub fn report(&self) -> serde_json::Value {
        let taken = |limit: usize, room: &Semaphore| limit.saturating_sub(room.available_permits());
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        serde_json::json!({
            "connections": taken(self.limits.connections, &self.connections),
            "requests_in_work": taken(self.limits.requests, &self.requests),
            "requests_refused_for_capacity": count(&self.counts.refused_requests),
            "connections_refused": count(&self.counts.refused_connections),
            "connections_cut_by_timeout": count(&self.counts.cut_connections),
            "requests_unrecorded": count(&self.counts.unrecorded_requests),
        })
    }

    pub(super) fn patience(&self) -> Duration {
        self.limits.patience
    }

    /// Room for a connection, held as long as it is open. Where there is none it is counted as refused.
    pub(super) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(&self.connections).try_acquire_owned().ok();
        if room.is_none() {
            count(&self.counts.refused_connections);
        }
        room
    }

    /// Room for a request, held until it is recorded. Where there is none it is counted as refused.
    pub(super) fn request(&self) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(&self.requests).try_acquire_owned().ok();
        if room.is_none() {
            count(&self.counts.refused_requests);
        }
        room
    }

    /// Room for a request that is wrong or late to wait for its turn.
    pub(super) fn flawed(&self) -> Option<Queued> {
        let waiting = Arc::clone(&self.flawed_waiting).try_acquire_owned().ok()?;
        Some(Queued { waiting, turns: Arc::clone(&self.flawed) })
    }

    /// Waits until a large body may be looked at: they have half of the cores, at least one.
    pub(super) async fn large(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.large).acquire_owned().await.ok()
    }

    /// Room for a content on its way to the disk, held until it is recorded: who has it needs no room as a request, so
    /// that no content is read for nothing. Where there is none its request is counted as refused.
    pub(super) fn upload(&self) -> Option<OwnedSemaphorePermit> {
        self.content(&self.uploads)
    }

    /// Room for a content on its way from the disk, held until it is sent. Where there is none its request is counted as
    /// refused.
    pub(super) fn download(&self) -> Option<OwnedSemaphorePermit> {
        self.content(&self.downloads)
    }

    fn content(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(places).try_acquire_owned().ok();
        if room.is_none() {
            count(&self.counts.refused_requests);
        }
        room
    }

    /// Room to tell a connection that there is none.
    pub(super) fn farewell(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.farewells).try_acquire_owned().ok()
    }

    /// Room to record that there is none.
    pub(super) fn refusal(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.refusals).try_acquire_owned().ok()
    }

    /// The share of a body of which nothing has come yet.
    pub(super) fn body(&self) -> BodyRoom {
        BodyRoom { bodies: Arc::clone(&self.bodies), held: None, steps: 1 }
    }

    /// A body found no room: its request is refused.
    pub(super) fn refuse_body(&self) {
        count(&self.counts.refused_requests);
    }

    pub(super) fn cut(&self) {
        count(&self.counts.cut_connections);
    }

    pub(super) fn unrecorded(&self) {
        count(&self.counts.unrecorded_requests);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A place in the queue of requests that are wrong or late.
#[derive(Debug)]
pub(super) struct Queued {
    waiting: OwnedSemaphorePermit,
    turns: Arc<Semaphore>,
}

impl Queued {
    /// Waits for the turn; both are given back together.
    pub(super) async fn turn(self) -> (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>) {
        let turn = self.turns.acquire_owned().await.ok();
        (self.waiting, turn)
    }
}

/// What one body holds of the memory for bodies; given back when dropped.
#[derive(Debug)]
pub(super) struct BodyRoom {
    bodies: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    steps: usize,
}

impl BodyRoom {
    /// Makes sure that a body of so many bytes has its share; false where there is no room for it.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let steps = bytes.div_ceil(STEP);
        if steps <= self.steps {
            return true;
        }
        let more = u32::try_from(steps - self.steps).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.bodies).try_acquire_many_owned(more) else { return false };
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        self.steps = steps;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_their_memory_and_give_it_back() {
        let capacity = Capacity::new(Limits { body_bytes: 0, ..Limits::default() });
        let (mut one, mut other) = (capacity.body(), capacity.body());
        assert!(one.grow(limits::BODY) && one.grow(1));
        assert!(other.grow(STEP) && other.grow(2 * STEP) && !other.grow(3 * STEP));
        drop(one);
        assert!(other.grow(limits::BODY));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let capacity = Capacity::new(Limits { connections: 1, requests: 1, ..Limits::default() });
        let held = (capacity.connection(), capacity.request());
        assert!(held.0.is_some() && held.1.is_some());
        assert!(capacity.connection().is_none() && capacity.request().is_none());
        capacity.cut();
        let report = capacity.report();
        let expect = serde_json::json!({
            "connections": 1, "requests_in_work": 1, "requests_refused_for_capacity": 1, "connections_refused": 1,
            "connections_cut_by_timeout": 1, "requests_unrecorded": 0,
        });
        assert_eq!(report, expect);
        let downloads: Vec<_> = (0..DOWNLOADS).map(|_| capacity.download()).collect();
        assert!(downloads.iter().all(Option::is_some) && capacity.download().is_none());
        drop((held, downloads));
        assert!(capacity.download().is_some());
        assert_eq!((capacity.report()["connections"].clone(), capacity.request().is_some()), (0.into(), true));
    }
}
