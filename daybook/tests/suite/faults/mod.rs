//! Disks that fail: every system call of the write path, at any of its calls, against the ledger of clients.
//!
//! Whatever fails, an answer below 500 is in the log in the end, once (I1, I2, I3, I4, I6); a failed sync of the store
//! ends the server; anything else is answered with 503 and passes. `DAYBOOK_TEST_CYCLES` sets how many faults are
//! injected (24), `DAYBOOK_TEST_SEED` repeats a run's choices.

mod full;
mod strace;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::strace::{Injection, Strace};
use crate::crash::client::Clients;
use crate::crash::{audit, ledger};
use crate::support::{Place, Random, Request, Server, daybook, eventually, own_loopback};

/// A server that relays and compacts so often that faults meet all of it.
const SERVER: &[&str] = &["--relay-every", "40ms", "--compact-every", "200ms"];
/// What a server that has to end may take for it.
const END: Duration = Duration::from_secs(10);
/// What a server that goes on may take until it answers as ever.
const RECOVERY: Duration = Duration::from_secs(10);

/// The exit status of a start that failed: the program's own, or that of a loader that could not open its libraries.
const REFUSED: [i32; 2] = [1, 127];

/// What a fault must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// The server ends with status 1 and says why.
    End,
    /// The server serves on.
    Serve,
    /// Either: the call may have been about a file that matters, or not.
    Either,
}

/// The database's files, by name.
const WAL: Option<&str> = Some("store.db-wal");
const DATABASE: Option<&str> = Some("store.db");

/// Call, error, file, what must happen.
const FAULTS: &[(&str, &str, Option<&str>, Must)] = &[
    // SQLite is built to sync with it, see `.cargo/config.toml`.
    ("fdatasync", "EIO", WAL, Must::End),
    ("fdatasync", "ENOSPC", WAL, Must::End),
    ("fdatasync,fsync", "EIO", None, Must::Either),
    ("pwrite64", "EIO", WAL, Must::Serve),
    ("pwrite64", "ENOSPC", WAL, Must::Serve),
    ("pwrite64", "EIO", DATABASE, Must::Serve),
    ("pwrite64", "ENOSPC", None, Must::Serve),
    ("pwrite64", "EIO", None, Must::Serve),
    ("pread64", "EIO", None, Must::Serve),
    ("openat", "EIO", None, Must::Serve),
    ("openat", "ENOSPC", None, Must::Serve),
    ("openat", "EMFILE", None, Must::Serve),
    ("?rename,?renameat,?renameat2", "EIO", None, Must::Serve),
    ("?rename,?renameat,?renameat2", "ENOSPC", None, Must::Serve),
    ("ftruncate", "EIO", None, Must::Serve),
    ("?mkdir,?mkdirat", "ENOSPC", None, Must::Serve),
    ("?unlink,?unlinkat", "EIO", None, Must::Serve),
    ("?link,?linkat", "EIO", None, Must::Serve),
];

#[test]
fn no_failing_call_loses_what_was_acknowledged() {
    if !strace::is_there("faults of single system calls") {
        return;
    }
    let rounds = std::env::var("DAYBOOK_TEST_CYCLES").map_or(24, |rounds| rounds.parse().expect("a number"));
    let mut random = Random::of_test("faults");
    let (place, begun) = (Place::new(), Instant::now());
    let data = place.data();
    let mut server = Server::start_at(&data, &format!("{}:0", own_loopback()), SERVER);
    let address = server.address();
    let clients = Clients::start(&place, address, &mut random);
    let mut ends = 0;
    for round in 0..rounds {
        let fault = FAULTS[round % FAULTS.len()];
        sleep(Duration::from_millis(random.between(20, 120)));
        if inject(&mut server, &data, fault, &mut random) {
            ends += 1;
            drop(server);
            server = Server::start_at(&data, &address.to_string(), SERVER);
        }
        if round % 6 == 5 {
            server.kill();
            start_under_a_fault(&data, address, &mut random);
            server = Server::start_at(&data, &address.to_string(), SERVER);
        }
    }
    clients.finish();
    server.terminate();
    daybook(&data, &["compact"]).done();
    let sums = audit::check(&ledger::read_all(&place), &data);
    daybook(&data, &["verify"]).done();
    eprintln!("{rounds} faults in {:?}, {ends} ended the server: {sums:?}", begun.elapsed());
    assert!(rounds < FAULTS.len() || ends >= 2, "failed syncs went unnoticed");
    assert!(rounds < FAULTS.len() || sums.refused_by_the_store > 0, "no fault met a request: {sums:?}");
}

