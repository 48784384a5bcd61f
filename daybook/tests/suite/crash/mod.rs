//! SIGKILL at random times, against the ledger of clients in processes of their own.
//!
//! The clients write down every request durably before they send it, and what came back. Whatever the log holds in the
//! end must agree with that, request by request (I1, I2, I3, I4, I6). `DAYBOOK_TEST_CYCLES` sets how often the server is
//! killed (50), `DAYBOOK_TEST_SEED` repeats a run's choices.

pub mod audit;
pub mod client;
pub mod ledger;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::client::Clients;
use crate::support::{Place, Random, Server, daybook, own_loopback, program};

/// A server that relays so often that kills meet the relay, too.
const SERVER: &[&str] = &["--relay-every", "40ms"];
/// What must have happened, or the clients did not do what they were meant to.
const EVERY_KIND: &[&str] = &[
    "data.submitted",
    "task.created",
    "task.updated",
    "task.deleted",
    "request.read",
    "request.rejected",
    "request.replayed",
];
/// What a cycle may take on a busy machine.
const CYCLE: Duration = Duration::from_secs(10);

#[test]
fn nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let cycles = std::env::var("DAYBOOK_TEST_CYCLES").map_or(50, |cycles| cycles.parse().expect("a number"));
    let mut random = Random::of_test("crash");
    let (place, begun) = (Place::new(), Instant::now());
    let limit = CYCLE * cycles;
    let data = place.data();

    let mut server = Server::start_at(&data, &format!("{}:0", own_loopback()), SERVER);
    let address = server.address();
    let clients = Clients::start(&place, address, &mut random);
    let mut slowest = server.ready_in();
    for cycle in 0..cycles {
        sleep(Duration::from_millis(random.between(40, 450)));
        while_serving(&data, cycle, cycles, &mut random);
        server.kill();
        while_down(&data, address, cycle, &mut random);
        server = Server::start_at(&data, &address.to_string(), SERVER);
        slowest = slowest.max(server.ready_in());
        assert!(begun.elapsed() < limit, "{cycle} cycles took {:?}", begun.elapsed());
    }
    clients.finish();
    server.terminate();

    daybook(&data, &["compact"]).done();
    let sums = audit::check(&ledger::read_all(&place), &data);
    daybook(&data, &["verify"]).done();
    eprintln!("{cycles} kills in {:?}, slowest start {slowest:?}: {sums:?}", begun.elapsed());
    assert!(cycles < 20 || sums.unknown > 0, "no kill met a request: {sums:?}");
    for kind in EVERY_KIND {
        assert!(cycles < 20 || sums.types.contains_key(*kind), "no {kind}: {sums:?}");
    }
}

/// Compactions and verifications beside the server that is about to be killed.
fn while_serving(data: &Path, cycle: u32, cycles: u32, random: &mut Random) {
    if cycle == cycles / 3 {
        daybook(data, &["compact"]).done();
    } else if cycle == cycles / 2 {
        daybook(data, &["verify"]).done();
    } else if cycle % 8 == 5 {
        kill_soon(program().arg("compact").arg("--data").arg(data), random.between(10, 400));
    }
}

/// A compaction, or a start, that is itself killed.
fn while_down(data: &Path, address: SocketAddr, cycle: u32, random: &mut Random) {
    if cycle % 8 == 1 {
        kill_soon(program().arg("compact").arg("--data").arg(data), random.between(10, 400));
    } else if cycle % 4 == 2 {
        kill_soon(&mut Server::command(data, &address.to_string(), SERVER), random.between(1, 120));
    }
}

fn kill_soon(command: &mut Command, after_ms: u64) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(Duration::from_millis(after_ms));
    let _ = child.kill();
    child.wait().unwrap();
}
