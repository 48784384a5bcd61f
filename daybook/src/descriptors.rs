//! How many files and sockets the system lets the process have open, and how many of them may be connections.

use ingest::local::server::FILES;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Most connections that are taken unless more are asked for.
const MOST: u64 = 10_000;
/// What the rest of the process may need: databases, raw objects, files of the table, connections being refused, and the
/// contents that connections read and write.
const OWN: u64 = 512 + FILES as u64;

/// Raises the limit as far as the process may, and gives it; `None` where there is none.
pub fn raised() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum;
    }
    current
}

/// How many connections to take: as many as were asked for, else what the limit leaves.
pub fn connections(asked: Option<usize>, limit: Option<u64>) -> usize {
    // Where descriptors are few, half of them.
    let fitting = limit.map_or(MOST, |limit| limit.saturating_sub(OWN).max(limit / 2).clamp(1, MOST));
    let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
    let connections = asked.unwrap_or(fitting);
    if let Some(limit) = limit
        && connections as u64 + OWN > limit
        && asked.is_some()
    {
        tracing::warn!(
            max_connections = connections,
            descriptors = limit,
            "max-connections may use up the file descriptors of the process; raise their limit (ulimit -n)"
        );
    }
    connections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(connections(None, None), 10_000);
        assert_eq!(connections(None, Some(1 << 30)), 10_000);
        assert_eq!(connections(None, Some(8_192)), 7_360);
        assert_eq!(connections(None, Some(1_024)), 512);
        assert_eq!(connections(None, Some(64)), 32);
        assert_eq!(connections(None, Some(1)), 1);
        assert_eq!(connections(Some(100), Some(64)), 100);
    }

    #[test]
    fn the_limit_is_raised_once() {
        let limit = raised();
        assert_eq!(raised(), limit);
        assert!(limit.is_none_or(|limit| limit > 0));
    }
}
