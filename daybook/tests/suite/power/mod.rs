//! Power cuts at random moments, against the ledger of clients whose own disk stays on.
//!
//! The server runs on a disk of its own ([`disk`]). After every cut the disk is mounted as it was left, the server
//! started on it, and in the end the log must agree with the ledgers, request by request (I1, I2, I3, I4, I6);
//! `daybook verify` checks the rest after every few cuts. `DAYBOOK_TEST_CYCLES` sets how often the power is cut (20),
//! `DAYBOOK_TEST_SEED` repeats a run's choices.

mod disk;

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::disk::Disk;
use crate::crash::client::Clients;
use crate::crash::{audit, ledger};
use crate::support::{Place, Random, Server, bounded_within, daybook, not_run, own_loopback, program};

/// A server that relays so often that cuts meet the relay, too.
const SERVER: &[&str] = &["--relay-every", "30ms"];
/// What verifying the log of some hundred cycles may take on a busy machine.
const VERIFY: Duration = Duration::from_secs(600);

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let cycles = std::env::var("DAYBOOK_TEST_CYCLES").map_or(20, |cycles| cycles.parse().expect("a number"));
    let mut random = Random::of_test("power");
    let (place, begun) = (Place::new(), Instant::now());
    let mut disk = match Disk::new(&place.beside("disk")) {
        Ok(disk) => disk,
        Err(reason) => return not_run("power cuts", &format!("that takes root and loop devices ({reason})")),
    };
    let data = place.beside("disk").join("data");
    let mut server = Server::start_logging(&data, &format!("{}:0", own_loopback()), SERVER, &place.beside("log"));
    let address = server.address();
    let clients = Clients::start(&place, address, &mut random);
    let mut slowest = Duration::ZERO;
    for cycle in 0..cycles {
        sleep(Duration::from_millis(random.between(20, 300)));
        let compaction = (cycle % 4 == 1).then(|| compact(&data, random.between(5, 300)));
        disk.cut();
        server.kill();
        compaction.into_iter().for_each(end);
        disk = disk.back();
        // A few times in a run, however long it is: it reads the whole log.
        if cycle % (cycles / 5).max(1) == 3 {
            verify(&data);
        }
        server = Server::start_logging(&data, &address.to_string(), SERVER, &place.beside("log"));
        slowest = slowest.max(server.ready_in());
    }
    clients.finish();
    server.terminate();
    daybook(&data, &["compact"]).done();
    let sums = audit::check(&ledger::read_all(&place), &data);
    verify(&data);
    eprintln!("{cycles} power cuts in {:?}, slowest start {slowest:?}: {sums:?}", begun.elapsed());
    assert!(cycles < 20 || sums.unknown > 0, "no cut met a request: {sums:?}");
    drop(disk);
}

fn verify(data: &Path) {
    bounded_within(program().arg("verify").arg("--data").arg(data), VERIFY).done();
}

/// A compaction that has been under way for a while.
fn compact(data: &Path, for_ms: u64) -> Child {
    let mut command = program();
    command.arg("compact").arg("--data").arg(data).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    sleep(Duration::from_millis(for_ms));
    child
}

fn end(mut child: Child) {
    let _ = child.kill();
    child.wait().unwrap();
}
