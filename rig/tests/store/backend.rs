//! The stores that the suite runs on: here one, on AWS's stand-ins.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ::rig::fixtures::Clients;
use ::rig::proxy::Proxy;
use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::types::ChecksumAlgorithm;
use cloud::Deadline;
use event::{Event, EventId, Sealed, Timestamp};
use flate2::read::MultiGzDecoder;
use ingest::assets::AssetStore;
use ingest::aws::{Bucket, DynamoSettings, DynamoStore, FirehoseLines, FirehoseSink, S3Sink};
use ingest::store::{Append, Appended, EntityRef, EventSink, EventStore, Kept, ListQuery, Listed, Stored};
use ingest::{Receipt, Result, System};

use crate::rig::run;

/// A table, a stream and a bucket of their own.
pub struct Backend {
    /// Clients that go straight to the services: what tests look with.
    pub clients: Clients,
    /// What store and sinks are made of.
    pub parts: Parts,
    pub table: String,
    pub bucket: String,
    pub stream: String,
    /// The events of all receipts, in the order in which they were given.
    order: Arc<Mutex<Vec<EventId>>>,
    assets: Bucket,
    /// Objects that were read already: none ever changes.
    read: Mutex<BTreeMap<String, Vec<Event>>>,
}

/// What store and sinks have in common.
#[derive(Clone)]
pub struct Parts {
    pub clients: Clients,
    pub system: System,
    pub deadline: Deadline,
}

/// The clock of the tests: fixed, in the suite's own time.
pub const SYSTEM: System = System { now: || Timestamp::from_micros(1_763_631_026_000_000), ..System::real() };

impl Backend {
    pub async fn new() -> Self {
        Self::with(Clients::new().await).await
    }

    /// With a store and sinks that go through a proxy.
    pub async fn behind(proxy: &Proxy) -> Self {
        Self::with(Clients::of(&proxy.config(&cloud::sdk::config().await))).await
    }

    async fn with(through: Clients) -> Self {
        let clients = Clients::new().await;
        let parts = Parts { clients: through, system: SYSTEM, deadline: Deadline::default() };
        let (table, bucket) = (clients.table().await, clients.bucket().await);
        let stream = clients.stream(&bucket).await;
        let assets = Bucket::new(&cloud::sdk::config().await, &bucket, Deadline::default());
        Self { clients, parts, table, bucket, stream, order: Arc::default(), assets, read: Mutex::default() }
    }

    pub fn folder(&self) -> Option<&Path> {
        None
    }

    pub fn settings(&self) -> DynamoSettings {
        DynamoSettings { table: self.table.clone(), bucket: self.bucket.clone(), ..DynamoSettings::default() }
    }

    /// The store itself.
    pub fn dynamo(&self, settings: DynamoSettings) -> DynamoStore {
        let Parts { clients, system, deadline } = self.parts.clone();
        DynamoStore::new(clients.dynamodb, clients.s3, settings, system, deadline)
    }

    pub fn lines(&self) -> FirehoseLines {
        let Parts { clients, system, deadline } = self.parts.clone();
        FirehoseLines::new(clients.firehose, &self.stream, system, deadline)
    }

    pub fn objects(&self) -> S3Sink {
        let Parts { clients, system, deadline } = self.parts.clone();
        S3Sink::new(clients.s3, &self.bucket, system, deadline)
    }

