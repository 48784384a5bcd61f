//! A deployment of its own: a bucket, a Glue database, and clients for both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::primitives::ByteStream;
use compactor::aws::S3RawLog;
use compactor::{Compaction, Counts, Lake, Options, RawLog, Summary};
use event::Event;

use crate::support::{DAY, Row, at, check_table, gzip, lines, random, rows};

/// A name that no other test has: of buckets and, with `_`, of databases.
pub fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("compactor-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub struct World {
    pub bucket: String,
    pub database: String,
    pub s3: aws_sdk_s3::Client,
    pub glue: aws_sdk_glue::Client,
}

impl World {
    pub async fn new() -> Self {
        let bucket = unique();
        let config = cloud::sdk::config().await;
        let (s3, glue) = (aws_sdk_s3::Client::new(&config), aws_sdk_glue::Client::new(&config));
        s3.create_bucket().bucket(&bucket).send().await.unwrap();
        Self { database: bucket.replace('-', "_"), bucket, s3, glue }
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
        let lake = self.lake().await;
        Compaction::new(&lake, self.raw(), Options::default().forced()).run(at(DAY), &random).await.unwrap()
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
