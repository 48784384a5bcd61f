//! One request over a connection of its own.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why there is no answer.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request to `address`, `host:port`, and reads the whole answer. What happens to one request has no effect on the
/// next.
///
/// # Errors
/// Nobody listens there, or the connection ends before the answer does.
pub async fn exchange(address: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    driver.abort();
    Ok(Response::from_parts(head, body))
}
