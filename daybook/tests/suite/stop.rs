//! Ends and starts: SIGTERM under load, a quick second start, memory of a server that has nothing to do.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::support::{Http, Lost, Place, Request, Server, daybook, raw_events, table_rows};

/// Starts clients that submit until the server does not answer any more; each gives the event ids it was told.
fn load(address: SocketAddr, clients: usize) -> Vec<JoinHandle<Vec<String>>> {
    let client = move |id: usize| {
        let (mut http, mut acknowledged) = (Http::to(address), Vec::new());
        loop {
            let body = format!(r#"{{"user_id":"u{id}","message":"m{}"}}"#, acknowledged.len());
            match http.send(&Request::new("POST", "/data").json(body)) {
                Ok(reply) => acknowledged.push(reply.expect(201).event_id()),
                Err(Lost::NotSent) => return acknowledged,
                // A connection that was kept open may be closed between two requests.
                Err(Lost::Unknown) => {}
            }
        }
    };
    (0..clients).map(|id| thread::spawn(move || client(id))).collect()
}

#[test]
fn sigterm_under_load_loses_nothing_and_ends_with_success() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let clients = load(server.address(), 16);
    sleep(Duration::from_secs(2));
    let took = server.terminate();
    let acknowledged: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    eprintln!("SIGTERM with 16 clients: {} acknowledged, ended in {took:?}", acknowledged.len());
    assert!(acknowledged.len() > 16);

    // What was acknowledged stands in raw objects already: nothing waits for the next start.
    let mut raw: HashMap<String, u32> = HashMap::new();
    raw_events(&place.data()).into_iter().for_each(|event| *raw.entry(event.event_id).or_default() += 1);
    for id in &acknowledged {
        assert_eq!(raw.get(id), Some(&1), "event {id}");
    }
    daybook(&place.data(), &["compact"]).done();
    assert_eq!(table_rows(&place.data()).len(), raw.len());
    daybook(&place.data(), &["verify"]).done();
}

#[test]
fn a_signal_right_after_the_start_is_obeyed_as_well() {
    let place = Place::new();
    for _ in 0..8 {
        Server::start(&place.data(), &[]).terminate();
    }
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let mut idle = server.client();
    idle.get("/health").expect(200);
    let _half = TcpStream::connect(server.address()).unwrap();
    assert!(server.terminate() < Duration::from_secs(10));
}

#[test]
fn a_client_that_stalls_does_not_hold_up_the_end() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let mut stalled = TcpStream::connect(server.address()).unwrap();
    stalled.write_all(b"POST /data HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").unwrap();
    let mut reading = server.client();
    reading.get("/health").expect(200);
    let took = server.terminate();
    eprintln!("ended in {took:?} beside a client that had sent half a request");
    daybook(&place.data(), &["verify"]).done();
}

#[test]
fn a_second_start_is_quick_and_idle_memory_small() {
    let place = Place::new();
    let first = Server::start(&place.data(), &[]);
    let mut client = first.client();
    for number in 0..300 {
        client.post("/tasks", &format!(r#"{{"task":"{number}"}}"#)).expect(201);
    }
    let first_ready = first.ready_in();
    first.kill();
    let second = Server::start(&place.data(), &[]);
    sleep(Duration::from_millis(500));
    let resident = second.resident_kib();
    eprintln!("ready in {first_ready:?}, after a kill in {:?}; idle VmRSS {resident:?} KiB", second.ready_in());
    assert!(second.ready_in() < Duration::from_secs(5), "{:?}", second.ready_in());
    assert!(resident.is_none_or(|kib| kib < 200 << 10), "{resident:?} KiB");
    assert_eq!(second.client().get("/tasks?limit=100").expect(200).json()["count"], 100);
}

#[test]
fn a_data_folder_has_one_server() {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    daybook(&place.data(), &["serve", "--listen", "127.0.0.1:0"]).refuses("is in use by another daybook process");
    server.client().get("/health").expect(200);
    server.kill();
    // A killed server leaves no lock behind.
    Server::start(&place.data(), &[]).terminate();
}

#[test]
fn a_start_waits_for_a_command_that_has_the_store_for_a_moment() {
    let place = Place::new();
    Server::start(&place.data(), &[]).terminate();
    let lock = File::open(place.data().join("store.lock")).unwrap();
    lock.lock().unwrap();
    let holder = thread::spawn(move || {
        sleep(Duration::from_millis(500));
        let released = Instant::now();
        drop(lock);
        released
    });
    let server = Server::start(&place.data(), &[]);
    let ready = Instant::now();
    assert!(holder.join().unwrap() < ready);
    server.terminate();
}

#[test]
fn an_end_that_cannot_relay_says_so_and_loses_nothing() {
    let place = Place::new();
    let server = Server::start(&place.data(), &["--relay-every", "1h"]);
    // The relay runs once at the start; nothing is there for it yet.
    let mut client = server.client();
    client.get("/health").expect(200);
    let raw = place.data().join("raw");
    let aside = place.beside("raw");
    if raw.exists() {
        std::fs::rename(&raw, &aside).unwrap();
    }
    std::fs::write(&raw, "in the way").unwrap();
    let id = client.post("/data", r#"{"user_id":"ann","message":"kept"}"#).expect(201).event_id();
    let said = server.fails();
    assert!(said.contains("the store has them for the next start"), "{said}");

    std::fs::remove_file(&raw).unwrap();
    if aside.exists() {
        std::fs::rename(&aside, &raw).unwrap();
    }
    Server::start(&place.data(), &[]).terminate();
    assert_eq!(raw_events(&place.data()).iter().filter(|event| event.event_id == id).count(), 1);
    daybook(&place.data(), &["verify"]).done();
}
