//! A deployment of its own: a bucket, a Glue database, and clients for both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::primitives::ByteStream;
use aws_types::SdkConfig;
use compactor::aws::S3RawLog;
use compactor::{Compaction, Counts, Lake, Options, RawLog, Summary};
use event::Event;
use rig::proxy::{Proxy, Upstreams};

use crate::support::{DAY, Row, at, check_table, gzip, lines, random, rows};

/// A name that no other test has: of buckets and, with `_`, of databases.
pub fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("compactor-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub struct World {
    /// What every request goes through, if it is that kind of world.
    proxy: Option<Proxy>,
    pub bucket: String,
    pub database: String,
    pub s3: aws_sdk_s3::Client,
    pub glue: aws_sdk_glue::Client,
}

impl World {
    /// With nothing between it and the stand-ins.
    pub async fn new() -> Self {
        Self::over(None, cloud::sdk::config().await).await
    }

    /// Behind a proxy, which counts, lets faults happen, and enforces Glue's versions.
    pub async fn behind_proxy() -> Self {
        Self::behind_proxy_with(cloud::sdk::config().await).await
    }

    pub async fn behind_proxy_with(config: SdkConfig) -> Self {
        let proxy = Proxy::start(Upstreams::from_environment().unwrap()).await.unwrap();
        let config = proxy.config(&config);
        Self::over(Some(proxy), config).await
    }

    async fn over(proxy: Option<Proxy>, config: SdkConfig) -> Self {
        let bucket = unique();
        let (s3, glue) = (aws_sdk_s3::Client::new(&config), aws_sdk_glue::Client::new(&config));
        s3.create_bucket().bucket(&bucket).send().await.unwrap();
        Self { proxy, database: bucket.replace('-', "_"), bucket, s3, glue }
    }

    /// The same place, with clients that go past any proxy.
    pub async fn again(&self) -> Self {
        let config = cloud::sdk::config().await;
        let (s3, glue) = (aws_sdk_s3::Client::new(&config), aws_sdk_glue::Client::new(&config));
        Self { proxy: None, bucket: self.bucket.clone(), database: self.database.clone(), s3, glue }
    }

    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().unwrap()
    }

    pub async fn lake(&self) -> Lake {
        Lake::on_aws(self.s3.clone(), self.glue.clone(), &self.bucket, &self.database).await.unwrap()
    }

    pub fn raw(&self) -> Arc<dyn RawLog> {
        Arc::new(S3RawLog::new(self.s3.clone(), &self.bucket))
    }

    pub async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        let body = ByteStream::from(bytes.into());
        self.s3.put_object().bucket(&self.bucket).key(key).body(body).send().await.unwrap();
    }

    pub async fn put_events(&self, key: &str, events: &[Event]) {
        self.put(key, gzip(&lines(events))).await;
    }

    pub async fn compact(&self) -> Summary {
        self.try_compact(Options::default()).await.unwrap()
    }

    /// A forced run by a handle of its own.
    pub async fn try_compact(&self, options: Options) -> compactor::Result<Summary> {
        let lake = Lake::on_aws(self.s3.clone(), self.glue.clone(), &self.bucket, &self.database).await?;
        Compaction::new(&lake, self.raw(), options.forced()).run(at(DAY), &random).await
    }

    pub async fn rows(&self) -> BTreeMap<String, Row> {
        rows(&self.lake().await.load().await.unwrap()).await
    }

    pub async fn counts(&self) -> Counts {
        compactor::counts(&self.lake().await.load().await.unwrap()).unwrap()
    }

    /// Checks I2, I7 and that the table has exactly these events.
    pub async fn check(&self, expect: &[Event]) {
        check_table(&self.lake().await, expect).await;
        let counts = self.counts().await;
        assert_eq!(counts.lines, counts.rows + counts.duplicates + counts.quarantined, "{counts:?}");
        assert_eq!(counts.rows, expect.len() as u64);
    }

    /// All keys of the bucket under a prefix.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let pages = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        let pages = pages.try_collect().await.unwrap();
        pages.iter().flat_map(|page| page.contents()).map(|object| object.key().unwrap().to_owned()).collect()
    }
}
