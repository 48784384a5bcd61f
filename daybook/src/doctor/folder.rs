//! The data folder itself: disk, rights, key, store.

use std::fs;
use std::path::Path;

use bytesize::ByteSize;
use ingest::local::keys::{self, KeyFile};
use ingest::store::sqlite::SqliteStore;

use super::Finding;
use crate::installation::{HOLDINGS, Installation, KEY};

/// Less than this is too little to go on with, and not much.
const NO_SPACE: u64 = 64 << 20;
const LITTLE_SPACE: u64 = 1 << 30;

/// Whether there is an installation.
pub fn there(data: &Path) -> Finding {
    let shown = data.display();
    match fs::metadata(data) {
        Err(error) => Finding::broken(
            "folder",
            format!("{shown} cannot be found: {error}"),
            "name the data folder with --data, or make one with daybook serve or daybook import",
        ),
        Ok(metadata) if !metadata.is_dir() => {
            Finding::broken("folder", format!("{shown} is no folder"), "name the data folder with --data")
        }
        Ok(_) if !HOLDINGS.iter().any(|name| data.join(name).exists()) => Finding::broken(
            "folder",
            format!("{shown} holds nothing of Daybook's"),
            "name the data folder with --data, or make one with daybook serve or daybook import",
        ),
        Ok(_) => Finding::fine("folder", shown.to_string()),
    }
}

/// Whether this user may write there.
pub fn writable(folder: &Path) -> Finding {
    let may = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match may {
        Ok(()) => Finding::fine("rights", "this user may write to the data folder"),
        Err(error) => Finding::broken(
            "rights",
            format!("this user may not write to {}: {error}", folder.display()),
            "run it as the folder's owner, or give the folder to this user (chown -R)",
        ),
    }
}

/// Whether there is room.
pub fn space(folder: &Path) -> Finding {
    let stat = match rustix::fs::statvfs(folder) {
        Ok(stat) => stat,
        Err(error) => return Finding::warning("space", format!("the disk does not say: {error}"), "look with df"),
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let found = format!("{} free", ByteSize(free));
    match free {
        _ if stat.f_files > 0 && stat.f_favail == 0 => {
            Finding::broken("space", "no inode is free", "remove files that are not Daybook's, or use a larger disk")
        }
        _ if free < NO_SPACE => {
            Finding::broken("space", found, "make room now: without it every request is answered 503")
        }
        _ if free < LITTLE_SPACE => {
            Finding::warning("space", found, "make room: daybook compact shrinks nothing of raw/")
        }
        _ => Finding::fine("space", found),
    }
}

/// Whether the installation's key is there, whole and nobody else's.
pub fn key(installation: &Installation) -> Finding {
    let path = installation.folder().join(KEY);
    let restore = "restore it from a backup: masks and page tokens depend on it";
    if !path.exists() {
        return match SqliteStore::exists(installation.folder()) {
            true => {
                Finding::warning("key", format!("{KEY} is not there"), format!("{restore}; a new one is made else"))
            }
            false => Finding::fine("key", "none yet; the first server makes it"),
        };
    }
    if let Err(failure) = installation.key("doctor") {
        return Finding::broken("key", failure.to_string(), restore);
    }
    open_to_others("key", KEY, &path)
        .unwrap_or_else(|| Finding::fine("key", format!("{KEY} is whole and its owner's alone")))
}

/// Whether the API keys that were made here can be read, by nobody else.
pub fn api_keys(installation: &Installation) -> Finding {
    let path = installation.folder().join(keys::FILE);
    match KeyFile::of(installation.folder()).read() {
        Err(error) => {
            Finding::broken("api-keys", error.to_string(), "restore it from a backup, or remove it and make new keys")
        }
        Ok(_) if !path.exists() => Finding::fine("api-keys", "none were made here"),
        Ok(made) => open_to_others("api-keys", keys::FILE, &path).unwrap_or_else(|| {
            let revoked = made.iter().filter(|key| key.revoked_at.is_some()).count();
            Finding::fine("api-keys", format!("{} were made, {revoked} of them are revoked", made.len()))
        }),
    }
}

/// A warning, where others may read a file that is its owner's alone.
fn open_to_others(check: &'static str, name: &str, path: &Path) -> Option<Finding> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
        if mode & 0o077 != 0 {
            let found = format!("{name} can be read by others ({mode:03o})");
            return Some(Finding::warning(check, found, format!("chmod 600 {}", path.display())));
        }
    }
    None
}

/// The store: whether it opens, and whether what it holds gets into the log.
pub async fn store(installation: &Installation) -> Vec<Finding> {
    let reader = match installation.reader() {
        Ok(Some(reader)) => reader,
        Ok(None) if installation.had_store() => {
            let mend = "restore it from a backup, or make it anew from the log with daybook replay --swap";
            return vec![Finding::broken("store", "store.db is gone", mend)];
        }
        Ok(None) => {
            let mend = "daybook replay --swap makes the state of the log, if there is any";
            return vec![Finding::warning("store", "there is no store.db: nothing was served here", mend)];
        }
        Err(failure) => {
            let mend = "what the message says; if the file is damaged, daybook replay --swap after moving it aside";
            return vec![Finding::broken("store", failure.to_string(), mend)];
        }
    };
    match reader.counts().await {
        Err(error) => {
            let mend = "move store.db aside and make it anew from the log with daybook replay --swap";
            vec![Finding::broken("store", error.to_string(), mend)]
        }
        Ok((events, waiting)) => vec![
            Finding::fine("store", format!("store.db opens and has {events} events")),
            match waiting {
                0 => Finding::fine("relay", "every event of the store is in the raw log"),
                _ => Finding::warning(
                    "relay",
                    format!("{waiting} events are not in the raw log yet"),
                    "a running server relays them by itself, and so does daybook verify; if they stay, look at its log",
                ),
            },
        ],
    }
}
