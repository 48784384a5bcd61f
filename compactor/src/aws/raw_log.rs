//! The raw log on S3.

use std::io::Read;

use async_trait::async_trait;
use bytes::Bytes;
use event::Timestamp;
use event::key::{GATEWAY, QUARANTINE, RAW};

use super::body::BlockingBody;
use super::bucket::{Bucket, Listed};
use crate::error::{Error, Result};
use crate::raw::{RawLog, RawObject, checked, is_listed, is_object_name};

/// A raw log whose keys are keys of a bucket.
#[derive(Debug, Clone)]
pub struct S3RawLog {
    bucket: Bucket,
}

impl S3RawLog {
    /// The log in `bucket`.
    pub fn new(client: aws_sdk_s3::Client, bucket: impl Into<String>) -> Self {
        Self { bucket: Bucket::new(client, bucket) }
    }

    /// The objects under `prefix` from a day on, for few requests however long the log is: one tells which days and
    /// other folders there are, one for each thousand keys of the days that are wanted, and one for each folder before
    /// them whose name is no day, since its objects are always listed.
    async fn list_from(&self, prefix: &str, day: &str) -> std::io::Result<Vec<Listed>> {
        let start = format!("{prefix}dt={day}");
        let top = self.bucket.list_folder(prefix).await?;
        let mut objects: Vec<Listed> = top.objects.into_iter().filter(|object| object.key <= start).collect();
        for folder in top.folders.iter().filter(|folder| **folder <= start && is_listed(folder, Some(day))) {
            objects.extend(self.bucket.list(folder, None).await?);
        }
        objects.extend(self.bucket.list(prefix, Some(&start)).await?);
        Ok(objects)
    }

    async fn under(&self, prefix: &str, from_day: Option<&str>) -> Result<Vec<RawObject>> {
        let listed = match from_day {
            Some(day) => self.list_from(prefix, day).await,
            None => self.bucket.list(prefix, None).await,
        };
        let listed = listed.map_err(Error::raw(format!("list {prefix} in {}", self.bucket.name())))?;
        let mut objects: Vec<RawObject> = listed
            .into_iter()
            .filter(|object| object.key.split('/').all(is_object_name) && is_listed(&object.key, from_day))
            .map(raw_object)
            .collect();
        objects.sort();
        Ok(objects)
    }
}

#[async_trait]
impl RawLog for S3RawLog {
    async fn list(&self, from_day: Option<&str>) -> Result<Vec<RawObject>> {
        self.under(RAW, from_day).await
    }

    async fn list_gateway(&self, from_day: Option<&str>) -> Result<Vec<RawObject>> {
        self.under(GATEWAY, from_day).await
    }

    /// A reader that goes on after a broken connection: a network's fault is never taken for an object's.
    async fn open(&self, key: &str) -> Result<Box<dyn Read + Send>> {
        let key = checked(key, &[RAW, GATEWAY, QUARANTINE])?;
        let body = self.bucket.get(key, None).await.map_err(Error::raw(format!("open {key}")))?;
        Ok(Box::new(BlockingBody::new(body)))
    }

    async fn add(&self, key: &str, bytes: Bytes) -> Result<()> {
        let key = checked(key, &[RAW])?;
        self.bucket.put_if_absent(key, bytes).await.map_err(Error::raw(format!("write {key}")))
    }

    async fn quarantine(&self, key: &str, bytes: Bytes) -> Result<()> {
        let key = checked(key, &[QUARANTINE])?;
        self.bucket.put_if_absent(key, bytes).await.map_err(Error::raw(format!("write {key}")))
    }

    async fn list_quarantine(&self) -> Result<Vec<RawObject>> {
        self.under(QUARANTINE, None).await
    }
}

fn raw_object(listed: Listed) -> RawObject {
    let micros = listed.modified.as_nanos() / 1_000;
    let arrived = Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
    RawObject { key: listed.key, bytes: listed.bytes, arrived }
}
