//! Keys from a URL: one GET, bounded in time and size; redirections are not followed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::FetchJwks;
use crate::error::{Error, ErrorKind};

/// How long a fetch may take.
const LONGEST: Duration = Duration::from_secs(5);
/// Largest JWKS, bytes.
const LARGEST: usize = 256 << 10;

/// Fetches from this URL: https, or http on this very machine.
///
/// # Errors
/// It is neither.
pub fn from_url(url: &str) -> std::result::Result<FetchJwks, String> {
    let wrong = || format!("{url:?} is no place for keys; write an https URL or the name of a file");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if uri.scheme_str() != Some("https") && !(uri.scheme_str() == Some("http") && local) {
        return Err(wrong());
    }
    Ok(Arc::new(move || {
        let uri = uri.clone();
        Box::pin(async move {
            let failed = |why: String| Error::new(ErrorKind::Unavailable, format!("fetching {uri}: {why}"));
            let fetched = tokio::time::timeout(LONGEST, get(uri.clone())).await;
            fetched.map_err(|_| failed(format!("not within {LONGEST:?}")))?.map_err(failed)
        })
    }))
}

/// One GET on a connection of its own: it is made every ten minutes.
async fn get(uri: Uri) -> std::result::Result<String, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| text(&error))?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(uri).header("accept", "application/json").body(Empty::new());
    let answer = client.request(request.map_err(|error| text(&error))?).await.map_err(|error| text(&error))?;
    if !answer.status().is_success() {
        return Err(format!("the answer is {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|error| text(&error))?;
    String::from_utf8(body.to_bytes().to_vec()).map_err(|_| "the answer is no text".to_owned())
}
