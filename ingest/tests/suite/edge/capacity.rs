//! More than the server takes on: refused at once, recorded where possible, counted always, shown by `/health`.

use std::time::{Duration, Instant};

use ingest::local::server::Limits;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::failing::Mode;
use crate::rig::run;
use crate::server::{GOOD, Server, post, response, rest, start, start_with};

async fn health(server: &Server) -> Value {
    let answer = server.exchange(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<Value>(body).unwrap()["server"].clone()
}

#[test]
fn requests_over_the_limit_are_503_recorded_and_counted() {
    run(async {
        let server = start_with(Limits { requests: 2, ..Limits::default() }).await;
        server.faulty.set(Mode::AppendWaits);
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let mut stream = server.connect().await;
            stream.write_all(post(GOOD).as_bytes()).await.unwrap();
            server.faulty.waiting().await;
            waiting.push(stream);
        }
        let mut third = server.connect().await;
        for _ in 0..3 {
            third.write_all(post(GOOD).as_bytes()).await.unwrap();
            let answer = response(&mut third).await;
            assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
            assert!(
                answer.contains("urn:daybook:problem:overloaded") && answer.contains("daybook-event-id"),
                "{answer}"
            );
        }
        let log = server.events(3).await;
        assert!(log.iter().all(|event| event.error_type.as_deref() == Some("overloaded")), "{log:?}");
        assert!(log.iter().all(|event| event.event_type == "request.failed" && event.route.is_some()));
        assert_eq!(server.capacity.report()["requests_in_work"], 2);
        server.faulty.go_on();
        server.faulty.go_on();
        for mut stream in waiting {
            assert!(response(&mut stream).await.starts_with("HTTP/1.1 201 "));
        }
        third.write_all(post(GOOD).as_bytes()).await.unwrap();
        assert!(response(&mut third).await.starts_with("HTTP/1.1 201 "));
        server.events(6).await;
        assert_eq!(health(&server).await["requests_refused_for_capacity"], 3);
        server.end().await;
    });
}

#[test]
fn what_is_wrong_or_late_takes_no_place_of_a_good_one() {
    run(async {
        let limits = Limits { requests: 1, patience: Duration::from_millis(500), ..Limits::default() };
        let server = start_with(limits).await;
        // All of them are cut in the same moment, or are wrong from the beginning.
        let mut crowd = Vec::new();
        for index in 0..400 {
            let mut stream = server.connect().await;
            let beginning: &[u8] = match index % 4 {
                0 => b"GET /tasks HTTP/1.1\r\n",
                1 => b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
                2 => b"\x16\x03\x01",
                _ => b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
            };
            stream.write_all(beginning).await.unwrap();
            crowd.push(stream);
        }
        let mut good = server.connect().await;
        for _ in 0..50 {
            good.write_all(post(GOOD).as_bytes()).await.unwrap();
            assert!(response(&mut good).await.starts_with("HTTP/1.1 201 "));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = server.events(450).await;
        let count = |status| log.iter().filter(|event| event.status == status).count();
        assert_eq!([count(201), count(400), count(408), count(413)], [50, 100, 200, 100]);
        let report = server.capacity.report();
        assert_eq!((&report["requests_refused_for_capacity"], &report["requests_unrecorded"]), (&0.into(), &0.into()));
        drop(crowd);
        server.end().await;
    });
}

#[test]
fn what_cannot_be_recorded_is_counted() {
    run(async {
        let server = start().await;
        server.faulty.set(Mode::AllUnavailable);
        let answer = server.exchange(b"GET /tasks HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && !answer.contains("daybook-event-id"), "{answer}");
        let answer = server.exchange(b"GET /tasks HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "no refusal without its event: {answer}");
        server.faulty.set(Mode::Works);
        assert_eq!(health(&server).await["requests_unrecorded"], 2);
        server.events(1).await;
        server.end().await;
    });
}

#[test]
fn connections_over_the_limit_are_told_and_counted() {
    run(async {
        let server = start_with(Limits { connections: 3, ..Limits::default() }).await;
        let mut open = Vec::new();
        for _ in 0..3 {
            let mut stream = server.connect().await;
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            response(&mut stream).await;
            open.push(stream);
        }
        for sent in ["", "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let mut refused = server.connect().await;
            refused.write_all(sent.as_bytes()).await.unwrap();
            let answer = response(&mut refused).await;
            assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
            assert!(answer.contains("connection: close") && answer.contains("problem:overloaded"), "{answer}");
        }
        assert_eq!(server.capacity.report()["connections_refused"], 2);
        drop(open.pop());
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(health(&server).await["connections_refused"], 2);
        server.events(4).await;
        server.end().await;
    });
}

#[test]
fn bodies_share_their_memory() {
    run(async {
        // Room for one largest body.
        let server = start_with(Limits { body_bytes: 0, ..Limits::default() }).await;
        let large = format!(r#"{{"user_id":"u","message":"{}"}}"#, "m".repeat(4_000_000));
        let mut first = server.connect().await;
        first.write_all(&post(&large).as_bytes()[..3_000_000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut second = server.connect().await;
        // The server ends it before all was sent.
        let _ = second.write_all(post(&large).as_bytes()).await;
        let answer = rest(&mut second).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("problem:overloaded"), "{answer}");
        // Small ones need none of it.
        assert!(server.exchange(post(GOOD).as_bytes()).await.starts_with("HTTP/1.1 201 "));
        first.write_all(&post(&large).as_bytes()[3_000_000..]).await.unwrap();
        assert!(response(&mut first).await.starts_with("HTTP/1.1 201 "));
        assert!(server.exchange(post(&large).as_bytes()).await.starts_with("HTTP/1.1 201 "));
        server.events(4).await;
        assert_eq!(server.capacity.report()["requests_refused_for_capacity"], 1);
        server.end().await;
    });
}

#[test]
fn large_bodies_hold_up_nobody_else() {
    run(async {
        let server = start().await;
        let items: Vec<String> = (0..60_000).map(|n| format!(r#"{{"key{n}":"a text that is looked at"}}"#)).collect();
        let large = post(&format!(r#"{{"user_id":"u","message":"m","data":[{}]}}"#, items.join(",")));
        let begun = Instant::now();
        let large = futures::future::join_all((0..4).map(async |_| {
            let mut stream = server.connect().await;
            stream.write_all(large.as_bytes()).await.unwrap();
            assert!(response(&mut stream).await.starts_with("HTTP/1.1 201 "));
        }));
        let (mut small, mut longest, mut count) = (server.connect().await, Duration::ZERO, 0);
        let small = async {
            loop {
                let sent = Instant::now();
                small.write_all(post(GOOD).as_bytes()).await.unwrap();
                assert!(response(&mut small).await.starts_with("HTTP/1.1 201 "));
                (longest, count) = (longest.max(sent.elapsed()), count + 1);
            }
        };
        tokio::select! {
            _ = large => {}
            () = small => {}
        }
        let all = begun.elapsed();
        eprintln!("{count} small requests beside four large ones, which took {all:?}; the slowest {longest:?}");
        assert!(longest < all / 2, "{longest:?} of {all:?}");
        server.end().await;
    });
}
