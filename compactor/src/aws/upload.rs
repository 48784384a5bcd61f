//! A file of unknown size on its way to S3: one request if it is small, parts if it is not.

use std::io;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};

use super::bucket::{Bucket, failed, patient};

/// Size of a part. S3 takes 5 MiB to 5 GiB, and 10,000 parts: a file may grow to 78 GiB.
const PART: usize = 8 << 20;

/// An object that is being written. It appears, whole, when [`finish`](Self::finish) returns; else never.
///
/// Memory is two parts. Parts of an upload that is dropped, or whose process is killed, are invisible; they stay until
/// the bucket's lifecycle rule removes them, since nobody else knows of them.
pub(super) struct Upload {
    bucket: Bucket,
    key: String,
    part: BytesMut,
    sent: u64,
    parts: Option<Parts>,
}

struct Parts {
    id: String,
    done: Vec<CompletedPart>,
}

impl Upload {
    pub(super) fn new(bucket: Bucket, key: &str) -> Self {
        Self { bucket, key: key.to_owned(), part: BytesMut::new(), sent: 0, parts: None }
    }

    /// Appends bytes. After an error the upload is over.
    pub(super) async fn write(&mut self, mut bytes: Bytes) -> io::Result<()> {
        while self.part.len() + bytes.len() > PART {
            self.part.extend_from_slice(&bytes.split_to(PART - self.part.len()));
            let sent = self.send_part().await;
            self.or_abort(sent).await?;
        }
        self.part.extend_from_slice(&bytes);
        Ok(())
    }

    /// Makes the object.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        if self.parts.is_none() {
            return self.bucket.put(&self.key, self.part.freeze()).await;
        }
        let finished = self.send_last().await;
        self.or_abort(finished).await
    }

    async fn send_last(&mut self) -> io::Result<()> {
        self.send_part().await?;
        let Some(parts) = &self.parts else { return Ok(()) };
        let done = CompletedMultipartUpload::builder().set_parts(Some(parts.done.clone())).build();
        let request = self.bucket.client().complete_multipart_upload().bucket(self.bucket.name()).key(&self.key);
        let request = request.upload_id(&parts.id).multipart_upload(done);
        match request.customize().config_override(patient()).send().await {
            Ok(_) => Ok(()),
            // The upload is gone once it is complete: the answer to an earlier attempt may have been lost.
            Err(_) if self.bucket.size(&self.key).await? == Some(self.sent) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    async fn send_part(&mut self) -> io::Result<()> {
        let bytes = self.part.split().freeze();
        let length = bytes.len() as u64;
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(begin(&self.bucket, &self.key).await?),
        };
        let number = i32::try_from(parts.done.len() + 1).map_err(io::Error::other)?;
        let request = self.bucket.client().upload_part().bucket(self.bucket.name()).key(&self.key);
        let request = request.upload_id(&parts.id).part_number(number).checksum_algorithm(ChecksumAlgorithm::Crc32);
        let request = request.body(ByteStream::from(bytes)).customize().config_override(patient());
        let part = request.send().await.map_err(failed)?;
        let done = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
        parts.done.push(done.set_checksum_crc32(part.checksum_crc32).build());
        self.sent += length;
        Ok(())
    }

    /// Gives the parts back after a failure. If that fails, too, the lifecycle rule will.
    async fn or_abort(&mut self, result: io::Result<()>) -> io::Result<()> {
        if result.is_err()
            && let Some(parts) = self.parts.take()
        {
            let request = self.bucket.client().abort_multipart_upload().bucket(self.bucket.name()).key(&self.key);
            if let Err(error) = request.upload_id(parts.id).send().await.map_err(failed) {
                tracing::warn!(key = self.key, %error, "the parts of a broken upload stay behind");
            }
        }
        result
    }
}

async fn begin(bucket: &Bucket, key: &str) -> io::Result<Parts> {
    let request = bucket.client().create_multipart_upload().bucket(bucket.name()).key(key);
    let begun = request.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.map_err(failed)?;
    let id = begun.upload_id.ok_or_else(|| io::Error::other(format!("the upload of {key} has no id")))?;
    Ok(Parts { id, done: Vec::new() })
}
