//! Stands between the socket and hyper: looks at every head before hyper does, and waits for nobody for ever.
//!
//! hyper answers what it cannot parse by itself, and nobody would know of the request. So it gets nothing of a head
//! before that is whole and has passed the [`Inspector`](super::head::Inspector). In the place of a refused one it gets
//! a stand-in and then the end of the stream; the service knows by the [`Handover`] what it is really about, and
//! answers and records it as any other request (I6), in its turn. Where a body ends is followed by the guard's own
//! count, so that the next head is looked at, too.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::capacity::Capacity;
use super::chunks::{Broken, Chunks};
use super::handover::{Handover, Passed};
use super::head::{Flaw, Framing, Inspector, Look, MAX_HEAD, hide_upgrades};
use super::patience::{LINGER, Patience};
use crate::api::Api;
use crate::http::Arrival;

/// Bytes that a connection's buffer has from the beginning, and again between two requests.
const SMALL: usize = 2 << 10;
/// Bytes that it may have for a body on its way through.
const BODY_ROOM: usize = 64 << 10;
/// What hyper sees of a refused request: no more than how to answer it.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const STAND_IN_WITHOUT_BODY: &[u8] = b"HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A stream of which only whole, unambiguous requests can be read, in time.
pub(super) struct Guard<S> {
    stream: S,
    at: At,
    buffer: Buffer,
    /// Bytes at the buffer's beginning that hyper may have.
    passed: usize,
    arrival: Option<Arrival>,
    handover: Arc<Handover>,
    api: Arc<Api>,
    capacity: Arc<Capacity>,
    reading: Patience,
    writing: Patience,
    is_shut: bool,
}

/// What comes next in the stream.
enum At {
    /// A head.
    Head(Inspector),
    /// So many bytes of a body.
    Length(u64),
    /// A body in chunks.
    Chunked(Chunks),
    /// A body whose chunks are none.
    Broken,
    /// Nothing more that anybody would read: the client may still be sending.
    Given,
    /// Nothing more: the client has ended.
    Ended,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    pub(super) fn new(stream: S, api: Arc<Api>, capacity: Arc<Capacity>, handover: Arc<Handover>) -> Self {
        Self {
            stream,
            at: At::Head(Inspector::default()),
            buffer: Buffer::default(),
            passed: 0,
            arrival: None,
            handover,
            api,
            capacity,
            reading: Patience::default(),
            writing: Patience::default(),
            is_shut: false,
        }
    }

    /// Lets through what may be, of what is there; false where there is nothing of it.
    fn pass(&mut self) -> bool {
        if matches!(self.at, At::Head(_)) {
            self.pass_head();
        }
        let there = self.buffer.bytes().len().saturating_sub(self.passed);
        match &mut self.at {
            At::Length(rest) => {
                let more = usize::try_from(*rest).unwrap_or(usize::MAX).min(there);
                *rest -= more as u64;
                self.passed += more;
            }
            At::Chunked(chunks) => match chunks.follow(&self.buffer.bytes()[self.passed..]) {
                Ok(more) => self.passed += more,
                Err(Broken) => self.at = At::Broken,
            },
            At::Head(_) | At::Broken | At::Given | At::Ended => {}
        }
        let ended = match &self.at {
            At::Length(rest) => *rest == 0,
            At::Chunked(chunks) => chunks.has_ended(),
            At::Head(_) | At::Broken | At::Given | At::Ended => false,
        };
        if ended {
            self.at = At::Head(Inspector::default());
            self.reading.restart();
        }
        self.passed > 0
    }

    fn pass_head(&mut self) {
        let At::Head(inspector) = &mut self.at else { return };
        self.buffer.skip_empty_lines();
        if self.buffer.is_empty() || self.buffer.bytes() == b"\r" {
            return;
        }
        let arrival = *self.arrival.get_or_insert_with(|| {
            self.reading.restart();
            self.api.arrival()
        });
        match inspector.look(self.buffer.bytes()) {
            Look::Partial => {}
            Look::Flawed(flaw) => self.refuse(flaw),
            Look::Whole(length, framing) => {
                if inspector.asks_for_upgrade() {
                    hide_upgrades(self.buffer.bytes_mut(length));
                }
                self.passed = length;
                self.arrival = None;
                self.reading.restart();
                self.handover.put(Passed { arrival, refused: None });
                self.at = match framing {
                    Framing::Length(length) => At::Length(length),
                    Framing::Chunked => At::Chunked(Chunks::new()),
                };
            }
        }
    }

    /// Puts the stand-in where the head was.
    fn refuse(&mut self, flaw: Flaw) {
        let head = self.buffer.take();
        let stand_in = if head.starts_with(b"HEAD ") { STAND_IN_WITHOUT_BODY } else { STAND_IN };
        let arrival = self.arrival.take().unwrap_or_else(|| self.api.arrival());
        self.handover.put(Passed { arrival, refused: Some((flaw, head)) });
        self.buffer.put(stand_in);
        self.passed = stand_in.len();
        self.at = At::Given;
    }

