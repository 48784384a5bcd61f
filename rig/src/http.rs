//! HTTP as the stand-ins speak it: connections that are answered, and one request over a connection of its own.

use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{client, server};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Why there is no answer.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Answers whatever comes, each connection in a task of its own; never returns.
pub async fn serve<A, F, B, E>(listener: TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Error>> + Send + 'static,
    E: Into<Error> + 'static,
{
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to a stand-in was lost");
                continue;
            }
        };
        let service = service_fn(answer.clone());
        tokio::spawn(async move {
            // Without it an answer may wait for an acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            // A connection that ends badly is no matter of the stand-in's, and what the proxy is for.
            let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Sends a request to `address`, `host:port`, and reads the whole answer. What happens to one request has no effect on the
/// next.
///
/// # Errors
/// Nobody listens there, or the connection ends before the answer does.
pub async fn exchange(address: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    driver.abort();
    Ok(Response::from_parts(head, body))
}
