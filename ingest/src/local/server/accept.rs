//! Accepts connections, as many as there is room for, until it is told to stop.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::capacity::Capacity;
use super::connection::{self, Ground};
use super::refuse::refuse;
use crate::api::Api;

/// How long requests under way have to end after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(8);
/// How long of it contents may still come, which can take an hour; then their uploads are refused, and recorded.
const UPLOADS_DRAIN: Duration = Duration::from_secs(3);
/// How long to wait before the next try where no connection can be accepted: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Connections that may wait in the system's queue until they are accepted; the system may allow fewer.
const QUEUE: u32 = 4_096;

/// Listens at an address. A burst of connections waits in the queue; a short one would make clients send again, after
/// a second or more.
///
/// # Errors
/// The system's: the address is in use, or is not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that has just ended leaves its address behind for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Serves the API until `stop` resolves; then stops accepting and lets the requests under way end.
pub async fn serve(listener: TcpListener, api: Arc<Api>, capacity: Arc<Capacity>, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    // Every request under way holds a sender: the channel ends when the last one is done.
    let (busy, mut idle) = mpsc::channel::<()>(1);
    let (hurry, hurried) = watch::channel(false);
    let mut stop = pin!(stop);
    let mut acceptor = Acceptor { listener, wait: Duration::ZERO };
    loop {
        let (stream, peer) = tokio::select! {
            accepted = acceptor.accept() => accepted,
            () = &mut stop => break,
        };
        let Some(room) = capacity.connection() else {
            refuse(stream, &capacity);
            continue;
        };
        let ground = Ground {
            api: Arc::clone(&api),
            capacity: Arc::clone(&capacity),
            peer: peer.ip(),
            busy: busy.clone(),
            hurry: hurried.clone(),
        };
        let served = connection::serve(stream, ground, connections.watcher());
        tokio::spawn(async move {
            served.await;
            drop(room);
        });
    }
    drop((acceptor, busy));
    let mut drained = pin!(async {
        connections.shutdown().await;
        let _ = idle.recv().await;
    });
    if timeout(UPLOADS_DRAIN, &mut drained).await.is_ok() {
        return;
    }
    hurry.send_replace(true);
    if timeout(DRAIN - UPLOADS_DRAIN, drained).await.is_err() {
        tracing::warn!("requests were still under way when the time to end them was over");
    }
}

/// Serves one connection over any stream, until it has ended and all its requests are recorded.
pub async fn serve_stream<S>(stream: S, peer: IpAddr, api: Arc<Api>, capacity: Arc<Capacity>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shutdown = GracefulShutdown::new();
    let (busy, mut idle) = mpsc::channel::<()>(1);
    let (_hurry, hurry) = watch::channel(false);
    connection::serve(stream, Ground { api, capacity, peer, busy, hurry }, shutdown.watcher()).await;
    let _ = idle.recv().await;
}

/// Accepts connections; waits, longer and longer, while the system has none to give.
struct Acceptor {
    listener: TcpListener,
    wait: Duration,
}

impl Acceptor {
    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    if !self.wait.is_zero() {
                        tracing::info!("connections are accepted again");
                        self.wait = Duration::ZERO;
                    }
                    // Small answers must not wait for more to come.
                    let _ = stream.set_nodelay(true);
                    return (stream, peer);
                }
                // It was the connection that failed: the next one may do.
                Err(error) if is_of_connection(&error) => {}
                // Out of file descriptors, most likely: connections that end will free some.
                Err(error) => {
                    if self.wait.is_zero() {
                        tracing::warn!(%error, "no connection can be accepted; trying again until one can");
                    }
                    self.wait = (self.wait * 2).clamp(BACK_OFF.0, BACK_OFF.1);
                    sleep(self.wait).await;
                }
            }
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
