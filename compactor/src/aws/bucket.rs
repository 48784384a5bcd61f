//! One bucket: listings to their end, objects whole or not at all.

use std::io;
use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use bytes::Bytes;

use super::body::Body;
use super::chain;

/// How long one attempt to send an object or a part of one may take: 8 MiB on a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a write that met another write of the same key (409) is sent again.
const CONFLICTS: u32 = 5;
/// The pause before it is; each further one is twice as long.
const CONFLICT_PAUSE: Duration = Duration::from_millis(100);

/// A bucket and the client that speaks to it. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    client: Client,
    name: String,
}

/// What a listing shows.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) objects: Vec<Listed>,
    /// What the keys up to the next `/` have in common, if that was asked for.
    pub(super) folders: Vec<String>,
}

/// One object of a listing.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) bytes: u64,
    pub(super) modified: DateTime,
}

impl Bucket {
    pub(super) fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// All objects under `prefix` whose key comes after `after`, page after page: all of them or an error.
    pub(super) async fn list(&self, prefix: &str, after: Option<&str>) -> io::Result<Vec<Listed>> {
        self.pages(prefix, after, None).await.map(|listing| listing.objects)
    }

    /// The objects and folders directly under `prefix`.
    pub(super) async fn list_folder(&self, prefix: &str) -> io::Result<Listing> {
        self.pages(prefix, None, Some("/")).await
    }

    async fn pages(&self, prefix: &str, after: Option<&str>, delimiter: Option<&str>) -> io::Result<Listing> {
        let mut listing = Listing::default();
        let mut token = None;
        loop {
            let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
            let request = request.set_start_after(after.map(str::to_owned)).set_delimiter(delimiter.map(str::to_owned));
            let page = request.set_continuation_token(token).send().await.map_err(failed)?;
            for object in page.contents() {
                listing.objects.push(listed(object)?);
            }
            let folders = page.common_prefixes().iter();
            listing.folders.extend(folders.filter_map(|folder| folder.prefix().map(str::to_owned)));
            token = page.next_continuation_token().map(str::to_owned);
            match (page.is_truncated().unwrap_or(false), &token) {
                (false, _) => return Ok(listing),
                (true, Some(_)) => {}
                (true, None) => return Err(io::Error::other("a page of the listing does not name the next one")),
            }
        }
    }

    /// The object as it is now, whole or the given bytes of it.
    pub(super) async fn get(&self, key: &str, range: Option<Range<u64>>) -> io::Result<Body> {
        Body::open(self.clone(), key.to_owned(), range).await
    }

    /// One GET; with `etag` it fails if the object is another one by now.
    pub(super) async fn get_once(
        &self,
        key: &str,
        range: Option<&Range<u64>>,
        etag: Option<&str>,
    ) -> io::Result<GetObjectOutput> {
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let request = self.client.get_object().bucket(&self.name).key(key);
        request.set_range(range).set_if_match(etag.map(str::to_owned)).send().await.map_err(failed)
    }

    /// An object's size; `None` if there is none.
    pub(super) async fn size(&self, key: &str) -> io::Result<Option<u64>> {
        match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(head) => Ok(Some(length(head.content_length())?)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Puts an object, in the place of any that is there.
    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> io::Result<()> {
        let request = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(bytes));
        request.customize().config_override(patient()).send().await.map(|_| ()).map_err(failed)
    }

    /// Puts an object unless one is there, and leaves that one as it is; both are success.
    ///
    /// A retry of a put whose answer was lost meets its own object, which is no failure either. 409 is another matter
    /// than 412: another put of the same key is under way, and nobody knows yet whether it will be there.
    pub(super) async fn put_if_absent(&self, key: &str, bytes: Bytes) -> io::Result<()> {
        let mut conflicts = 0;
        loop {
            let body = ByteStream::from(bytes.clone());
            let request = self.client.put_object().bucket(&self.name).key(key).if_none_match("*").body(body);
            let Err(error) = request.customize().config_override(patient()).send().await else { return Ok(()) };
            match status(&error) {
                Some(412) => return Ok(()),
                Some(409) if conflicts < CONFLICTS => {
                    tokio::time::sleep(CONFLICT_PAUSE * 2_u32.pow(conflicts)).await;
                    conflicts += 1;
                }
                _ => return Err(failed(error)),
            }
        }
    }
}

/// Settings of a request that carries megabytes.
pub(super) fn patient() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(UPLOAD_TIMEOUT).build();
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
}

/// The HTTP status of a failed request, if there was an answer.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// The SDK's error in the words of `std::io`, causes included.
pub(super) fn failed<E>(error: SdkError<E>) -> io::Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let kind = match status(&error) {
        Some(404) => io::ErrorKind::NotFound,
        Some(403) => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    let code = error.code().map(|code| format!("{code}: ")).unwrap_or_default();
    io::Error::new(kind, format!("{code}{}", chain(&error)))
}

/// A content length, which every answer must have.
pub(super) fn length(length: Option<i64>) -> io::Result<u64> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| io::Error::other("the answer does not say how long the object is"))
}

fn listed(object: &aws_sdk_s3::types::Object) -> io::Result<Listed> {
    match (object.key(), object.last_modified()) {
        (Some(key), Some(modified)) => {
            Ok(Listed { key: key.to_owned(), bytes: length(object.size())?, modified: *modified })
        }
        _ => Err(io::Error::other("a listed object lacks its key or its time")),
    }
}
