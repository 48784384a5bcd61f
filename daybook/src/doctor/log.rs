//! Raw log, table and quarantine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use compactor::Pending;

use super::Finding;
use crate::commands::compact;
use crate::installation::Installation;

/// What waits longer than this was forgotten: the server compacts after an hour.
const FORGOTTEN: Duration = Duration::from_secs(3 * 3_600);
/// Temporary files older than this are nobody's any more.
const STALE: Duration = Duration::from_secs(3_600);

/// Looks at all of them.
pub async fn all(installation: &Installation) -> Vec<Finding> {
    let mut findings = vec![leftovers(installation.folder())];
    let raw = installation.raw();
    match raw.list(None).await {
        Ok(objects) => findings.push(Finding::fine("raw", format!("{} raw objects", objects.len()))),
        Err(error) => {
            findings.push(Finding::broken("raw", error.to_string(), "look at the rights of raw/ and at the disk"));
            return findings;
        }
    }
    findings.push(quarantine(installation).await);
    if !installation.folder().join("lake").exists() {
        // To open it would be to make it.
        findings.push(Finding::fine("table", "none yet; the first compaction makes it"));
        return findings;
    }
    let lake = match installation.lake().await {
        Ok(lake) => lake.load().await.map_err(crate::failure::Failure::from),
        Err(failure) => Err(failure),
    };
    let table = match lake {
        Ok(table) => table,
        Err(failure) => {
            let mend = "move lake/ aside and run daybook compact: the table is made again of raw/";
            findings.push(Finding::broken("table", failure.to_string(), mend));
            return findings;
        }
    };
    findings.push(match compactor::inspect(&table).await {
        Ok(facts) => Finding::fine("table", format!("{} rows in {} files", facts.rows(), facts.files)),
        Err(error) => Finding::broken(
            "table",
            error.to_string(),
            "move lake/ aside and run daybook compact: the table is made again of raw/",
        ),
    });
    match compactor::pending(&table, &raw).await {
        Ok(pending) => findings.push(waiting(&pending, installation)),
        Err(error) => findings.push(Finding::broken("compaction", error.to_string(), "look at the disk")),
    }
    findings
}

fn waiting(pending: &Pending, installation: &Installation) -> Finding {
    let now = installation.now();
    let found = match pending.objects {
        0 => "nothing is pending".to_owned(),
        _ => format!("{} pending", compact::pending(pending, now).trim_end_matches(',')),
    };
    match pending.lag(now) > FORGOTTEN {
        true => Finding::warning("compaction", found, "run daybook compact, or look at the server's log"),
        false => Finding::fine("compaction", found),
    }
}

async fn quarantine(installation: &Installation) -> Finding {
    match installation.raw().list_quarantine().await {
        Ok(objects) if objects.is_empty() => Finding::fine("quarantine", "every line of the log is an event"),
        Ok(objects) => Finding::warning(
            "quarantine",
            format!("{} objects have lines that are no events", objects.len()),
            "daybook quarantine list says why; daybook quarantine retry tries them again",
        ),
        Err(error) => {
            Finding::broken("quarantine", error.to_string(), "look at the rights of quarantine/ and at the disk")
        }
    }
}

/// What writers that were killed left behind: harmless, but it takes room.
fn leftovers(folder: &Path) -> Finding {
    let found: Vec<PathBuf> =
        ["raw", "quarantine", "bodies"].iter().flat_map(|name| stale(&folder.join(name))).collect();
    match found.first() {
        None => Finding::fine("leftovers", "no temporary files were left behind"),
        Some(first) => Finding::warning(
            "leftovers",
            format!("{} temporary files were left behind, such as {}", found.len(), first.display()),
            "remove them: whoever wrote them is gone, and wrote them again",
        ),
    }
}

fn stale(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                return stale(&path);
            }
            let is_temporary = path.extension().is_some_and(|end| end == "tmp");
            let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
            if is_temporary && age.is_some_and(|age| age > STALE) { vec![path] } else { Vec::new() }
        })
        .collect()
}
