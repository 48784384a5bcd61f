//! The body of an object, read to its last byte over connections that break.

use std::io::{self, Read};
use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes, BytesMut};
use tokio::runtime::Handle;

use super::bucket::{Bucket, length};
use super::chain;

/// How often in a row a body may break off without a byte of progress.
const BREAKS: u32 = 3;
/// The pause before a broken body is asked for again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// The bytes of one object, or a range of them, as they were when it was opened.
///
/// A connection that breaks or ends early is made again for the bytes that lack, of the very same object (`If-Match`):
/// what is read is all of the bytes that were announced, or an error, and never looks like a shorter object.
#[derive(Debug)]
pub(super) struct Body {
    bucket: Bucket,
    key: String,
    etag: String,
    /// What is still to come.
    rest: Range<u64>,
    stream: Option<ByteStream>,
}

impl Body {
    pub(super) async fn open(bucket: Bucket, key: String, range: Option<Range<u64>>) -> io::Result<Self> {
        let output = bucket.get_once(&key, range.as_ref(), None).await?;
        let rest = range.unwrap_or(0..length(output.content_length())?);
        check_length(&key, &rest, output.content_length())?;
        let etag = output.e_tag.ok_or_else(|| io::Error::other(format!("{key} has no etag")))?;
        Ok(Self { bucket, key, etag, rest, stream: Some(output.body) })
    }

    /// The next bytes; none at the end, which is reached only after all that was announced.
    pub(super) async fn next(&mut self) -> io::Result<Bytes> {
        let mut breaks = 0;
        while let Some(stream) = &mut self.stream {
            let broken = match stream.try_next().await {
                Ok(Some(chunk)) if chunk.is_empty() => continue,
                Ok(Some(chunk)) => return self.take(chunk),
                Ok(None) if self.rest.is_empty() => {
                    self.stream = None;
                    break;
                }
                Ok(None) => "it ended early".to_owned(),
                // All bytes are here, and they are not what their checksum says.
                Err(error) if self.rest.is_empty() => return Err(io::Error::other(chain(&error))),
                Err(error) => chain(&error),
            };
            if breaks == BREAKS {
                let message = format!(
                    "{} broke off {} bytes before its end: {broken}",
                    self.key,
                    self.rest.end - self.rest.start
                );
                return Err(io::Error::other(message));
            }
            tracing::debug!(key = self.key, from = self.rest.start, broken, "a body broke off");
            tokio::time::sleep(PAUSE * 2_u32.pow(breaks)).await;
            breaks += 1;
            self.stream = Some(self.ask_for_the_rest().await?);
        }
        Ok(Bytes::new())
    }

    async fn ask_for_the_rest(&self) -> io::Result<ByteStream> {
        let output = self.bucket.get_once(&self.key, Some(&self.rest), Some(&self.etag)).await?;
        check_length(&self.key, &self.rest, output.content_length())?;
        Ok(output.body)
    }

    /// All that is still to come, in one piece.
    pub(super) async fn collect(mut self) -> io::Result<Bytes> {
        let size = usize::try_from(self.rest.end - self.rest.start).map_err(io::Error::other)?;
        let first = self.next().await?;
        if first.len() == size {
            self.next().await?;
            return Ok(first);
        }
        let mut bytes = BytesMut::with_capacity(size);
        bytes.extend_from_slice(&first);
        loop {
            match self.next().await? {
                chunk if chunk.is_empty() => return Ok(bytes.freeze()),
                chunk => bytes.extend_from_slice(&chunk),
            }
        }
    }

    fn take(&mut self, chunk: Bytes) -> io::Result<Bytes> {
        self.rest.start += chunk.len() as u64;
        if self.rest.start > self.rest.end {
            return Err(io::Error::other(format!("{} goes on after its end", self.key)));
        }
        Ok(chunk)
    }
}

/// Refuses an answer to another question: beyond an object's end S3 gives what there is, and some servers know no ranges.
fn check_length(key: &str, range: &Range<u64>, answered: Option<i64>) -> io::Result<()> {
    let answered = length(answered)?;
    if range.end.checked_sub(range.start) == Some(answered) {
        return Ok(());
    }
    let message = format!("bytes {}..{} of {key} are {answered} bytes", range.start, range.end);
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
}

/// A body as a blocking reader, for a thread that may block.
#[derive(Debug)]
pub(super) struct BlockingBody {
    body: Body,
    runtime: Handle,
    chunk: Bytes,
}

impl BlockingBody {
    /// Reads `body` with the runtime of the caller.
    pub(super) fn new(body: Body) -> Self {
        Self { body, runtime: Handle::current(), chunk: Bytes::new() }
    }
}

impl Read for BlockingBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            self.chunk = self.runtime.block_on(self.body.next())?;
        }
        let count = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
