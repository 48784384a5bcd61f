//! The server as a process of its own.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::output::print;

/// How long the server may take to be ready, and to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running `daybook serve`.
pub struct Server {
    child: Child,
    address: SocketAddr,
    ready: Duration,
}

impl Server {
    /// Starts the server and waits until it is ready; at `address`, or at any free port.
    pub async fn start(installation: &Installation, address: Option<SocketAddr>) -> Result<Self> {
        let monotonic = installation.system().monotonic;
        let begun = monotonic();
        let program = std::env::current_exe().map_err(Failure::while_("find the program"))?;
        let listen = address.map_or_else(|| "127.0.0.1:0".to_owned(), |address| address.to_string());
        let mut child = Command::new(program)
            .args(["serve", "--listen", &listen, "--log", "warn", "--data"])
            .arg(installation.folder())
            // Neither the caller's environment nor a daybook.toml of theirs is part of what is shown.
            .env_clear()
            .current_dir(installation.folder())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Failure::while_("start the server"))?;
        let output = child.stdout.take().ok_or_else(|| Failure::new("the server has no standard output"))?;
        let line = timeout(PATIENCE, BufReader::new(output).lines().next_line()).await;
        let line = line.ok().and_then(|line| line.ok().flatten()).unwrap_or_default();
        let address = line.rsplit("http://").next().and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| Failure::new("the server did not say that it is ready"))?;
        Ok(Self { child, address, ready: Duration::from_micros(monotonic().saturating_sub(begun)) })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says where it serves and how long it took to be ready.
    pub fn introduce(&self, installation: &Installation) -> Result<()> {
        let (address, folder) = (self.address, installation.folder().display());
        print(format!("  ready at http://{address} after {} ms, data in {folder}\n", self.ready.as_millis()).as_bytes())
    }

    /// Ends it as a crash would: SIGKILL, no chance to clean up.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.map_err(Failure::while_("kill the server"))
    }

    /// Asks it to stop and waits until it has, with exit status 0.
    pub async fn terminate(mut self) -> Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.ok_or_else(|| Failure::new("the server has stopped by itself"))?;
        kill_process(pid, Signal::TERM).map_err(Failure::while_("stop the server"))?;
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.map_err(|_| Failure::new("the server did not stop in time"))?;
        match status.map_err(Failure::while_("wait for the server"))? {
            status if status.success() => Ok(()),
            status => Err(Failure::new(format!("the server ended with {status}"))),
        }
    }
}
