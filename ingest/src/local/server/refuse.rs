//! Tells a client for whose connection there is no room that there is none. Nothing was read: there is no event.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::capacity::Capacity;
use crate::http::Problem;

/// How long such a connection may take to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers 503 and closes, unless so many are being answered already that this one is closed at once.
pub(super) fn refuse(mut stream: TcpStream, capacity: &Capacity) {
    let Some(room) = capacity.farewell() else { return };
    tokio::spawn(async move {
        let answered = async {
            stream.write_all(answer().as_bytes()).await?;
            stream.shutdown().await?;
            // What was sent already must be read, or the close is a reset that takes the answer away.
            let mut unread = [0; 1_024];
            while stream.read(&mut unread).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // It was told, or it is gone.
        let _ = timeout(FAREWELL, answered).await;
        drop(room);
    });
}

fn answer() -> String {
    let problem = Problem::overloaded("The server has as many connections open as it takes.");
    let answer = problem.to_answer("", "");
    let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "HTTP/1.1 {} Service Unavailable\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{}",
        answer.status,
        answer.body.len(),
        String::from_utf8_lossy(&answer.body),
    )
}
