//! A client that has a URL and nothing else: no credentials, no SDK.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request; gives the status, the head and the body.
///
/// # Panics
/// Nobody answers.
pub async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, Vec<u8>) {
    let (host, target) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{method} /{target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n");
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), bytes[end + 4..].to_vec())
}

/// Uploads a content as an announcement's answer says.
///
/// # Panics
/// The answer says nothing of it, or nobody answers.
pub async fn upload(announced: &Value, content: &[u8]) -> u16 {
    let headers = announced["uploadHeaders"].as_object().unwrap();
    let mut headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let length = content.len().to_string();
    headers.retain(|(name, _)| *name != "Content-Length");
    headers.push(("Content-Length", &length));
    send("PUT", announced["uploadUrl"].as_str().unwrap(), &headers, content).await.0
}
