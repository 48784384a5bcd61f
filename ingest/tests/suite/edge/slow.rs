//! Clients that stall, trickle, vanish or do not read: cut in time, recorded, and no harm to the others.

use std::time::{Duration, Instant};

use ingest::local::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::rig::run;
use crate::server::{GOOD, Server, post, response, rest, start_with};

const PATIENCE: Duration = Duration::from_millis(400);
/// Patience and what a busy machine adds.
const SOON: Duration = Duration::from_secs(4);

async fn impatient() -> Server {
    start_with(Limits { patience: PATIENCE, ..Limits::default() }).await
}

fn cut(server: &Server) -> u64 {
    server.capacity.report()["connections_cut_by_timeout"].as_u64().unwrap()
}

/// Waits for the end of a connection; what came until then.
async fn ended(stream: &mut TcpStream) -> String {
    let begun = Instant::now();
    let text = rest(stream).await;
    assert!(begun.elapsed() < SOON, "{:?}: {text}", begun.elapsed());
    text
}

#[test]
fn a_head_that_stalls_or_trickles_is_408() {
    run(async {
        let server = impatient().await;
        let mut stalled = server.connect().await;
        stalled.write_all(b"GET /tasks HTTP/1.1\r\nHost:").await.unwrap();
        let answer = ended(&mut stalled).await;
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.contains("urn:daybook:problem:request-timeout"),
            "{answer}"
        );

        let (mut reading, mut writing) = server.connect().await.into_split();
        let trickle = tokio::spawn(async move {
            writing.write_all(b"GET /tasks HTTP/1.1\r\nHost: x\r\n").await.unwrap();
            while writing.write_all(b"a: b\r\n").await.is_ok() {
                tokio::time::sleep(PATIENCE / 8).await;
            }
        });
        let mut answer = String::new();
        let read = tokio::time::timeout(SOON, reading.read_to_string(&mut answer)).await;
        assert!(read.is_ok() && answer.starts_with("HTTP/1.1 408 "), "{read:?} {answer}");
        trickle.abort();
        let log = server.events(2).await;
        assert!(log.iter().all(|event| event.status == 408 && event.path == "/tasks"), "{log:?}");
        assert_eq!(cut(&server), 2);
        server.end().await;
    });
}

#[test]
fn a_body_that_stalls_or_trickles_is_408() {
    run(async {
        let server = impatient().await;
        let mut stalled = server.connect().await;
        stalled.write_all(&post(GOOD).as_bytes()[..100]).await.unwrap();
        assert!(ended(&mut stalled).await.starts_with("HTTP/1.1 408 "));

        for head in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
            let (mut reading, mut writing) = server.connect().await.into_split();
            let head = format!("POST /data HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n");
            let trickle = tokio::spawn(async move {
                writing.write_all(head.as_bytes()).await.unwrap();
                while writing.write_all(b"1\r\na\r\n").await.is_ok() {
                    tokio::time::sleep(PATIENCE / 8).await;
                }
            });
            let mut answer = String::new();
            let read = tokio::time::timeout(SOON, reading.read_to_string(&mut answer)).await;
            assert!(read.is_ok() && answer.starts_with("HTTP/1.1 408 "), "{read:?} {answer}");
            trickle.abort();
        }
        let log = server.events(3).await;
        assert!(log.iter().all(|event| event.status == 408 && event.request_body_encoding == "omitted"));
        assert!(log.iter().all(|event| event.request_bytes > 0), "what came is counted");
        assert_eq!(cut(&server), 3);
        server.end().await;
    });
}