    /// Reads what comes; false where the stream has ended.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let room = match self.at {
            At::Head(_) => MAX_HEAD,
            _ => BODY_ROOM,
        };
        match self.buffer.poll_fill(&mut self.stream, room, context) {
            Poll::Ready(Ok(read)) => {
                if !matches!(self.at, At::Head(_)) {
                    self.reading.progress(read);
                }
                Poll::Ready(Ok(read > 0))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.reading.poll(self.capacity.patience(), context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// The stream has ended, failed or stalled: what hyper is to know of it.
    fn end(&mut self, why: io::Result<bool>) -> io::Result<()> {
        let late = matches!(&why, Err(error) if error.kind() == io::ErrorKind::TimedOut);
        match (&self.at, why) {
            (At::Head(_), _) if self.arrival.is_some() => {
                self.refuse(if late { Flaw::Late } else { Flaw::Malformed("The head ended before it was whole.") });
                Ok(())
            }
            // Between two requests it is no matter how a connection ends.
            (At::Head(_), _) | (_, Ok(_)) => {
                self.at = At::Ended;
                Ok(())
            }
            (_, Err(error)) => {
                self.at = At::Given;
                Err(error)
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        loop {
            if guard.passed > 0 {
                let length = guard.passed.min(into.remaining());
                into.put_slice(&guard.buffer.bytes()[..length]);
                guard.buffer.consume(length);
                guard.passed -= length;
                return Poll::Ready(Ok(()));
            }
            match guard.at {
                At::Given | At::Ended => return Poll::Ready(Ok(())),
                At::Broken => return Poll::Ready(guard.end(Err(io::ErrorKind::InvalidData.into()))),
                At::Head(_) | At::Length(_) | At::Chunked(_) => {}
            }
            if guard.pass() || matches!(guard.at, At::Broken) {
                continue;
            }
            match ready!(guard.poll_more(context)) {
                Ok(true) => {}
                ended => guard.end(ended)?,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let written = Pin::new(&mut guard.stream).poll_write(context, bytes);
        guard.written(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let written = Pin::new(&mut guard.stream).poll_write_vectored(context, slices);
        guard.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        // All that was to be written is written.
        guard.writing.restart();
        Pin::new(&mut guard.stream).poll_flush(context)
    }

    /// Ends the sending side, then throws away for a moment what the client still sends: a close with bytes unread
    /// is a reset, and a reset takes an answer away that the client has not read yet.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        if !guard.is_shut {
            ready!(Pin::new(&mut guard.stream).poll_shutdown(context))?;
            guard.is_shut = true;
            guard.reading.restart();
        }
        let is_done = matches!(guard.at, At::Ended) || (matches!(guard.at, At::Head(_)) && guard.buffer.is_empty());
        if !is_done {
            guard.at = At::Given;
            ready!(guard.poll_discard(context));
        }
        guard.at = At::Ended;
        guard.buffer.clear();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Guard<S> {
    /// Throws away what comes until the client ends or the time to linger is over.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            self.buffer.clear();
            match self.buffer.poll_fill(&mut self.stream, BODY_ROOM, context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.reading.poll(LINGER, context),
            }
        }
    }

    /// Waits for a client that does not read, as for one that does not write.
    fn written(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match &written {
            // Nobody is waiting: the time begins with the next wait.
            Poll::Ready(Ok(bytes)) => self.writing.progress(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                ready!(self.writing.poll(self.capacity.patience(), context));
                self.capacity.cut();
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        written
    }
}

/// Bytes read and not handed on.
#[derive(Debug, Default)]
struct Buffer {
    /// Filled with zeros once, so that it can be read into again and again.
    space: Vec<u8>,
    start: usize,
    end: usize,
    /// The last read took all the room there was: there may be more.
    was_filled: bool,
}

impl Buffer {
    fn bytes(&self) -> &[u8] {
        &self.space[self.start..self.end]
    }

    fn bytes_mut(&mut self, length: usize) -> &mut [u8] {
        &mut self.space[self.start..self.start + length]
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        if self.is_empty() {
            self.clear();
        }
    }

    fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    fn take(&mut self) -> Vec<u8> {
        let bytes = self.bytes().to_vec();
        self.clear();
        bytes
    }

    fn put(&mut self, bytes: &[u8]) {
        self.space.clear();
        self.space.extend_from_slice(bytes);
        (self.start, self.end) = (0, bytes.len());
    }

    /// Lines without anything before a request are not a part of it (RFC 9112, 2.2).
    fn skip_empty_lines(&mut self) {
        while self.bytes().starts_with(b"\r\n") {
            self.consume(2);
        }
    }

    /// Reads once, growing up to `room` bytes in all; the number of bytes read.
    fn poll_fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        room: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room(room);
        let mut into = ReadBuf::new(&mut self.space[self.end..]);
        ready!(Pin::new(stream).poll_read(context, &mut into))?;
        let read = into.filled().len();
        self.end += read;
        self.was_filled = self.end == self.space.len();
        Poll::Ready(Ok(read))
    }

    fn make_room(&mut self, room: usize) {
        if self.is_empty() {
            self.clear();
            // What a large body needed is given back.
            if self.space.len() > room {
                self.space = Vec::new();
            }
        } else if self.start > 0 && self.end == self.space.len() {
            self.space.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.was_filled || self.end == self.space.len() {
            self.was_filled = false;
            self.space.resize((2 * self.space.len()).clamp(SMALL, room.max(self.end)), 0);
        }
    }
}
