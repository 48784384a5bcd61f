//! The server's edge on the program itself: memory under large bodies, few file descriptors, more than it takes on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Http, Lost, Place, Request, Server, daybook, eventually, raw_events};

const LIMIT: Duration = Duration::from_secs(20);

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// All that comes until the end.
fn rest(mut stream: &TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The highest resident memory while `work` runs, above what it was before, KiB.
fn growth(server: &Server, work: impl FnOnce() + Send) -> u64 {
    let before = server.resident_kib().unwrap_or(0);
    let highest = thread::scope(|scope| {
        let working = scope.spawn(work);
        let mut highest = before;
        while !working.is_finished() {
            highest = highest.max(server.resident_kib().unwrap_or(0));
            thread::sleep(Duration::from_millis(2));
        }
        working.join().unwrap();
        highest
    });
    highest - before
}

/// Sends up to a GiB in chunks, as fast as it is taken; how much went and what came back.
fn endless(server: &Server) -> (u64, String) {
    let mut stream = connect(server);
    stream.write_all(b"POST /data HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let reading = stream.try_clone().unwrap();
    let answer = thread::spawn(move || rest(&reading));
    let mut sent = 0;
    while sent < 1 << 30 && stream.write_all(&chunk).is_ok() {
        sent += 0x10000;
    }
    let _ = stream.write_all(b"0\r\n\r\n");
    (sent, answer.join().unwrap())
}

#[test]
fn a_gigabyte_in_chunks_is_413_and_memory_stays_flat() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    // What the first requests allocate for good is no growth.
    for _ in 0..20 {
        server.client().post("/data", r#"{"user_id":"u","message":"m"}"#).expect(201);
    }
    let grown = growth(&server, || {
        let clients: Vec<_> = (0..4).map(|_| endless(&server)).collect();
        for (sent, answer) in clients {
            assert!(answer.starts_with("HTTP/1.1 413 "), "after {sent} bytes: {answer}");
        }
    });
    eprintln!("4 bodies of up to 1 GiB: resident memory grew by {grown} KiB");
    assert!(grown < 48 << 10, "{grown} KiB");
    server.terminate();
    let events = raw_events(&place.data());
    assert_eq!(events.iter().filter(|event| event.status == 413).count(), 4);
    assert_eq!(events.len(), 24);
}

#[test]
fn bombs_of_every_kind_have_their_status_and_one_event() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let submission = |bytes: usize| {
        let empty = r#"{"user_id":"u","message":""}"#.len();
        format!(r#"{{"user_id":"u","message":"{}"}}"#, "m".repeat(bytes - empty)).into_bytes()
    };
    // A GiB of zeros, if anybody inflated it.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..1_024 {
        gzip.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    let deep = |open: &str, close: &str| {
        format!(r#"{{"user_id":"u","message":"m","x":{}1{}}}"#, open.repeat(100_000), close.repeat(100_000))
    };
    let cases = [
        (400, Request::new("POST", "/data").json("")),
        (201, Request::new("POST", "/data").json(submission(4 << 20))),
        (413, Request::new("POST", "/data").json(submission((4 << 20) + 1))),
        (415, Request::new("POST", "/data").json(bomb).header("content-encoding", "gzip")),
        (400, Request::new("POST", "/data").json(deep("[", "]"))),
        (400, Request::new("POST", "/data").json(deep(r#"{"a":"#, "}"))),
        (400, Request::new("POST", "/data").json("[".repeat(4 << 20))),
    ];
    let statuses: Vec<u16> = cases.iter().map(|(status, _)| *status).collect();
    let grown = growth(&server, || {
        for (status, request) in cases {
            match Http::to(server.address()).send(&request) {
                Ok(reply) => _ = reply.expect(status),
                // What is over the limit is not read: the client may not get to the answer.
                Err(lost) => assert_eq!((lost, status), (Lost::Unknown, 413)),
            }
        }
    });
    eprintln!("bodies of every kind: resident memory grew by {grown} KiB");
    assert!(grown < 96 << 10, "{grown} KiB");
    server.terminate();
    let recorded: Vec<u16> = raw_events(&place.data()).iter().map(|event| event.status).collect();
    assert_eq!(recorded, statuses);
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    let place = Place::new();
    // Far more connections allowed than the process may have files.
    let server = Server::start_limited(&place.data(), 64, &["--max-connections", "1000", "--relay-every", "1h"]);
    let mut before = server.client();
    before.get("/health").expect(200);
    // The compactor has its files by now: what it does without them is not in question here.
    thread::sleep(Duration::from_millis(500));
    let crowd: Vec<TcpStream> = (0..200).map(|_| connect(&server)).collect();
    // Those that are in are served; the others wait in the system's queue.
    let begun = Instant::now();
    before.post("/data", r#"{"user_id":"u","message":"amid the crowd"}"#).expect(201);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    eventually(LIMIT, "a warning", || server.log().contains("no connection can be accepted").then_some(()));
    drop(crowd);
    let after = eventually(LIMIT, "an answer after the crowd", || {
        Http::to(server.address()).send(&Request::new("GET", "/health")).ok()
    });
    after.expect(200);
    assert!(server.log().lines().count() < 50, "the log is not flooded: {}", server.log());
    server.terminate();
    daybook(&place.data(), &["verify"]).done();
    assert_eq!(raw_events(&place.data()).iter().filter(|event| event.status == 201).count(), 1);
}

#[test]
fn few_file_descriptors_mean_few_connections() {
    let place = Place::new();
    let server = Server::start_limited(&place.data(), 128, &[]);
    let mut inside = server.client();
    inside.get("/health").expect(200);
    let crowd: Vec<TcpStream> = (0..100).map(|_| connect(&server)).collect();
    let told = eventually(LIMIT, "one that is refused", || {
        let report = inside.get("/health").expect(200).json()["server"].clone();
        (report["connections_refused"].as_u64() > Some(30)).then_some(report)
    });
    assert!(told["connections"].as_u64() <= Some(64), "{told}");
    let last = crowd.last().unwrap();
    last.shutdown(Shutdown::Write).unwrap();
    assert!(["", "HTTP/1.1 503 "].iter().any(|answer| rest(last).starts_with(answer)));
    assert!(!server.log().contains("no connection can be accepted"), "{}", server.log());
    drop(crowd);
    server.terminate();
    daybook(&place.data(), &["verify"]).done();
}

#[test]
fn an_acknowledged_request_is_in_the_log_however_many_are_refused() {
    let place = Place::new();
    let server = Server::start(&place.data(), &["--max-requests", "2"]);
    let address = server.address();
    let client = move |id: usize| {
        let (mut http, mut made, mut refused) = (Http::to(address), Vec::new(), 0_usize);
        for number in 0..60 {
            let body = format!(r#"{{"user_id":"u{id}","message":"m{number}"}}"#);
            let reply = http.send(&Request::new("POST", "/data").json(body)).unwrap();
            match reply.status {
                201 => made.push(reply.event_id()),
                503 => {
                    assert_eq!(reply.header("retry-after"), Some("1"));
                    refused += 1;
                }
                status => panic!("{status}: {}", reply.text()),
            }
        }
        (made, refused)
    };
    let clients: Vec<_> = (0..32).map(|id| thread::spawn(move || client(id))).collect();
    let (mut made, mut refused) = (Vec::new(), 0);
    for client in clients {
        let (ids, turned_away) = client.join().unwrap();
        made.extend(ids);
        refused += turned_away;
    }
    let report = server.client().get("/health").expect(200).json()["server"].clone();
    eprintln!("{} made, {refused} refused: {report}", made.len());
    assert!(refused > 0 && !made.is_empty());
    assert_eq!(report["requests_refused_for_capacity"], refused);
    server.terminate();
    let events = raw_events(&place.data());
    let ids: std::collections::HashSet<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    assert!(made.iter().all(|id| ids.contains(id.as_str())));
    let unrecorded = usize::try_from(report["requests_unrecorded"].as_u64().unwrap()).unwrap();
    assert_eq!(events.iter().filter(|event| event.status == 503).count() + unrecorded, refused);
}
