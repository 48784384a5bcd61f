//! Takes the content of an asset: from the client to the disk, a piece at a time, never more than was allowed.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::BytesMut;
use event::domain::asset::Asset;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::body::{Read, is_late};
use super::connection::{Ground, Held};
use crate::http::{Problem, Received, ReceivedBody};
use crate::local::assets::{Draft, Kept};

/// How long a client may take for a whole content, however steadily it comes.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(60 * 60);
/// Bytes that are gathered before they are written.
const PIECE: usize = 256 << 10;

/// Reads a content to the disk, if its request is admitted. What was not kept to its end leaves nothing behind.
/// The place that it takes is held until it is recorded.
pub(super) async fn receive(ground: &Ground, received: &Received, body: Incoming, held: &mut Held) -> Read {
    let admitted = ground.api.admit(received, &mut held.admission).await;
    let admitted = admitted.and_then(|asset| fits(&asset, &body).map(|()| asset));
    let asset = match admitted {
        Ok(asset) => asset,
        Err(problem) => return refused(problem, 0),
    };
    held.upload = ground.capacity.upload();
    if held.upload.is_none() {
        return refused(Problem::overloaded("The server takes as many uploads as it can."), 0);
    }
    let Some(folder) = ground.api.folder() else {
        return refused(Problem::not_found("There is nothing at this path."), 0);
    };
    let draft = match folder.draft(&asset.key).await {
        Ok(draft) => draft,
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            let detail = "The content is being uploaded; repeat the request if that ends before it is whole.";
            return refused(Problem::in_flight(detail).with("retry-after", "1"), 0);
        }
        Err(error) => return not_kept(&error, 0),
    };
    let mut size = 0;
    let taken = timeout(UPLOAD_PATIENCE, take(ground, body, &asset, draft, &mut size)).await;
    taken.unwrap_or(Read::Done(ReceivedBody::Late { size }))
}

/// Refuses by what is announced, before anything is read.
fn fits(asset: &Asset, body: &Incoming) -> Result<(), Problem> {
    let hint = body.size_hint();
    match hint.exact() {
        _ if i64::try_from(hint.lower()).unwrap_or(i64::MAX) > asset.most_bytes() => Err(too_large(asset)),
        Some(size) => whole(asset, size),
        None => Ok(()),
    }
}

async fn take(ground: &Ground, mut body: Incoming, asset: &Asset, mut draft: Draft, size: &mut u64) -> Read {
    let most = asset.most_bytes().unsigned_abs();
    let mut piece = BytesMut::with_capacity(PIECE);
    let mut hurried = pin!(ground.hurried());
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = &mut hurried => {
                let detail = "The server is stopping; nothing has changed, upload the content again.";
                return refused(Problem::unavailable(detail), *size);
            }
        };
        let Some(frame) = frame else { break };
        let data = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            Err(error) if is_late(&error) => return Read::Done(ReceivedBody::Late { size: *size }),
            Err(_) => {
                let reason = "The content ended before it was whole.";
                return Read::Done(ReceivedBody::Broken { size: *size, reason });
            }
        };
        *size += data.len() as u64;
        if *size > most {
            return refused(too_large(asset), *size);
        }
        piece.extend_from_slice(&data);
        if piece.len() >= PIECE {
            match draft.write(piece).await {
                Ok((same, written)) => (draft, piece) = (same, written),
                Err(error) => return not_kept(&error, *size),
            }
            piece.clear();
        }
    }
    if let Err(problem) = whole(asset, *size) {
        return refused(problem, *size);
    }
    let kept = async { draft.write(piece).await?.0.keep().await };
    match kept.await {
        Ok(Kept { size, sha256 }) => Read::Done(ReceivedBody::Kept { key: asset.key.clone(), size, sha256 }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            refused(Problem::conflict("The asset's content is there already."), *size)
        }
        Err(error) => not_kept(&error, *size),
    }
}

/// Whether a content of so many bytes is all of it.
fn whole(asset: &Asset, size: u64) -> Result<(), Problem> {
    match asset.content_length {
        Some(length) if length.unsigned_abs() != size => {
            Err(Problem::invalid(format!("The content has {size} bytes, {length} were announced.")))
        }
        _ => Ok(()),
    }
}

fn too_large(asset: &Asset) -> Problem {
    Problem::too_large(format!("The content is over the limit of {} bytes.", asset.most_bytes()))
}

fn not_kept(error: &io::Error, size: u64) -> Read {
    tracing::error!(%error, "a content could not be kept");
    refused(Problem::unavailable("The content could not be kept; nothing has changed."), size)
}

/// What the client still sends is not read.
fn refused(problem: Problem, size: u64) -> Read {
    Read::Refused(problem.with("connection", "close"), size)
}
