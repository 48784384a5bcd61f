//! Free SQL over the log, asked where it can harm nobody: in a child process with bounds of its own.
//!
//! The statement is checked on its parsed tree ([`query::local::Select`]), the engine's options forbid changes, and the
//! process that runs it has no more memory, time or files than it is given. The parent only passes text on: whatever
//! a statement breaks is the child.

pub mod child;
mod limits;
pub mod prompt;

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use compactor::{Lake, RawLog};
use event::Timestamp;
use query::local::Snapshot;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::cli::{OutputArgs, SqlLimits};
use crate::failure::{Failure, Result};

/// More than this no answer is passed on, bytes.
const LONGEST_ANSWER: u64 = 256 << 20;
/// What the child may take to begin and end, beside its statement.
const GRACE: Duration = Duration::from_secs(15);

/// The log as it is now: the table, and what is not in it yet.
///
/// # Errors
/// Table or raw log cannot be read.
pub async fn snapshot(lake: &Lake, raw: &Arc<dyn RawLog>, now: Timestamp) -> Result<Snapshot> {
    let table = lake.load().await?;
    let tail = compactor::tail(&table, raw, now, compactor::Limits::default()).await?;
    Ok(Snapshot { table, tail: tail.batches })
}

/// Asks statements, each in a process of its own.
#[derive(Debug, Clone)]
pub struct Asker {
    program: PathBuf,
    data: PathBuf,
    limits: SqlLimits,
    output: OutputArgs,
}

impl Asker {
    /// Asks the installation in `data`.
    ///
    /// # Errors
    /// The program cannot be found again.
    pub fn new(data: PathBuf, limits: SqlLimits, output: OutputArgs) -> Result<Self> {
        let program = std::env::current_exe().map_err(Failure::while_("find this program"))?;
        Ok(Self { program, data, limits, output })
    }

    /// The answer to a statement, in its form.
    ///
    /// # Errors
    /// The statement was refused, makes no sense, or asked for more than it may have.
    pub async fn ask(&self, statement: &str) -> Result<Vec<u8>> {
        let mut child = self.command().spawn().map_err(Failure::while_("start a process for the statement"))?;
        let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let talk = async {
            if let Some(mut input) = input {
                // A child that ends before it has read says why on its standard error.
                let _ = input.write_all(statement.as_bytes()).await;
            }
            tokio::join!(read(out, LONGEST_ANSWER), read(err, 64 << 10), child.wait())
        };
        match tokio::time::timeout(self.limits.timeout + GRACE, talk).await {
            Err(_) => Err(Failure::new(format!("the statement was stopped after {:?}", self.limits.timeout))),
            Ok((out, err, status)) => verdict(out, &err, status.map_err(Failure::while_("wait for the statement"))?),
        }
    }

    /// The child: nothing of this process's environment, and killed with it.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--log", "error", "--data"]).arg(&self.data).arg("sql-child");
        command.args(["--format", self.output.format().name(), "--rows", &self.limits.rows.to_string()]);
        // By name: what is local is known here, where files may be read.
        command.args(["--zone", &self.output.zone.to_string()]);
        command.args(["--timeout", &humantime::format_duration(self.limits.timeout).to_string()]);
        command.args(["--query-memory", &self.limits.query_memory.as_u64().to_string()]);
        command.env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// What the child's end means.
fn verdict(out: Vec<u8>, err: &[u8], status: ExitStatus) -> Result<Vec<u8>> {
    if status.success() {
        return if out.len() as u64 == LONGEST_ANSWER { Err(Failure::new("the answer is too long")) } else { Ok(out) };
    }
    let said = String::from_utf8_lossy(err);
    let reason = said.lines().filter_map(|line| line.strip_prefix("daybook: ")).next_back();
    match reason {
        Some(reason) if status.code() == Some(1) => Err(Failure::new(reason)),
        _ => Err(Failure::new(
            "the statement was stopped: it asked for more memory, stack or time than it may have (--query-memory, --timeout)",
        )),
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, longest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // What came before a failure is what there is.
        let _ = from.take(longest).read_to_end(&mut bytes).await;
    }
    bytes
}
