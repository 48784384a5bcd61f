//! HTTP/1.1 on one machine, by hyper.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::api::Api;
use crate::http::{Arrival, Received, ReceivedBody, Response, limits};

/// How long a client may take for its headers, or between two pieces of a body.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take for a whole body.
const BODY_PATIENCE: Duration = Duration::from_secs(60);
/// How long requests under way have to end after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(8);
/// Most headers: as many as fit into [`limits::HEADERS`] bytes, so that our own limit answers, not the parser's.
const MAX_HEADERS: usize = 2_560;
/// Largest head that is parsed, bytes; larger ones are answered by the parser.
const MAX_HEAD: usize = 64 << 10;

/// Serves the API until `stop` resolves; then stops accepting and lets the requests under way end.
pub async fn serve(listener: TcpListener, api: Arc<Api>, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    // Every request under way holds a sender: the channel ends when the last one is done.
    let (busy, mut idle) = mpsc::channel::<()>(1);
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small answers must not wait for more to come.
                let _ = stream.set_nodelay(true);
                let (api, busy) = (Arc::clone(&api), busy.clone());
                let service = service_fn(move |request| answer(Arc::clone(&api), busy.clone(), peer, request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .max_buf_size(MAX_HEAD)
                    .max_headers(MAX_HEADERS)
                    .half_close(true)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connections.watch(connection).map(|ended| {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                }));
            }
            Err(error) => {
                // Out of file descriptors, most likely: connections that end will free some.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop((listener, busy));
    let drained = async {
        connections.shutdown().await;
        let _ = idle.recv().await;
    };
    if timeout(DRAIN, drained).await.is_err() {
        tracing::warn!("requests were still under way when the time to end them was over");
    }
}

async fn answer(
    api: Arc<Api>,
    busy: mpsc::Sender<()>,
    peer: SocketAddr,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let received = receive(api.arrival(), peer, head);
    let mut unread = Unread { received: Some(received), api, busy };
    let body = read_body(body).await;
    let handled = match unread.handle(body) {
        Some(handled) => handled.await.ok(),
        None => None,
    };
    // The API turns a handler's panic into a recorded answer; this net is for what lies around it.
    Ok(handled.map_or_else(
        || {
            tracing::error!("recording a request panicked");
            let mut response = http::Response::new(Full::default());
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        },
        Response::into_http,
    ))
}

/// A request whose body is being read.
///
/// hyper drops its work on a request as soon as the client is gone. The request is recorded all the same (I6): with
/// what came of its body if that was still being read, and by a task of its own from there on.
struct Unread {
    received: Option<Received>,
    api: Arc<Api>,
    busy: mpsc::Sender<()>,
}

impl Unread {
    /// Hands the request over; `None` if that was done before.
    fn handle(&mut self, body: ReceivedBody) -> Option<JoinHandle<Response>> {
        let received = Received { body, ..self.received.take()? };
        let (api, busy) = (Arc::clone(&self.api), self.busy.clone());
        Some(tokio::spawn(async move {
            let response = api.handle(received).await;
            drop(busy);
            response
        }))
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // Without a runtime the process is about to end, and the request has not been answered.
        if tokio::runtime::Handle::try_current().is_ok() {
            drop(self.handle(ReceivedBody::Broken { size: 0, reason: "The client went away." }));
        }
    }
}

/// A request as far as its head tells.
fn receive(arrival: Arrival, peer: SocketAddr, head: http::request::Parts) -> Received {
    let path = match head.uri.path() {
        "" => head.uri.to_string(),
        path => path.to_owned(),
    };
    Received {
        arrival,
        method: head.method.as_str().to_owned(),
        mount: String::new(),
        path,
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body: ReceivedBody::Whole(Bytes::new()),
        client_ip: Some(peer.ip().to_canonical().to_string()),
        protocol: Some(format!("{:?}", head.version)),
        request_id: None,
        invocation_id: None,
        cold_start: None,
    }
}

/// Reads a body up to the limit. What is over it is not read at all: the connection ends with the answer.
async fn read_body(body: Incoming) -> ReceivedBody {
    let announced = body.size_hint().lower();
    if announced > limits::BODY as u64 {
        return ReceivedBody::TooLarge { size: announced };
    }
    let mut size = 0;
    match timeout(BODY_PATIENCE, read_frames(body, &mut size)).await {
        Ok(received) => received,
        Err(_) => ReceivedBody::Broken { size, reason: "The body did not come in time." },
    }
}

async fn read_frames(mut body: Incoming, size: &mut u64) -> ReceivedBody {
    let mut bytes = BytesMut::new();
    loop {
        let frame = match timeout(PATIENCE, body.frame()).await {
            Ok(frame) => frame,
            Err(_) => return ReceivedBody::Broken { size: *size, reason: "The body did not come in time." },
        };
        match frame {
            None => return ReceivedBody::Whole(bytes.freeze()),
            Some(Err(_)) => return ReceivedBody::Broken { size: *size, reason: "The body ended before it was whole." },
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                *size += data.len() as u64;
                if *size > limits::BODY as u64 {
                    return ReceivedBody::TooLarge { size: *size };
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
}
