//! What a process that runs a stranger's statement may take: set by itself, before it has read the statement.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::{Failure, Result};

/// Open files: the table's, a few at a time.
const FILES: u64 = 256;
/// What threads and libraries reserve of the address space without ever using it.
const RESERVED: u64 = 1 << 30;

/// Takes from this process whatever a query needs not: more than `memory` bytes beyond what it has, more than `time` on
/// each of two processors, writing files, core dumps. It cannot be taken back.
///
/// # Errors
/// The system refuses.
pub fn confine(memory: u64, time: Duration) -> Result<()> {
    let bounds = [
        (Resource::As, mapped()?.saturating_add(memory).saturating_add(RESERVED)),
        (Resource::Cpu, time.as_secs().saturating_mul(2).saturating_add(5)),
        (Resource::Fsize, 0),
        (Resource::Nofile, FILES),
        (Resource::Core, 0),
    ];
    for (resource, most) in bounds {
        let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(Failure::while_("set bounds for the statement"))?;
    }
    Ok(())
}

/// Bytes of address space that this process has.
fn mapped() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(Failure::while_("read /proc/self/status"))?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib: Option<u64> = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib| kib.saturating_mul(1_024)).ok_or_else(|| Failure::new("/proc/self/status says nothing of memory"))
}
