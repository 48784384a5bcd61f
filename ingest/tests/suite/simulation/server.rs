//! A process that answers requests, until it is killed and another one takes its place.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use event::EventIds;
use ingest::assets::memory::MemoryAssets;
use ingest::http::Response;
use ingest::http::cursor::Cursors;
use ingest::store::memory::MemoryStore;
use ingest::{Api, Parts, Settings};

use super::sea::Sea;
use super::world;
use crate::rig::{Req, redactor};

/// A place where a server runs.
pub struct Server {
    store: Arc<MemoryStore>,
    failures: u64,
    name: usize,
    /// The process that runs there now: how many there were before, and its API.
    process: RefCell<(u64, Rc<Api>)>,
    kills: Cell<u64>,
}

impl Server {
    pub fn new(store: &Arc<MemoryStore>, failures: u64, name: usize) -> Rc<Self> {
        let process = RefCell::new((0, Rc::new(api(store, failures, &format!("{name}.0")))));
        Rc::new(Self { store: Arc::clone(store), failures, name, process, kills: Cell::new(0) })
    }

    /// Kills the process in the middle of all that it does, and starts another one.
    pub fn kill(&self) {
        let kills = self.kills.get() + 1;
        self.kills.set(kills);
        let process = format!("{}.{kills}", self.name);
        self.process.replace((kills, Rc::new(api(&self.store, self.failures, &process))));
    }

    /// The answer to a request; none if the process is killed first.
    pub async fn send(&self, request: &Req) -> Option<Response> {
        let (kills, api) = self.process.borrow().clone();
        let mut received = request.received();
        received.arrival = api.arrival();
        let mut answer = pin!(api.handle(received));
        poll_fn(|context| match self.kills.get() == kills {
            true => answer.as_mut().poll(context).map(Some),
            false => Poll::Ready(None),
        })
        .await
    }
}

fn api(store: &Arc<MemoryStore>, failures: u64, process: &str) -> Api {
    let last = store.log().iter().map(|event| event.event_id).max();
    let sea = Arc::new(Sea::new(Arc::clone(store), failures));
    Api::new(Parts {
        settings: Settings { service_version: process.to_owned(), ..Settings::default() },
        redactor: redactor(),
        cursors: Cursors::new([9; 32]),
        ids: last.map_or_else(EventIds::default, EventIds::after),
        system: world::system(),
        store: Arc::clone(&sea) as _,
        sink: sea,
        assets: Arc::new(MemoryAssets::default()),
        queries: None,
        credentials: ingest::http::auth::Credentials::default(),
    })
}
