//! strace makes system calls of a running server fail, or writes them down.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::not_run;

/// Whether strace is there and may trace; says so loudly if not.
pub fn is_there(test: &str) -> bool {
    let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let is_there = traced.is_ok_and(|output| output.status.success());
    if !is_there {
        not_run(test, "strace is missing or may not trace (apt-get install strace)");
    }
    is_there
}

/// What is made to fail.
#[derive(Debug, Clone)]
pub struct Injection<'a> {
    /// The system call.
    pub call: &'a str,
    /// Its error.
    pub error: &'a str,
    /// Which of a thread's calls: `3`, `2+`.
    pub when: String,
    /// Only calls about this file.
    pub path: Option<&'a Path>,
}

impl Injection<'_> {
    /// The arguments for strace.
    pub fn arguments(&self) -> Vec<OsString> {
        let Self { call, error, when, path } = self;
        let mut arguments: Vec<OsString> = ["-I2", "-f", "-o", "/dev/null", "-e"].map(OsString::from).into();
        arguments.push(format!("trace={call}").into());
        arguments.push("-e".into());
        arguments.push(format!("inject={call}:error={error}:when={when}").into());
        if let Some(path) = path {
            arguments.push("-P".into());
            arguments.push(path.into());
        }
        arguments
    }
}

/// A strace that is attached to a process, or has started one; when dropped it detaches, or ends what it started.
pub struct Strace {
    child: Child,
    has_started: bool,
}

impl Strace {
    /// Attaches to all threads of a process, and makes calls fail.
    pub fn attach(pid: u32, injection: &Injection<'_>) -> Self {
        Self::attach_with(pid, &injection.arguments())
    }

    /// Attaches to all threads of a process, and writes down its calls of a class about a file.
    pub fn watch(pid: u32, class: &str, path: &Path, into: &Path) -> Self {
        let mut arguments: Vec<OsString> =
            ["-I2", "-f", "-e", &format!("trace={class}"), "-P"].map(OsString::from).into();
        arguments.extend([path.into(), "-o".into(), into.into()]);
        Self::attach_with(pid, &arguments)
    }

    fn attach_with(pid: u32, arguments: &[OsString]) -> Self {
        let mut command = Command::new("strace");
        command.args(arguments).args(["-p", &pid.to_string()]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let err = child.stderr.take().unwrap();
        let (send, attached) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let line = attached.recv_timeout(Duration::from_secs(10)).unwrap_or_default();
        assert!(line.contains("attached"), "{command:?} said {line:?}");
        Self { child, has_started: false }
    }

    /// Runs a command with failing calls from its beginning.
    pub fn start(command: &Command, injection: &Injection<'_>) -> Self {
        let mut traced = Command::new("strace");
        traced.args(injection.arguments()).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => traced.env(name, value),
                None => traced.env_remove(name),
            };
        }
        let child = traced.current_dir(std::env::temp_dir()).stdin(Stdio::null()).stdout(Stdio::null());
        Self { child: child.stderr(Stdio::null()).spawn().unwrap(), has_started: true }
    }

    /// The exit status of what was started, if it ends within the limit.
    pub fn ended_within(&mut self, limit: Duration) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status.code().unwrap_or(-1));
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // SIGTERM lets it detach; SIGKILL would leave the server stopped.
        let id = self.child.id();
        let kill = if self.has_started { format!("pkill -KILL -P {id}") } else { format!("kill -TERM {id}") };
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.child.wait();
    }
}
