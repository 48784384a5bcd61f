//! A server as a process of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::command::{program, wait};
use super::http::Http;

/// A start may take this long, on a machine that does other things as well.
const START: Duration = Duration::from_secs(30);
/// What the design gives a server to end.
const STOP: Duration = Duration::from_secs(10);

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    ready_in: Duration,
    log: PathBuf,
}

impl Server {
    /// Starts a server on a data folder, at a port of its own, and waits until it is ready.
    pub fn start(data: &Path, args: &[&str]) -> Self {
        Self::start_at(data, "127.0.0.1:0", args)
    }

    /// Starts a server that may have only so many files and sockets open.
    #[track_caller]
    pub fn start_limited(data: &Path, descriptors: u32, args: &[&str]) -> Self {
        let served = Self::command(data, "127.0.0.1:0", args);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")]);
        command.arg(served.get_program()).args(served.get_args()).current_dir(std::env::temp_dir());
        for (name, value) in served.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Self::ready(command, &data.with_extension("log"))
    }

    /// Starts a server at an address.
    #[track_caller]
    pub fn start_at(data: &Path, listen: &str, args: &[&str]) -> Self {
        Self::start_logging(data, listen, args, &data.with_extension("log"))
    }

    /// Starts a server whose log goes to this file.
    #[track_caller]
    pub fn start_logging(data: &Path, listen: &str, args: &[&str], log: &Path) -> Self {
        Self::ready(Self::command(data, listen, args), log)
    }

    #[track_caller]
    fn ready(mut command: Command, log: &Path) -> Self {
        let (begun, log) = (Instant::now(), log.to_owned());
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = command.stderr(file).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (send, first_line) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            // A failure is an empty line to the one who waits.
            let _ = BufReader::new(out).read_line(&mut line);
            let _ = send.send(line);
        });
        let line = first_line.recv_timeout(START).unwrap_or_default();
        let address = line.trim().strip_prefix("Daybook is ready at http://").and_then(|text| text.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server said {line:?}: {}", fs::read_to_string(&log).unwrap_or_default());
        };
        Self { child, address, ready_in: begun.elapsed(), log }
    }

    /// The command that starts a server; nobody hears its log.
    pub fn command(data: &Path, listen: &str, args: &[&str]) -> Command {
        let mut command = program();
        command.arg("serve").arg("--data").arg(data).args(["--listen", listen, "--log", "warn"]).args(args);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long it took from its start to being ready.
    pub fn ready_in(&self) -> Duration {
        self.ready_in
    }

    /// A client.
    pub fn client(&self) -> Http {
        Http::to(self.address)
    }

    /// Resident memory, KiB.
    pub fn resident_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if it ends by itself within the limit. Never by a panic (I9).
    pub fn ended_within(&mut self, limit: Duration) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(!self.log().contains("panicked"), "I9: {}", self.log());
                return Some(status.code().unwrap_or(-1));
            }
            if begun.elapsed() >= limit {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the server must end in time and with success. Says how long it took.
    #[track_caller]
    pub fn terminate(mut self) -> Duration {
        let begun = Instant::now();
        assert_eq!(self.ends(), Some(0), "SIGTERM: {}", self.log());
        begun.elapsed()
    }

    /// SIGTERM; the server must end in time and without success. What it has logged.
    #[track_caller]
    pub fn fails(mut self) -> String {
        assert_eq!(self.ends(), Some(1), "SIGTERM: {}", self.log());
        self.log()
    }

    /// SIGTERM, and the exit status that comes of it.
    #[track_caller]
    fn ends(&mut self) -> Option<i32> {
        let pid = self.child.id();
        assert!(Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().unwrap().success());
        let code = wait(&mut self.child, STOP);
        assert!(!self.log().contains("panicked"), "I9: {}", self.log());
        code
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// An address that no other server uses, so that a client never meets a stranger while its server is down: all of
/// 127.0.0.0/8 is the loopback, where the system has it so.
pub fn own_loopback() -> String {
    let pid = std::process::id();
    let own = format!("127.{}.{}.{}", 1 + pid / 62_500 % 250, 1 + pid / 250 % 250, 2 + pid % 250);
    TcpListener::bind(format!("{own}:0")).map_or_else(|_| "127.0.0.1".to_owned(), |_| own)
}