#[test]
fn a_body_that_comes_steadily_may_take_longer_than_anybody_waits() {
    run(async {
        let server = impatient().await;
        let message = "m".repeat(200_000);
        let request = post(&format!(r#"{{"user_id":"u","message":"{message}"}}"#));
        let mut stream = server.connect().await;
        for piece in request.as_bytes().chunks(request.len() / 12) {
            stream.write_all(piece).await.unwrap();
            tokio::time::sleep(PATIENCE / 4).await;
        }
        assert!(response(&mut stream).await.starts_with("HTTP/1.1 201 "));
        server.end().await;
    });
}

#[test]
fn an_idle_connection_is_closed_without_a_word_or_an_event() {
    run(async {
        let server = impatient().await;
        let mut fresh = server.connect().await;
        let mut used = server.connect().await;
        used.write_all(b"GET /tasks HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        response(&mut used).await;
        assert_eq!(ended(&mut fresh).await, "");
        assert_eq!(ended(&mut used).await, "");
        server.events(1).await;
        assert_eq!(cut(&server), 0);
        server.end().await;
    });
}

#[test]
fn a_client_that_does_not_read_is_cut_and_its_requests_are_recorded() {
    run(async {
        let server = impatient().await;
        let large = format!(r#"{{"user_id":"u","message":"{}"}}"#, "m".repeat(4_000_000));
        let mut stream = server.connect().await;
        stream.write_all(post(&large).as_bytes()).await.unwrap();
        let made = response(&mut stream).await;
        let id = made.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned();

        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut deaf = socket.connect(server.address).await.unwrap();
        let get = format!("GET {id} HTTP/1.1\r\nHost: x\r\n\r\n");
        deaf.write_all(get.repeat(8).as_bytes()).await.unwrap();
        let begun = Instant::now();
        while cut(&server) == 0 {
            assert!(begun.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Others are served all the while, and those that were answered are in the log.
        let log = server.rig.backend.log().await;
        assert!(log.len() >= 2, "{}", log.len());
        assert!(log[1..].iter().all(|event| event.status == 200));
        drop(deaf);
        server.end().await;
    });
}

#[test]
fn a_half_closed_client_gets_its_answers() {
    run(async {
        let server = impatient().await;
        let get = "GET /tasks HTTP/1.1\r\nHost: x\r\n\r\n";
        let answer = server.exchange(format!("{}{}{get}", post(GOOD), get.repeat(50)).as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 51, "{answer}");
        server.events(52).await;
        server.end().await;
    });
}

#[test]
fn clients_that_reset_at_any_byte_leave_one_event_or_none() {
    run(async {
        let server = impatient().await;
        let request = post(GOOD);
        for sent in 0..=request.len() {
            let mut stream = server.connect().await;
            stream.write_all(&request.as_bytes()[..sent]).await.unwrap();
            // A reset may overtake what was sent before it; these may not.
            tokio::time::sleep(Duration::from_millis(2)).await;
            stream.set_zero_linger().unwrap();
            drop(stream);
        }
        let whole = request.len();
        let log = server.events(whole).await;
        assert_eq!(log.iter().filter(|event| event.status == 201).count(), 1);
        assert!(log.iter().all(|event| matches!(event.status, 201 | 400)));
        assert_eq!(server.capacity.report()["connections"], 0);
        server.end().await;
    });
}

#[test]
fn hundreds_of_slow_clients_do_not_hold_up_one_that_is_quick() {
    run(async {
        let server = start_with(Limits { patience: Duration::from_secs(5), ..Limits::default() }).await;
        let mut slow = Vec::new();
        for index in 0..400 {
            let mut stream = server.connect().await;
            let beginning: &[u8] = match index % 4 {
                0 => b"",
                1 => b"GET /tasks HTTP/1.1\r\n",
                2 => &post(GOOD).into_bytes()[..100],
                _ => b"POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
            };
            stream.write_all(beginning).await.unwrap();
            slow.push(stream);
        }
        let mut quick = server.connect().await;
        for _ in 0..50 {
            let begun = Instant::now();
            quick.write_all(post(GOOD).as_bytes()).await.unwrap();
            assert!(response(&mut quick).await.starts_with("HTTP/1.1 201 "));
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        }
        drop(slow);
        server.events(350).await;
        server.end().await;
    });
}

#[test]
fn a_client_that_waits_for_leave_to_go_on_gets_it() {
    run(async {
        let server = impatient().await;
        let request = post(GOOD).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
        let (head, body) = request.split_at(request.len() - GOOD.len());
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut leave = [0; 25];
        stream.read_exact(&mut leave).await.unwrap();
        assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(body.as_bytes()).await.unwrap();
        assert!(response(&mut stream).await.starts_with("HTTP/1.1 201 "));
        server.events(1).await;
        server.end().await;
    });
}

#[test]
fn who_asks_for_another_protocol_is_answered_in_this_one() {
    run(async {
        let server = impatient().await;
        let mut stream = server.connect().await;
        let asks = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
        for _ in 0..2 {
            stream.write_all(post(GOOD).replacen("\r\n\r\n", &format!("\r\n{asks}"), 1).as_bytes()).await.unwrap();
            assert!(response(&mut stream).await.starts_with("HTTP/1.1 201 "));
        }
        server.events(2).await;
        server.end().await;
    });
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    run(async {
        let server = impatient().await;
        let mut stream = server.connect().await;
        let head = "POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // Until the server ends it: what is sent is read and thrown away, so that no reset takes the answer.
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..64 {
            if stream.write_all(&piece).await.is_err() {
                break;
            }
        }
        assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413 "));
        server.events(1).await;
        server.end().await;
    });
}
