//! Objects that are written once: a bucket's, never over one that is there.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use cloud::Deadline;
use cloud::sdk::ATTEMPTS;

use super::{errors, retry};
use crate::error::{Error, ErrorKind, Result};
use crate::system::System;

/// The objects of one bucket.
#[derive(Debug, Clone)]
pub struct Objects {
    client: Client,
    bucket: String,
    system: System,
    deadline: Deadline,
}

impl Objects {
    pub fn new(client: Client, bucket: String, system: System, deadline: Deadline) -> Self {
        Self { client, bucket, system, deadline }
    }

    /// The same objects under another deadline.
    pub fn until(self, deadline: Deadline) -> Self {
        Self { deadline, ..self }
    }

    /// Writes an object whose key stands for its content: one that is there already is this one.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<()> {
        let what = || format!("writing s3://{}/{key}", self.bucket);
        let mut failed = 0;
        loop {
            let put = self.client.put_object().bucket(&self.bucket).key(key).if_none_match("*");
            let sent = self.deadline.bound(put.body(ByteStream::from(body.clone())).send()).await;
            let Err(error) = sent.map_err(|elapsed| errors::elapsed(&what(), elapsed))? else { return Ok(()) };
            match error.raw_response().map(|response| response.status().as_u16()) {
                Some(412) => return Ok(()),
                // Another writer of the same key is not done; whether it will be is not known.
                Some(409) if failed + 1 < ATTEMPTS => {
                    let pause = self.deadline.bound(retry::pause(failed, self.system.random)).await;
                    pause.map_err(|elapsed| errors::elapsed(&what(), elapsed))?;
                    failed += 1;
                }
                Some(409) => return Err(Error::new(ErrorKind::Unavailable, what()).with_source(error)),
                _ => return Err(errors::failed(&what(), &error)),
            }
        }
    }

    /// Reads an object; `None` if there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let what = || format!("reading s3://{}/{key}", self.bucket);
        let read = async {
            let object = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
                Ok(object) => object,
                Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
                Err(error) => return Err(errors::failed(&what(), &error)),
            };
            let body = object.body.collect().await;
            let body = body.map_err(|error| Error::new(ErrorKind::Unavailable, what()).with_source(error))?;
            Ok(Some(body.to_vec()))
        };
        self.deadline.bound(read).await.map_err(|elapsed| errors::elapsed(&what(), elapsed))?
    }
}