/// Lets a call fail for a while; whether the server has ended over it.
fn inject(server: &mut Server, data: &Path, fault: (&str, &str, Option<&str>, Must), random: &mut Random) -> bool {
    let (call, error, file, must) = fault;
    let path = file.map(|name| data.join(name));
    let from = random.between(1, 6);
    // One failure, or all from there on. What must end the server may be the one failure.
    let when = if random.between(0, 2) == 0 { from.to_string() } else { format!("{from}+") };
    let injection = Injection { call, error, when, path: path.as_deref() };
    let strace = Strace::attach(server.pid(), &injection);
    let limit = if must == Must::End { END } else { Duration::from_millis(random.between(150, 500)) };
    let ended = server.ended_within(limit);
    drop(strace);
    // It answers as ever, or what was under way when the fault passed ends it still.
    let ended = ended.or_else(|| serves_or_ends(server, &format!("{injection:?}")));
    let shown = format!("{injection:?}: {}", server.log());
    match ended {
        Some(code) => {
            assert_ne!(must, Must::Serve, "{shown}");
            assert_eq!(code, 1, "{shown}");
            assert!(server.log().contains("nothing was acknowledged after that: start again"), "{shown}");
        }
        None => assert_ne!(must, Must::End, "{shown}"),
    }
    ended.is_some()
}

/// Waits until a server answers with success, or has ended: its exit status then.
fn serves_or_ends(server: &mut Server, after: &str) -> Option<i32> {
    let mut client = server.client();
    eventually(RECOVERY, &format!("serves on, or ends, after {after}"), || {
        let reply = client.send(&Request::new("GET", "/health").header("user-agent", audit::PROBE)).ok();
        match reply {
            Some(reply) if reply.status == 200 => Some(None),
            _ => server.ended_within(Duration::ZERO).map(Some),
        }
    })
}

/// A start amid failing calls comes up, or ends with status 1; it never leaves a folder that cannot be started.
fn start_under_a_fault(data: &Path, address: SocketAddr, random: &mut Random) {
    let (call, error, ..) = FAULTS[usize::try_from(random.between(0, FAULTS.len() as u64)).unwrap()];
    let when = format!("{}+", random.between(1, 40));
    let injection = Injection { call, error, when, path: None };
    let mut started = Strace::start(&Server::command(data, &address.to_string(), SERVER), &injection);
    let ended = started.ended_within(Duration::from_millis(random.between(200, 1_500)));
    assert!(ended.is_none_or(|code| REFUSED.contains(&code)), "{injection:?}: {ended:?}");
}

#[test]
fn a_commit_asks_for_no_times_of_its_log() {
    if !strace::is_there("what a commit asks of its files") {
        return;
    }
    let place = Place::new();
    let (data, calls) = (place.data(), place.beside("calls"));
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    client.post("/tasks", r#"{"task":"Water the plants"}"#).expect(201);
    let strace = Strace::watch(server.pid(), "%%stat", &data.join("store.db-wal"), &calls);
    (0..3).for_each(|_| drop(client.post("/tasks", r#"{"task":"Water the plants"}"#).expect(201)));
    drop(strace);
    let writer = format!("{} ", thread_of(server.pid(), "daybook-writer"));
    let calls = std::fs::read_to_string(calls).unwrap();
    // The end of a call that another thread's came between has a line of its own.
    let begun = |call: &&str| call.starts_with(&writer) && !call.contains("<... ");
    let calls: Vec<_> = calls.lines().filter(begun).collect();
    assert!(calls.len() >= 3, "{calls:?}");
    // If it did, the sync of the next commit would write the log's inode as well (ADR 0016).
    assert!(calls.iter().all(|call| call.contains(", STATX_INO, ")), "{calls:?}");
}

/// The id of a process's thread of that name.
fn thread_of(pid: u32, name: &str) -> u64 {
    let mut tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap().path());
    let named = |task: &PathBuf| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
    let task = tasks.find(named).unwrap();
    task.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

#[test]
fn a_first_start_that_fails_anywhere_leaves_a_folder_that_starts() {
    if !strace::is_there("first starts under faults") {
        return;
    }
    let rounds = std::env::var("DAYBOOK_TEST_CYCLES").map_or(12, |rounds| rounds.parse().expect("a number"));
    let mut random = Random::of_test("first starts");
    let listen = format!("{}:0", own_loopback());
    for _ in 0..rounds {
        let place = Place::new();
        let (call, error, ..) = FAULTS[usize::try_from(random.between(0, FAULTS.len() as u64)).unwrap()];
        let injection = Injection { call, error, when: format!("{}+", random.between(1, 60)), path: None };
        let mut started = Strace::start(&Server::command(&place.data(), &listen, SERVER), &injection);
        let ended = started.ended_within(Duration::from_millis(random.between(100, 1_200)));
        assert!(ended.is_none_or(|code| REFUSED.contains(&code)), "{injection:?}: {ended:?}");
        drop(started);
        let server = Server::start_at(&place.data(), &listen, SERVER);
        let id = server.client().post("/data", r#"{"user_id":"ann","message":"first"}"#).expect(201).event_id();
        server.client().get(&format!("/data/{id}")).expect(200);
        server.terminate();
        daybook(&place.data(), &["verify"]).done();
    }
}
