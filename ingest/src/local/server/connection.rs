//! One connection: its requests one after the other, each answered and recorded (I6).

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinHandle;

use super::body::{Read, read_body};
use super::capacity::{BodyRoom, Capacity};
use super::guard::Guard;
use super::handover::{Handover, Passed};
use super::head::Flaw;
use super::outgoing::{Outgoing, outgoing};
use super::salvage::{Salvaged, salvage};
use super::upload;
use crate::api::{Admission, Api};
use crate::http::{Arrival, Problem, Received, ReceivedBody, Response, limits};

/// What a parser behind the guard may hold of one connection: more than any head.
const MAX_BUFFER: usize = 64 << 10;

/// What the requests of a connection have in common.
#[derive(Clone)]
pub(super) struct Ground {
    pub api: Arc<Api>,
    pub capacity: Arc<Capacity>,
    pub peer: IpAddr,
    /// Held by every request under way.
    pub busy: mpsc::Sender<()>,
    /// Whether uploads are not waited for any longer.
    pub hurry: watch::Receiver<bool>,
}

/// What a request has of the server, and what is known of it, before it is handled.
pub(super) struct Held {
    pub room: BodyRoom,
    pub admission: Admission,
    /// The place of an upload.
    pub upload: Option<OwnedSemaphorePermit>,
}

/// Serves a connection until either side ends it.
pub(super) async fn serve<S>(stream: S, ground: Ground, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handover = Arc::new(Handover::default());
    let guard = Guard::new(stream, Arc::clone(&ground.api), Arc::clone(&ground.capacity), Arc::clone(&handover));
    let service = service_fn(|request| {
        let request = ground.take(&handover, request);
        in_place(|| async move { Ok::<_, Infallible>(request.answer().await) })
    });
    // The guard has the clock, and a head comes from it whole: hyper needs none.
    let connection = Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_BUFFER)
        .half_close(true)
        .serve_connection(TokioIo::new(guard), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
    if let Some(passed) = handover.take() {
        ground.left_over(passed);
    }
}

impl Ground {
    /// Takes a request up, in the very call in which hyper hands it over.
    fn take(&self, handover: &Handover, request: http::Request<Incoming>) -> Request {
        let (head, body) = request.into_parts();
        let passed = handover.take().unwrap_or_else(|| Passed { arrival: self.api.arrival(), refused: None });
        let (received, refusal) = match passed.refused {
            Some((flaw, bytes)) => {
                if flaw == Flaw::Late {
                    self.capacity.cut();
                }
                (self.salvaged(passed.arrival, salvage(&bytes)), Some(problem(flaw)))
            }
            None => (self.received(passed.arrival, head), None),
        };
        Request { received: Some(received), refusal, body: Some(body), held: self.held(), ground: self.clone() }
    }

    /// Records a request that was read and not taken up: the connection ended in that moment.
    fn left_over(&self, passed: Passed) {
        let (bytes, problem) = match passed.refused {
            Some((flaw, bytes)) => (bytes, problem(flaw)),
            None => (Vec::new(), Problem::unavailable("The connection ended before the request was taken up.")),
        };
        let received = self.salvaged(passed.arrival, salvage(&bytes));
        drop(self.handle(received, Some(problem), self.held()));
    }

    fn held(&self) -> Held {
        Held { room: self.capacity.body(), admission: Admission::default(), upload: None }
    }

    /// Resolves when uploads are not waited for any longer.
    pub(super) async fn hurried(&self) {
        if self.hurry.clone().wait_for(|hurry| *hurry).await.is_err() {
            // Nobody is left to say so.
            std::future::pending().await
        }
    }

    fn received(&self, arrival: Arrival, head: http::request::Parts) -> Received {
        let path = match head.uri.path() {
            "" => head.uri.to_string(),
            path => path.to_owned(),
        };
        Received {
            method: head.method.as_str().to_owned(),
            path,
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            protocol: Some(format!("{:?}", head.version)),
            ..self.nothing(arrival)
        }
    }

    fn salvaged(&self, arrival: Arrival, salvaged: Salvaged) -> Received {
        let Salvaged { method, path, query, protocol, headers } = salvaged;
        Received { method, path, query, protocol, headers, ..self.nothing(arrival) }
    }

    fn nothing(&self, arrival: Arrival) -> Received {
        Received {
            arrival,
            method: String::new(),
            mount: String::new(),
            path: String::new(),
            query: None,
            headers: http::HeaderMap::new(),
            body: ReceivedBody::Whole(Bytes::new()),
            client_ip: Some(self.peer.to_canonical().to_string()),
            protocol: None,
            request_id: None,
            invocation_id: None,
            cold_start: None,
            vouched: None,
        }
    }

    /// Hands a request over to a task that outlives the connection, if there is room for one more.
    fn handle(&self, received: Received, refusal: Option<Problem>, held: Held) -> Handling {
        let Held { room, admission, upload } = held;
        if refusal.is_some() || !matches!(received.body, ReceivedBody::Whole(_) | ReceivedBody::Kept { .. }) {
            return match self.capacity.flawed() {
                Some(queued) => Handling::Task(self.spawn(received, refusal, admission, queued.turn())),
                None => self.turn_away(refusal),
            };
        }
        if let Some(place) = upload.or_else(|| self.capacity.request()) {
            return Handling::Task(self.spawn(received, None, admission, async { (place, room) }));
        }
        let full = Problem::overloaded("The server has as many requests in work as it takes on.");
        match self.capacity.refusal() {
            Some(place) => Handling::Task(self.spawn(received, Some(full), admission, async { place })),
            None => self.turn_away(Some(full)),
        }
    }

