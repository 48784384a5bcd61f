//! Command lines, run to their end within a limit.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No command of these tests may take longer.
const LIMIT: Duration = Duration::from_secs(60);

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status; -1 for a signal.
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The output of a command that did its work.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The output as one JSON document.
    #[track_caller]
    pub fn json(self) -> Value {
        let out = self.done();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
    }

    /// Checks that the command could not do its work and said why in one line.
    #[track_caller]
    pub fn refuses(self, reason: &str) {
        assert_eq!(self.code, 1, "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        assert!(self.err.starts_with("daybook: ") && self.err.lines().count() == 1, "{self:?}");
        assert!(self.err.contains(reason), "{reason:?} is not in {self:?}");
    }

    /// Checks that the command line itself was refused.
    #[track_caller]
    pub fn is_misused(&self, reason: &str) {
        assert_eq!(self.code, 2, "{self:?}");
        assert!(self.err.contains(reason), "{reason:?} is not in {self:?}");
    }
}

/// The program, deaf to the environment of whoever runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DAYBOOK_") {
            command.env_remove(name);
        }
    }
    command.current_dir(std::env::temp_dir()).stdin(Stdio::null());
    command
}

/// Runs the program on a data folder. Its current folder is the one that holds the data folder.
pub fn daybook(data: &Path, args: &[&str]) -> Ran {
    let mut command = program();
    if let Some(parent) = data.parent().filter(|parent| parent.is_dir()) {
        command.current_dir(parent);
    }
    command.arg("--data").arg(data).args(args);
    bounded(&mut command)
}

/// Runs a command to its end.
pub fn bounded(command: &mut Command) -> Ran {
    bounded_within(command, LIMIT)
}

/// Runs a command to its end, which must come within the limit.
pub fn bounded_within(command: &mut Command, limit: Duration) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (read(child.stdout.take()), read(child.stderr.take()));
    let code = wait(&mut child, limit);
    let ran = Ran { code: code.unwrap_or(-1), out: out.join().unwrap(), err: err.join().unwrap() };
    assert!(code.is_some(), "{command:?} did not end within {limit:?}: {ran:?}");
    ran
}

/// Waits for a child's end; kills it and gives `None` after the limit.
pub fn wait(child: &mut Child, limit: Duration) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        if begun.elapsed() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn read(from: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}
