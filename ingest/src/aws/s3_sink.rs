//! The road around Firehose: lines straight into a raw object.

use std::io::Write;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use cloud::Deadline;
use cloud::sdk::SdkConfig;
use event::{Sealed, Timestamp, key};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::objects::Objects;
use crate::error::{Error, ErrorKind, Result};
use crate::receipt::Receipt;
use crate::store::EventSink;
use crate::system::System;

/// Events and lines into raw objects, one object a call.
#[derive(Debug, Clone)]
pub struct S3Sink {
    objects: Objects,
    system: System,
}

impl S3Sink {
    /// Raw objects in this bucket.
    pub fn new(client: Client, bucket: impl Into<String>, system: System, deadline: Deadline) -> Self {
        Self { objects: Objects::new(client, bucket.into(), system, deadline), system }
    }

    /// Raw objects in this bucket, as the SDK was told to reach it; a call takes the time it needs.
    pub fn connect(sdk: &SdkConfig, bucket: impl Into<String>, system: System) -> Self {
        Self::new(Client::new(sdk), bucket, system, Deadline::default())
    }

    /// Writes lines, none of them with a line feed, as one object, durable when it returns; nothing for no lines.
    /// `first` is the id of the first line's event.
    ///
    /// The key has the arrival's day and hour, where readers look for new objects, and a hash of the lines: the same
    /// lines twice within the hour are one object, and no lines ever take another's place.
    ///
    /// # Errors
    /// The object is not known to be there.
    pub async fn put_lines<L: AsRef<[u8]>>(
        &self,
        first: &str,
        lines: impl IntoIterator<Item = L>,
    ) -> Result<Option<String>> {
        let text = lines.into_iter().fold(Vec::new(), |mut text, line| {
            text.extend_from_slice(line.as_ref());
            text.push(b'\n');
            text
        });
        if text.is_empty() {
            return Ok(None);
        }
        let key = object_key((self.system.now)(), first, &text);
        self.objects.put(&key, compress(&text)?).await?;
        Ok(Some(key))
    }
}

#[async_trait]
impl EventSink for S3Sink {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        let Some(first) = events.first().map(|event| event.event_id.to_string()) else { return Ok(Vec::new()) };
        self.put_lines(&first, events.iter().map(Sealed::line)).await?;
        Ok(events.iter().map(|event| Receipt::new(event.event_id)).collect())
    }
}

fn object_key(arrival: Timestamp, first: &str, text: &[u8]) -> String {
    let hash = event::hex(&Sha256::digest(text)[..8]);
    key::raw(arrival, &format!("fallback-{first}-{hash}"))
}

fn compress(text: &[u8]) -> Result<Bytes> {
    let failed = |error| Error::new(ErrorKind::Unavailable, "compressing a raw object").with_source(error);
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 3), Compression::fast());
    encoder.write_all(text).map_err(failed)?;
    encoder.finish().map(Bytes::from).map_err(failed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn other_lines_have_another_key_whatever_their_first_is() {
        let arrival = Timestamp::parse("2026-11-20T09:30:26Z").unwrap();
        let key = object_key(arrival, "019a", b"a\n");
        assert_eq!(key, "raw/dt=2026-11-20/hour=09/fallback-019a-87428fc522803d31.ndjson.gz");
        assert_ne!(object_key(arrival, "019a", b"a\nb\n"), key);
        assert_eq!(object_key(arrival, "019a", b"a\n"), key);
    }

    #[test]
    fn an_object_is_a_gzip_member() {
        let mut text = String::new();
        flate2::read::GzDecoder::new(compress(b"a\nb\n").unwrap().as_ref()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\nb\n");
    }
}
