//! The raw log on S3: the port's suite, and what only S3 can get wrong.

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use compactor::aws::S3RawLog;
use compactor::{ErrorKind, RawLog};

use crate::raw_log_suite::{Backend, conforms};
use crate::world::World;

#[async_trait]
impl Backend for World {
    fn log(&self) -> Arc<dyn RawLog> {
        self.raw()
    }
    async fn put(&self, key: &str, bytes: &[u8]) {
        World::put(self, key, bytes).await;
    }
}

#[tokio::test]
async fn s3() {
    conforms(&World::new().await).await;
}

#[tokio::test]
async fn a_listing_of_several_pages_is_whole() {
    let world = World::new().await;
    for batch in 0..13 {
        let puts = (0..100).map(|index| {
            let hour = (batch * 100 + index) % 24;
            let key = format!("raw/dt=2026-11-20/hour={hour:02}/{batch:02}-{index:02}.ndjson.gz");
            let world = &world;
            async move { world.put(&key, "x").await }
        });
        futures::future::join_all(puts).await;
    }
    let raw = world.raw();
    let listed = raw.list(None).await.unwrap();
    assert_eq!(listed.len(), 1_300);
    assert!(listed.is_sorted());
    assert_eq!(raw.list(Some("2026-11-20")).await.unwrap(), listed);
    assert!(raw.list(Some("2026-11-21")).await.unwrap().is_empty());
    assert!(listed.iter().all(|object| object.bytes == 1 && object.arrived.micros() > 0));
}

#[tokio::test]
async fn a_large_object_is_read_as_it_was_put() {
    let world = World::new().await;
    let mut random = crate::support::Random(1);
    let bytes: Vec<u8> = (0..1 << 18).flat_map(|_| random.bytes()).collect();
    world.put("raw/dt=2026-11-20/hour=00/a", bytes.clone()).await;
    let mut reader = world.raw().open("raw/dt=2026-11-20/hour=00/a").await.unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0, "the end stays the end");
        read
    });
    assert!(read.await.unwrap() == bytes);
}

#[tokio::test]
async fn what_is_in_quarantine_already_is_left_as_it_is() {
    let world = World::new().await;
    let (raw, key) = (world.raw(), "quarantine/dt=2026-11-20/a.ndjson.gz");
    raw.quarantine(key, Bytes::from_static(b"first")).await.unwrap();
    raw.quarantine(key, Bytes::from_static(b"second")).await.unwrap();
    let object = world.s3.get_object().bucket(&world.bucket).key(key).send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"first");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_an_error_and_no_empty_log() {
    let world = World::new().await;
    let raw = S3RawLog::new(world.s3.clone(), "compactor-no-such-bucket");
    let error = raw.list(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RawLog);
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
    assert!(raw.quarantine("quarantine/x", Bytes::new()).await.is_err());
}
