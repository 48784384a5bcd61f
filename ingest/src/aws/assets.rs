//! The contents of assets in the bucket, behind URLs that are signed for S3: no content passes through a function.

use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::types::ChecksumMode;
use aws_sdk_s3::{Client, Config};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud::Deadline;
use cloud::sdk::SdkConfig;
use event::Timestamp;
use event::domain::asset::{Asset, Content};

use super::errors;
use crate::assets::{AssetStore, Grant, Place, disposition, lasts};
use crate::error::{Error, ErrorKind, Result};

/// The contents of one bucket.
///
/// A URL is good for one key, one method and 15 minutes, or for as long as the function's own credentials are, if that is
/// less; one for an upload also for the media type, the announced length, and only while nothing lies at the key.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    bucket: String,
    deadline: Deadline,
}

impl Bucket {
    /// The contents of this bucket.
    pub fn new(sdk: &SdkConfig, bucket: impl Into<String>, deadline: Deadline) -> Self {
        // A checksum would have to be of the content, which nobody here ever sees.
        let config = Config::from(sdk).to_builder();
        let config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired).build();
        Self { client: Client::from_conf(config), bucket: bucket.into(), deadline }
    }

    /// What the bucket says of an object; `None` if there is none.
    async fn head(&self, key: &str) -> Result<Option<HeadObjectOutput>> {
        let what = || format!("looking at s3://{}/{key}", self.bucket);
        let head = self.client.head_object().bucket(&self.bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        let sent = self.deadline.bound(head.send()).await.map_err(|elapsed| errors::elapsed(&what(), elapsed))?;
        match sent {
            Ok(head) => Ok(Some(head)),
            // Who may not list a bucket is told that access is denied where there is nothing.
            Err(error) if matches!(error.raw_response().map(|raw| raw.status().as_u16()), Some(403 | 404)) => Ok(None),
            Err(error) => Err(errors::failed(&what(), &error)),
        }
    }
}

#[async_trait]
impl AssetStore for Bucket {
    async fn upload(&self, asset: &Asset, place: &Place) -> Result<Grant> {
        let put = self.client.put_object().bucket(&self.bucket).key(&asset.key).content_type(&asset.content_type);
        let put = put.set_content_length(asset.content_length).if_none_match("*");
        let signed = put.presigned(lasting(asset, place.now)?).await.map_err(|error| not_signed(error.into()))?;
        Ok(Grant { headers: headers(&signed), url: signed.uri().to_owned() })
    }

    async fn download(&self, asset: &Asset, place: &Place) -> Result<String> {
        let get = self.client.get_object().bucket(&self.bucket).key(&asset.key);
        let get = get.response_content_type(&asset.content_type);
        let get = get.response_content_disposition(disposition(&asset.file_name));
        let signed = get.presigned(lasting(asset, place.now)?).await.map_err(|error| not_signed(error.into()))?;
        Ok(signed.uri().to_owned())
    }

    async fn size(&self, key: &str) -> Result<Option<i64>> {
        Ok(self.head(key).await?.map(|head| head.content_length().unwrap_or(0)))
    }

    async fn find(&self, key: &str) -> Result<Option<Content>> {
        let head = self.head(key).await?;
        Ok(head.map(|head| Content { size: head.content_length().unwrap_or(0), checksum: checksum(&head) }))
    }

    async fn remove(&self, key: &str) -> Result<()> {
        let what = || format!("removing s3://{}/{key}", self.bucket);
        let delete = self.client.delete_object().bucket(&self.bucket).key(key);
        let sent = self.deadline.bound(delete.send()).await.map_err(|elapsed| errors::elapsed(&what(), elapsed))?;
        sent.map(|_| ()).map_err(|error| errors::failed(&what(), &error))
    }
}

fn lasting(asset: &Asset, now: Timestamp) -> Result<PresigningConfig> {
    let start = UNIX_EPOCH + Duration::from_micros(now.micros().max(0).unsigned_abs());
    let lasts = Duration::from_secs(lasts(asset, now).into());
    let config = PresigningConfig::builder().start_time(start).expires_in(lasts);
    config.build().map_err(|error| not_signed(error.into()))
}

fn not_signed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::new(ErrorKind::Unavailable, "signing a URL").with_source(error)
}

/// The headers that a request with a signed URL must have, but for the one that every client sends by itself.
fn headers(signed: &PresignedRequest) -> Vec<(String, String)> {
    let title = |name: &str| {
        let words = name.split('-').map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
        words.collect::<Vec<_>>().join("-")
    };
    let named = signed.headers().filter(|(name, _)| !name.is_empty() && !name.eq_ignore_ascii_case("host"));
    named.map(|(name, value)| (title(name), value.to_owned())).collect()
}

/// The strongest of what the bucket has: a checksum of its own, or the client's, else the entity tag.
fn checksum(head: &HeadObjectOutput) -> String {
    let sha256 = head.checksum_sha256().and_then(|text| STANDARD.decode(text).ok());
    let others = [
        ("crc64nvme", head.checksum_crc64_nvme()),
        ("crc32c", head.checksum_crc32_c()),
        ("crc32", head.checksum_crc32()),
        ("sha1", head.checksum_sha1()),
        ("etag", head.e_tag()),
    ];
    if let Some(sha256) = sha256.filter(|bytes| bytes.len() == 32) {
        return format!("sha256:{}", event::hex(&sha256));
    }
    let found = others.into_iter().find_map(|(name, value)| Some(format!("{name}:{}", value?.trim_matches('"'))));
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_checksum_counts() {
        let head = HeadObjectOutput::builder().e_tag("\"0123\"");
        assert_eq!(checksum(&head.clone().build()), "etag:0123");
        let head = head.checksum_crc64_nvme("AAAAAAAAAAA=");
        assert_eq!(checksum(&head.clone().build()), "crc64nvme:AAAAAAAAAAA=");
        // One of parts is of their checksums, not of the content.
        let parts = head.clone().checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-2").build();
        assert_eq!(checksum(&parts), "crc64nvme:AAAAAAAAAAA=");
        let whole = head.checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").build();
        assert_eq!(checksum(&whole), format!("sha256:{}", event::sha256_hex(b"")));
    }
}
