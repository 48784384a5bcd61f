//! What goes out as a body: bytes that are there, or a content that is read from the disk while it is sent.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::Frame;
use tokio::sync::OwnedSemaphorePermit;

use crate::api::Api;
use crate::http::Response;
use crate::http::response::Part;

/// Bytes that are read at a time: what a download holds of memory.
const PIECE: u64 = 64 << 10;

pub(super) type Outgoing = Either<Full<Bytes>, UnsyncBoxBody<Bytes, io::Error>>;

/// The response as hyper sends it. A content that cannot be read to its end cuts the connection: the client knows how
/// many bytes it was to get. Its `place` is held until it is sent, or the client is gone.
pub(super) fn outgoing(api: &Api, response: Response, place: Option<OwnedSemaphorePermit>) -> http::Response<Outgoing> {
    let content = response.content().cloned();
    let response: http::Response<Full<Bytes>> = response.into_http();
    match content {
        None => response.map(Either::Left),
        Some(part) => response.map(|_| Either::Right(body(api, part, place))),
    }
}

fn body(api: &Api, part: Part, place: Option<OwnedSemaphorePermit>) -> UnsyncBoxBody<Bytes, io::Error> {
    let opened = api.folder().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
    let opened = opened.and_then(|folder| folder.open(&part.key)).and_then(|mut file| {
        file.seek(SeekFrom::Start(part.start))?;
        Ok(file)
    });
    let pieces = stream::try_unfold((Some(opened), part.length, place), async |(file, rest, place)| {
        if rest == 0 {
            return Ok(None);
        }
        let file = file.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))?;
        let (file, piece) = next_piece(file, rest.min(PIECE)).await.inspect_err(|error| {
            tracing::error!(%error, "a content could not be read to its end");
        })?;
        let rest = rest - piece.len() as u64;
        Ok(Some((Frame::data(piece), (Some(Ok(file)), rest, place))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

async fn next_piece(mut file: std::fs::File, length: u64) -> io::Result<(std::fs::File, Bytes)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut piece = vec![0; usize::try_from(length).unwrap_or_default()];
        file.read_exact(&mut piece)?;
        Ok((file, Bytes::from(piece)))
    });
    read.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