    pub fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(Noted { inner: self.dynamo(self.settings()), order: Arc::clone(&self.order) })
    }

    pub fn sink(&self) -> Arc<dyn EventSink> {
        Arc::new(Noted { inner: FirehoseSink::new(self.lines()), order: Arc::clone(&self.order) })
    }

    /// Where the contents of its assets lie.
    pub fn assets(&self) -> Arc<dyn AssetStore> {
        Arc::new(self.assets.clone())
    }

    /// Uploads a content behind the API's back.
    pub async fn upload(&self, key: &str, content: &[u8]) {
        let put = self.clients.s3.put_object().bucket(&self.bucket).key(key);
        put.checksum_algorithm(ChecksumAlgorithm::Sha256).body(content.to_vec().into()).send().await.unwrap();
    }

    /// Every event so far, in the order in which they became durable: what table and bucket have, ordered by receipts.
    pub async fn log(&self) -> Vec<Event> {
        let mut events = self.table_events().await;
        for key in self.keys("raw/").await {
            events.extend(self.raw_events(&key).await);
        }
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let place = |id: EventId| order.iter().position(|noted| *noted == id).unwrap_or(usize::MAX);
        events.sort_by_cached_key(|event| place(event.event_id));
        events
    }

    /// The events that the table has.
    pub async fn table_events(&self) -> Vec<Event> {
        let lines = self.items().await.into_iter().filter_map(|item| {
            let line = item.get("line")?.as_b().ok()?.as_ref().to_vec();
            Some(ingest::aws::line_of(&line, item.get("dictionary")?.as_n().ok()?).unwrap())
        });
        lines.map(|line| Event::from_line(&line).unwrap()).collect()
    }

    pub async fn items(&self) -> Vec<std::collections::HashMap<String, AttributeValue>> {
        let scan = self.clients.dynamodb.scan().table_name(&self.table).consistent_read(true);
        let mut pages = scan.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.unwrap());
        }
        items
    }

    /// The keys of the bucket's objects under a prefix.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let list = self.clients.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        keys
    }

    /// The events of a raw object, compressed or not.
    pub async fn raw_events(&self, key: &str) -> Vec<Event> {
        if let Some(events) = self.read.lock().unwrap().get(key) {
            return events.clone();
        }
        let object = self.clients.s3.get_object().bucket(&self.bucket).key(key).send().await.unwrap();
        let bytes = object.body.collect().await.unwrap().to_vec();
        let mut text = Vec::new();
        match bytes.starts_with(&[0x1f, 0x8b]) {
            true => drop(MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap()),
            false => text = bytes,
        }
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let events: Vec<Event> = lines.map(|line| Event::from_line(line).unwrap()).collect();
        self.read.lock().unwrap().insert(key.to_owned(), events.clone());
        events
    }
}

/// Runs a test on a store of each kind, on threads of its own.
pub fn on_both(test: impl AsyncFn(Backend)) {
    run(async {
        let backend = Backend::new().await;
        let (clients, stream) = (backend.clients.clone(), backend.stream.clone());
        test(backend).await;
        clients.remove_stream(&stream).await;
    });
}

/// A store or sink whose receipts are noted.
struct Noted<T> {
    inner: T,
    order: Arc<Mutex<Vec<EventId>>>,
}

impl<T> Noted<T> {
    fn note(&self, receipt: &Receipt) {
        self.order.lock().unwrap().push(receipt.event_id());
    }
}

#[async_trait]
impl EventStore for Noted<DynamoStore> {
    async fn load(&self, entity: &EntityRef) -> Result<Option<Stored>> {
        self.inner.load(entity).await
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        let appended = self.inner.append(append).await?;
        if let Appended::Done(receipt) = &appended {
            self.note(receipt);
        }
        Ok(appended)
    }

    async fn kept(&self, scope: &str, now: Timestamp) -> Result<Option<Kept>> {
        self.inner.kept(scope, now).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>> {
        self.inner.list(query).await
    }

    async fn history(&self, entity: &EntityRef, after: i64, limit: usize) -> Result<Vec<Event>> {
        self.inner.history(entity, after, limit).await
    }

    async fn set_aside(&self, key: &str, body: &[u8]) -> Result<()> {
        self.inner.set_aside(key, body).await
    }

    async fn read_aside(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.inner.read_aside(key).await
    }
}

#[async_trait]
impl EventSink for Noted<FirehoseSink> {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        let receipts = self.inner.put(events).await?;
        receipts.iter().for_each(|receipt| self.note(receipt));
        Ok(receipts)
    }
}