    /// Handles a request as soon as there is a `place` for it, which is held until it is recorded.
    fn spawn<P: Send + 'static>(
        &self,
        received: Received,
        refusal: Option<Problem>,
        admission: Admission,
        place: impl Future<Output = P> + Send + 'static,
    ) -> JoinHandle<Response> {
        let Self { api, capacity, busy, .. } = self.clone();
        // What has to be looked at for longer than a moment would be waited for by everyone on the same thread.
        let large = refusal.is_none()
            && matches!(&received.body, ReceivedBody::Whole(body) if body.len() > limits::INLINE_BODY);
        tokio::spawn(async move {
            let held = place.await;
            let turn = if large { capacity.large().await } else { None };
            let respond = in_place(|| async move { api.respond(received, refusal, admission).await });
            let response = match turn {
                Some(turn) => apart(respond, turn).await,
                None => respond.await,
            };
            if response.event_id().is_none() {
                capacity.unrecorded();
            }
            drop((held, busy));
            response
        })
    }

    /// Answers without an event.
    fn turn_away(&self, refusal: Option<Problem>) -> Handling {
        self.capacity.unrecorded();
        let problem =
            refusal.unwrap_or_else(|| Problem::overloaded("The server has more to refuse than it can record."));
        Handling::Done(Response::unrecorded(&problem, "", ""))
    }
}

/// Makes a future on the heap: one of many kilobytes would be copied with whatever holds it. There is room for it before
/// it is made, so that optimised code makes it there; `Box::pin` has to copy it from the stack.
#[inline]
fn in_place<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}

/// Does the first stretch of the work, up to where it waits for something, on a thread of its own, and the rest as usual.
async fn apart<T: Send + 'static>(
    mut work: Pin<Box<impl Future<Output = T> + Send + 'static>>,
    turn: OwnedSemaphorePermit,
) -> T {
    let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    let stretch = move || {
        let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
        drop(turn);
        (polled, work)
    };
    match tokio::task::spawn_blocking(stretch).await {
        Ok((Poll::Ready(done), _)) => done,
        Ok((Poll::Pending, work)) => work.await,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A request that is handled, or was turned away without a trace in the log.
enum Handling {
    Task(JoinHandle<Response>),
    Done(Response),
}

/// A request whose body is being read.
///
/// hyper drops its work on a request as soon as the client is gone. The request is recorded all the same (I6): with
/// what came of its body if that was still being read, and by a task of its own from there on.
struct Request {
    received: Option<Received>,
    refusal: Option<Problem>,
    body: Option<Incoming>,
    held: Held,
    ground: Ground,
}

impl Request {
    async fn answer(mut self) -> http::Response<Outgoing> {
        let download = self.download();
        let read = match (self.body.take(), &self.refusal) {
            (Some(body), None) => self.read(body).await,
            _ => Read::Done(ReceivedBody::Whole(Bytes::new())),
        };
        let handled = match self.handle(read) {
            Some(Handling::Task(task)) => task.await.ok(),
            Some(Handling::Done(response)) => Some(response),
            None => None,
        };
        // The API turns a handler's panic into a recorded answer; this net is for what lies around it.
        handled.map_or_else(
            || {
                tracing::error!("recording a request panicked");
                let mut response = http::Response::new(Outgoing::Left(Full::default()));
                *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                response
            },
            |response| outgoing(&self.ground.api, response, download),
        )
    }

    /// A place for the content that the answer may be; the request is refused where there is none.
    fn download(&mut self) -> Option<OwnedSemaphorePermit> {
        let received = self.received.as_ref().filter(|_| self.refusal.is_none())?;
        if !self.ground.api.gives_content(received) {
            return None;
        }
        let place = self.ground.capacity.download();
        if place.is_none() {
            self.refusal = Some(Problem::overloaded("The server gives as many downloads as it can."));
        }
        place
    }

    async fn read(&mut self, body: Incoming) -> Read {
        match self.received.as_ref().filter(|received| self.ground.api.takes_content(received)) {
            Some(received) => upload::receive(&self.ground, received, body, &mut self.held).await,
            None => read_body(body, &mut self.held.room).await,
        }
    }

    /// Hands the request over; `None` if that was done before.
    fn handle(&mut self, read: Read) -> Option<Handling> {
        let received = self.received.take()?;
        if matches!(read, Read::Done(ReceivedBody::Late { .. })) {
            self.ground.capacity.cut();
        }
        let (body, refusal) = match read {
            Read::Done(body) => (body, self.refusal.take()),
            Read::NoRoom(size) => {
                self.ground.capacity.refuse_body();
                let full = Problem::overloaded("The server holds as many bodies as it has memory for.");
                (ReceivedBody::TooLarge { size }, Some(full.with("connection", "close")))
            }
            Read::Refused(problem, size) => (ReceivedBody::Broken { size, reason: "" }, Some(problem)),
        };
        let held = std::mem::replace(&mut self.held, self.ground.held());
        Some(self.ground.handle(Received { body, ..received }, refusal, held))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // Without a runtime the process is about to end, and the request has not been answered.
        if self.received.is_some() && Handle::try_current().is_ok() {
            let gone = ReceivedBody::Broken { size: 0, reason: "The client went away." };
            drop(self.handle(Read::Done(gone)));
        }
    }
}

fn problem(flaw: Flaw) -> Problem {
    let problem = match flaw {
        Flaw::Malformed(reason) => Problem::invalid(reason),
        Flaw::LineTooLong => Problem::uri_too_long("The first line is longer than path and query may be together."),
        Flaw::HeadTooLarge => {
            Problem::headers_too_large("The head is larger than all limits together, or has too many fields.")
        }
        Flaw::Late => Problem::late("The head did not come in time."),
    };
    problem.with("connection", "close")
}
