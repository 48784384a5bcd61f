//! Reads a body: up to the limit, within its time, and into memory that is shared out.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::capacity::BodyRoom;
use crate::http::{Problem, ReceivedBody, limits};

/// How long a client may take for a whole body, however steadily it comes.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// What came of a body.
pub(super) enum Read {
    /// The body, or what is wrong with it.
    Done(ReceivedBody),
    /// The memory for bodies is taken; so many bytes had come.
    NoRoom(u64),
    /// It is not taken, for this reason; so many bytes had come.
    Refused(Problem, u64),
}

/// Reads a body up to the limit. What is over it is not read at all: the connection ends with the answer.
pub(super) async fn read_body(body: Incoming, room: &mut BodyRoom) -> Read {
    let announced = body.size_hint().lower();
    if announced > limits::BODY as u64 {
        return Read::Done(ReceivedBody::TooLarge { size: announced });
    }
    if body.is_end_stream() {
        return Read::Done(ReceivedBody::Whole(bytes::Bytes::new()));
    }
    let mut size = 0;
    let read = timeout(BODY_PATIENCE, read_frames(body, room, &mut size)).await;
    read.unwrap_or(Read::Done(ReceivedBody::Late { size }))
}

async fn read_frames(mut body: Incoming, room: &mut BodyRoom, size: &mut u64) -> Read {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            Err(error) if is_late(&error) => return Read::Done(ReceivedBody::Late { size: *size }),
            Err(_) => {
                let reason = "The body ended before it was whole.";
                return Read::Done(ReceivedBody::Broken { size: *size, reason });
            }
        };
        *size += data.len() as u64;
        if *size > limits::BODY as u64 {
            return Read::Done(ReceivedBody::TooLarge { size: *size });
        }
        if !room.grow(bytes.len() + data.len()) {
            return Read::NoRoom(*size);
        }
        bytes.extend_from_slice(&data);
    }
    Read::Done(ReceivedBody::Whole(bytes.freeze()))
}

/// Whether a body ended because the client was not waited for any longer.
pub(super) fn is_late(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}
