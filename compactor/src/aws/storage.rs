//! Iceberg's files on S3, over the SDK's client that everything else uses.
//!
//! `iceberg-storage-opendal` would bring a second HTTP stack with its own TLS, credentials, retries and time limits.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig,
    StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::upload::Upload;

/// The files of one bucket. A file appears whole or not at all; every name is used once; nothing is ever deleted.
#[derive(Clone, Serialize, Deserialize)]
struct S3Storage {
    /// Lost if the storage is sent to another process, where it then refuses everything.
    #[serde(skip)]
    bucket: Option<Bucket>,
}

/// Access to the files of `bucket` by their locations, `s3://<bucket>/<key>`.
pub(super) fn file_io(bucket: Bucket) -> FileIO {
    FileIOBuilder::new(Arc::new(S3Storage { bucket: Some(bucket) })).build()
}

#[typetag::serde(name = "DaybookS3StorageFactory")]
impl StorageFactory for S3Storage {
    fn build(&self, _config: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }
}

impl S3Storage {
    /// The bucket and the key that a location means.
    fn locate<'a>(&self, location: &'a str) -> Result<(&Bucket, &'a str)> {
        let refused = |message: &str| Error::new(ErrorKind::DataInvalid, format!("{location}: {message}"));
        let bucket = self.bucket.as_ref().ok_or_else(|| refused("this storage has no client"))?;
        let (name, key) =
            location.strip_prefix("s3://").and_then(|path| path.split_once('/')).ok_or_else(|| refused("not on S3"))?;
        if name == bucket.name() && !key.is_empty() {
            Ok((bucket, key))
        } else {
            Err(refused(&format!("not in the bucket {}", bucket.name())))
        }
    }
}

impl fmt::Debug for S3Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Storage").field(&self.bucket.as_ref().map(Bucket::name)).finish()
    }
}

#[typetag::serde(name = "DaybookS3Storage")]
#[async_trait]
impl Storage for S3Storage {
    async fn exists(&self, path: &str) -> Result<bool> {
        let (bucket, key) = self.locate(path)?;
        Ok(bucket.size(key).await.map_err(failed("look at", path))?.is_some())
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let (bucket, key) = self.locate(path)?;
        let size = bucket.size(key).await.map_err(failed("look at", path))?;
        let size = size.ok_or_else(|| failed("look at", path)(io::ErrorKind::NotFound.into()))?;
        Ok(FileMetadata { size })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        let (bucket, key) = self.locate(path)?;
        let body = bucket.get(key, None).await.map_err(failed("read", path))?;
        body.collect().await.map_err(failed("read", path))
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        self.locate(path)?;
        Ok(Box::new(S3Read { storage: self.clone(), path: path.to_owned() }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let (bucket, key) = self.locate(path)?;
        bucket.put(key, bytes).await.map_err(failed("write", path))
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        let (bucket, key) = self.locate(path)?;
        Ok(Box::new(S3Write { upload: Some(Upload::new(bucket.clone(), key)), path: path.to_owned() }))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        Err(never_deleted(path))
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        Err(never_deleted(path))
    }

    async fn delete_stream(&self, _paths: BoxStream<'static, String>) -> Result<()> {
        Err(never_deleted("files"))
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}

struct S3Read {
    storage: S3Storage,
    path: String,
}

#[async_trait]
impl FileRead for S3Read {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let (bucket, key) = self.storage.locate(&self.path)?;
        let body = bucket.get(key, Some(range)).await.map_err(failed("read", &self.path))?;
        body.collect().await.map_err(failed("read", &self.path))
    }
}

struct S3Write {
    upload: Option<Upload>,
    path: String,
}

#[async_trait]
impl FileWrite for S3Write {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let upload = self.upload.as_mut().ok_or_else(|| closed(&self.path))?;
        upload.write(bytes).await.map_err(failed("write", &self.path))
    }

    async fn close(&mut self) -> Result<()> {
        let upload = self.upload.take().ok_or_else(|| closed(&self.path))?;
        upload.finish().await.map_err(failed("write", &self.path))
    }
}

fn failed(what: &'static str, path: &str) -> impl FnOnce(io::Error) -> Error {
    let message = format!("{what} {path}: ");
    move |error| Error::new(ErrorKind::Unexpected, format!("{message}{error}"))
}

fn closed(path: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{path} is closed already"))
}

/// A commit whose outcome was unknown may have made them live.
fn never_deleted(path: &str) -> Error {
    Error::new(ErrorKind::FeatureUnsupported, format!("{path}: the compactor deletes nothing from the lake"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_key_of_the_one_bucket() {
        let config = aws_sdk_s3::Config::builder().behavior_version(aws_sdk_s3::config::BehaviorVersion::latest());
        let client = aws_sdk_s3::Client::from_conf(config.build());
        let storage = S3Storage { bucket: Some(Bucket::new(client, "ours")) };
        let key = |location| storage.locate(location).map(|(_, key)| key.to_owned()).map_err(|error| error.to_string());
        assert_eq!(key("s3://ours/lake/a b/é").unwrap(), "lake/a b/é");
        for refused in ["s3://theirs/lake/a", "s3://ours/", "s3://ours", "/ours/a", "file:///ours/a", "s3a://ours/a"] {
            assert!(key(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_storage_that_was_sent_elsewhere_refuses() {
        let storage: S3Storage = serde_json::from_str("{}").unwrap();
        assert!(storage.locate("s3://ours/a").unwrap_err().to_string().contains("no client"));
    }
}
