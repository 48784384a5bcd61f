//! The real server over a TCP socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ingest::Settings;
use ingest::local::server::{Capacity, Limits, listen, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::failing::{Faulty, Mode};
use crate::rig::{Backend, Rig, run};

pub struct Server {
    pub address: SocketAddr,
    pub rig: Rig,
    pub faulty: Arc<Faulty>,
    pub capacity: Arc<Capacity>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

pub async fn start() -> Server {
    start_with(Limits::default()).await
}

pub async fn start_with(limits: Limits) -> Server {
    let backend = Backend::sqlite();
    let faulty = Faulty::before(&backend);
    let capacity = Arc::new(Capacity::new(limits));
    let counted = Arc::clone(&capacity);
    let mut rig = Rig::on(backend, faulty.clone(), faulty.clone(), Settings::default());
    let api = Arc::into_inner(rig.api).unwrap().with_health(Box::new(move || counted.report()));
    rig.api = Arc::new(api);
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, Arc::clone(&rig.api), Arc::clone(&capacity), async move {
        stopped.await.unwrap_or_default();
    }));
    Server { address, rig, faulty, capacity, stop, served }
}

impl Server {
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, ends the sending side, and gives all that comes back.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        rest(&mut stream).await
    }

    /// Waits until the log has so many events.
    pub async fn events(&self, count: usize) -> Vec<event::Event> {
        for _ in 0..500 {
            let log = self.rig.backend.log().await;
            if log.len() >= count {
                assert_eq!(log.len(), count);
                return log;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {count} events: {:?}", self.rig.backend.log().await);
    }

    pub async fn end(self) {
        self.rig.verify().await;
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(9), self.served).await.unwrap().unwrap();
    }
}

pub async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is no concern of the test.
    let _ = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one response with a `Content-Length`.
pub async fn response(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4_096];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "the connection ended after {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() == length.unwrap_or(0_usize) {
            return text;
        }
    }
}

pub fn post(body: &str) -> String {
    format!(
        "POST /data HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub const GOOD: &str = r#"{"user_id":"u","message":"m"}"#;

#[test]
fn one_connection_many_requests() {
    run(async {
        let server = start().await;
        let mut stream = server.connect().await;
        for _ in 0..3 {
            stream.write_all(post(GOOD).as_bytes()).await.unwrap();
            let text = response(&mut stream).await;
            assert!(text.starts_with("HTTP/1.1 201 ") && text.contains("daybook-event-id: "), "{text}");
        }
        stream
            .write_all(
                b"HEAD /tasks HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            )
            .await
            .unwrap();
        let text = rest(&mut stream).await;
        assert!(
            text.starts_with("HTTP/1.1 200 ") && text.contains("\r\n\r\nHTTP/1.1 404 "),
            "HEAD has no body: {text}"
        );
        let log = server.events(5).await;
        assert_eq!((log[0].client_ip.as_deref(), log[0].protocol.as_deref()), (Some("127.0.0.1"), Some("HTTP/1.1")));
        assert_eq!(log[0].host.as_deref(), Some("x"));
        server.end().await;
    });
}

#[test]
fn bodies_of_every_manner() {
    run(async {
        let server = start().await;
        let chunked =
            |body: &str| format!("POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let (a, b) = GOOD.split_at(9);
        let whole = chunked(&format!("{:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n", a.len(), b.len()));
        let huge = chunked(&format!("500000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x50_0000)));
        for (status, request) in [
            ("201", whole),
            ("400", chunked("5\r\nab")),
            ("400", chunked("zz\r\nab")),
            ("400", post(GOOD).replace("Length: ", "Length: 9")),
            ("413", "POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 4194305\r\n\r\n".to_owned()),
            (
                "413",
                "POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\nExpect: 100-continue\r\n\r\n"
                    .to_owned(),
            ),
            ("413", huge[..0x45_0000].to_owned()),
        ]
        .iter()
        .map(|(status, request)| (*status, request.as_bytes()))
        {
            let text = server.exchange(request).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {text}");
            assert!(text.contains("daybook-event-id: "), "{text}");
        }
        let log = server.events(7).await;
        assert_eq!(log.iter().map(|event| event.status).collect::<Vec<_>>(), [201, 400, 400, 400, 413, 413, 413]);
        server.end().await;
    });
}

#[test]
fn a_client_that_goes_away_is_recorded() {
    run(async {
        let server = start().await;
        // Half a body, then nothing more, not even an end.
        let mut stream = server.connect().await;
        stream.write_all(&post(GOOD).as_bytes()[..100]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.set_zero_linger().unwrap();
        drop(stream);
        assert_eq!(server.events(1).await[0].status, 400);
        // A whole request whose client is gone before the answer.
        server.faulty.set(Mode::AppendWaits);
        let mut stream = server.connect().await;
        stream.write_all(post(GOOD).as_bytes()).await.unwrap();
        server.faulty.waiting().await;
        stream.set_zero_linger().unwrap();
        drop(stream);
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.faulty.go_on();
        assert_eq!(server.events(2).await[1].status, 201);
        server.end().await;
    });
}

#[test]
fn odd_heads_and_large_ones() {
    run(async {
        let server = start().await;
        let text = server.exchange(b"GET /tasks/%ff%00?a=%zz HTTP/1.1\r\nHost: \xff\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 404 "), "{text}");
        let many = |count: usize| format!("GET /tasks HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert!(server.exchange(many(99).as_bytes()).await.starts_with("HTTP/1.1 200 "));
        assert!(server.exchange(many(100).as_bytes()).await.starts_with("HTTP/1.1 431 "));
        for length in [20_000, 1_000_000] {
            let large = format!("GET /tasks HTTP/1.1\r\nHost: x\r\nx: {}\r\n\r\n", "a".repeat(length));
            assert!(server.exchange(large.as_bytes()).await.starts_with("HTTP/1.1 431 "));
            let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(length));
            assert!(server.exchange(long.as_bytes()).await.starts_with("HTTP/1.1 414 "));
        }
        let log = server.events(7).await;
        assert!(log.iter().all(|event| event.path.len() <= 2_048));
        server.end().await;
    });
}

#[test]
fn a_stop_lets_requests_under_way_end() {
    run(async {
        let server = start().await;
        server.faulty.set(Mode::AppendWaits);
        let mut busy = server.connect().await;
        busy.write_all(post(GOOD).as_bytes()).await.unwrap();
        let mut idle = server.connect().await;
        server.faulty.waiting().await;
        server.stop.send(()).unwrap();
        assert_eq!(rest(&mut idle).await, "");
        assert!(TcpStream::connect(server.address).await.is_err(), "nobody is let in any more");
        assert!(!server.served.is_finished());
        server.faulty.go_on();
        assert!(rest(&mut busy).await.starts_with("HTTP/1.1 201 "));
        tokio::time::timeout(Duration::from_secs(9), server.served).await.unwrap().unwrap();
        assert_eq!(server.rig.backend.log().await.len(), 1);
    });
}
