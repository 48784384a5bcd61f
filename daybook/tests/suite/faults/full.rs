//! A disk that is full: 503, nothing lost, and on it goes once there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::crash::audit::PROBE;
use crate::support::{Http, Lost, Place, Reply, Request, Server, daybook, eventually, not_run, raw_events, wait};

/// A small file system of its own; unmounted when dropped.
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one; none, with a loud word, where that is not allowed.
    pub fn mount(at: &Path, options: &str, test: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "daybook-test"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        not_run(test, "a tmpfs cannot be mounted (that takes root)");
        None
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn submit(client: &mut Http, message: &str) -> Result<Reply, Lost> {
    let body = format!(r#"{{"user_id":"ann","message":"{message}"}}"#);
    client.send(&Request::new("POST", "/data").header("user-agent", PROBE).json(body))
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let place = Place::new();
    let disk = place.beside("disk");
    let Some(mounted) = Tmpfs::mount(&disk, "size=4m", "a full disk of 4 MiB") else { return };
    let data = disk.join("data");
    let mut server = Server::start(&data, &["--relay-every", "50ms", "--compact-every", "100ms"]);
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    let mut client = server.client();
    let noise: String =
        (0..60_000_u32).map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 26)).collect();
    for number in 0..400 {
        // Some inline, some set aside: every way of writing meets the full disk.
        let message = if number % 3 == 0 { noise.repeat(2) } else { noise.clone() };
        let Ok(reply) = submit(&mut client, &message) else {
            client = server.client();
            continue;
        };
        match reply.status {
            201 => acknowledged.push(reply.event_id()),
            503 => {
                refused += 1;
                assert_eq!(reply.header("retry-after"), Some("1"), "{}", reply.text());
            }
            status => panic!("{status}: {}", reply.text()),
        }
        if refused > 40 {
            break;
        }
    }
    assert!(!acknowledged.is_empty() && refused > 40, "{} kept, {refused} refused", acknowledged.len());
    assert_eq!(server.ended_within(Duration::ZERO), None, "{}", server.log());

    // A start on the full disk comes up or says why it does not.
    server.kill();
    let mut full = Server::command(&data, "127.0.0.1:0", &[]).spawn().unwrap();
    let code = wait(&mut full, Duration::from_secs(3));
    assert!(code.is_none_or(|code| code == 1), "{code:?}");

    let grown = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk).status().unwrap();
    assert!(grown.success());
    let server = Server::start(&data, &["--relay-every", "50ms"]);
    let mut client = server.client();
    eventually(Duration::from_secs(10), "the disk has room again", || {
        submit(&mut client, "after").ok().filter(|reply| reply.status == 201)
    });
    for id in &acknowledged {
        client.get(&format!("/data/{id}")).expect(200);
    }
    server.terminate();
    let raw: Vec<String> = raw_events(&data).into_iter().map(|event| event.event_id).collect();
    for id in &acknowledged {
        assert!(raw.contains(id), "event {id}");
    }
    daybook(&data, &["compact"]).done();
    daybook(&data, &["verify"]).done();
    eprintln!("a full disk: {} kept, {refused} refused", acknowledged.len());
    drop(mounted);
}

#[test]
fn a_disk_that_fills_up_while_serving_serves_on_once_there_is_room() {
    let place = Place::new();
    let disk = place.beside("disk");
    let Some(mounted) = Tmpfs::mount(&disk, "size=16m", "a disk that fills up") else { return };
    let data = disk.join("data");
    let server = Server::start(&data, &["--relay-every", "50ms"]);
    let mut client = server.client();
    let before = submit(&mut client, "before").unwrap().expect(201).event_id();
    let filled =
        Command::new("dd").args(["if=/dev/zero", "bs=1k"]).arg(format!("of={}", disk.join("full").display())).output();
    assert!(filled.is_ok());
    let mut refused = 0;
    for _ in 0..200 {
        let reply = submit(&mut client, &"x".repeat(30_000)).unwrap();
        refused += u32::from(reply.status == 503);
        assert!(matches!(reply.status, 201 | 503), "{}", reply.text());
    }
    fs::remove_file(disk.join("full")).unwrap();
    let after = submit(&mut client, "after").unwrap().expect(201).event_id();
    assert!(refused > 0, "there was room all the time");
    for id in [before, after] {
        client.get(&format!("/data/{id}")).expect(200);
    }
    server.terminate();
    daybook(&data, &["verify"]).done();
    drop(mounted);
}
