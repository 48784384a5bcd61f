//! Nothing on disk that nothing names: files of expired snapshots, and of runs that were killed or overtaken.
//!
//! A file is deleted if all of this is so:
//!
//! - its name and its folder are such as this crate and `iceberg` make, within the lake's folder;
//! - the current table does not name it, nor does any version of the table that was current within the grace period, so
//!   that whoever loaded the table by then still reads all of it;
//! - it is older than the grace period;
//! - **it is older than the current snapshot.** A commit is made on the snapshot it was planned from or not at all, and
//!   a run writes its files after its plan. So whoever wrote this one can no longer commit, however long it has slept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use event::Timestamp;
use iceberg::table::Table;
use uuid::Uuid;

use super::named::Named;
use super::{Upkeep, UpkeepStep, UpkeepSummary, plain};
use crate::error::{Error, Result};
use crate::schema::PARTITION;

/// A file of ours.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    name: String,
    kind: Kind,
    bytes: u64,
    /// Microseconds since 1970.
    modified: i64,
}

/// What a file is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    /// A manifest or a manifest list.
    Manifest,
    /// The table's metadata, and its version.
    Metadata(u64),
    Consumed,
    /// What is, or was, being written beside its place.
    Aside,
}

impl Upkeep<'_> {
    /// Deletes what nothing names and nothing can name any more.
    ///
    /// # Errors
    /// The lake cannot be read, in which case nothing was deleted, or a file cannot be deleted.
    pub(super) async fn sweep(&self, now: Timestamp, summary: &mut UpkeepSummary) -> Result<()> {
        // First the table, then the folders: what is committed in between is younger than this table's snapshot.
        let table = self.lake.load().await?;
        let Some(snapshot) = table.metadata().current_snapshot() else { return Ok(()) };
        let grace = i64::try_from(self.options.grace.as_micros()).unwrap_or(i64::MAX);
        let young = now.micros().saturating_sub(grace);
        let found = self.find(&table)?;
        let named = named(&table, &found, young).await?;
        let before = young.min(snapshot.timestamp_ms().saturating_mul(1_000));
        let dead = found.into_iter().filter(|file| file.modified < before && !named.contains(&file.name));
        let dead: Vec<Found> = dead.collect();
        if !dead.is_empty() {
            (self.failpoint)(UpkeepStep::Found)?;
        }
        for file in dead {
            if (self.stop)() {
                break;
            }
            if gone(fs::remove_file(&file.path)).map_err(Error::lake(format!("delete {}", file.path.display())))? {
                summary.files_removed += 1;
                summary.bytes_removed += file.bytes;
                (self.failpoint)(UpkeepStep::Removed)?;
            }
        }
        Ok(())
    }

    /// The files of ours in the table's folders and beside it.
    fn find(&self, table: &Table) -> Result<Vec<Found>> {
        let place = Path::new(plain(table.metadata().location().trim_end_matches('/')));
        let mut found = Vec::new();
        let mut look = |folder: &Path, kind: fn(&str) -> Option<Kind>| {
            files_of(folder, kind, &mut found).map_err(Error::lake(format!("list {}", folder.display())))
        };
        look(&place.join("metadata"), metadata_kind)?;
        look(&self.folder.join("consumed"), consumed_kind)?;
        for day in days(&place.join("data")).map_err(Error::lake(format!("list {}", place.display())))? {
            look(&day, data_kind)?;
        }
        Ok(found)
    }
}

/// What the table names, and what it named at any time since `young`.
///
/// A version was current until the next one was written. So those to be asked are the young ones, and of each of them
/// the one before; some may be of commits that were overtaken, which does no harm.
async fn named(table: &Table, found: &[Found], young: i64) -> Result<Named> {
    let mut named = Named::new(table.file_io().clone());
    named.add(table.metadata_location_result().map_err(Error::lake("find the table's metadata"))?);
    named.add_current(table.metadata()).await?;
    let versions = || {
        found.iter().filter_map(|file| match file.kind {
            Kind::Metadata(version) => Some((version, file)),
            _ => None,
        })
    };
    let Some(first) = versions().filter(|(_, file)| file.modified >= young).map(|(version, _)| version).min() else {
        return Ok(named);
    };
    for (_, file) in versions().filter(|(version, _)| version + 1 >= first) {
        named.add_former(&file.path.to_string_lossy()).await?;
    }
    Ok(named)
}

fn files_of(folder: &Path, kind: fn(&str) -> Option<Kind>, found: &mut Vec<Found>) -> io::Result<()> {
    for entry in entries(folder)? {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = kind(&name).or_else(|| aside(&name).and_then(kind).map(|_| Kind::Aside));
        let Some(kind) = kind else { continue };
        // Of the name itself: nothing here is reached through a symbolic link.
        let Some(metadata) = present(entry.metadata())?.filter(fs::Metadata::is_file) else { continue };
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = i64::try_from(modified.as_micros()).unwrap_or(i64::MAX);
        found.push(Found { path: entry.path(), name, kind, bytes: metadata.len(), modified });
    }
    Ok(())
}

/// The folders of days.
fn days(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut days = Vec::new();
    for entry in entries(folder)? {
        let is_day =
            entry.file_name().to_str().and_then(|name| name.strip_prefix(PARTITION)?.strip_prefix('=')).is_some();
        if is_day && present(entry.file_type())?.is_some_and(|kind| kind.is_dir()) {
            days.push(entry.path());
        }
    }
    Ok(days)
}

fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    present(fs::read_dir(folder))?.map_or(Ok(Vec::new()), Iterator::collect)
}

/// `None` if it is not there: others may tidy up at the same time.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Whether it was this call that did it.
fn gone(result: io::Result<()>) -> io::Result<bool> {
    present(result).map(|done| done.is_some())
}

/// `<uuid>-<number>.parquet`
fn data_kind(name: &str) -> Option<Kind> {
    numbered(name.strip_suffix(".parquet")?, "-").map(|_| Kind::Data)
}

/// `<uuid>.json.gz`
fn consumed_kind(name: &str) -> Option<Kind> {
    is_uuid(name.strip_suffix(".json.gz")?).then_some(Kind::Consumed)
}

/// `<uuid>-m<number>.avro`, `snap-<id>-<attempt>-<uuid>.avro`, `<version>-<uuid>[.gz].metadata.json`
fn metadata_kind(name: &str) -> Option<Kind> {
    if let Some(name) = name.strip_suffix(".metadata.json") {
        let (version, id) = name.strip_suffix(".gz").unwrap_or(name).split_once('-')?;
        return is_uuid(id).then(|| version.parse().ok().map(Kind::Metadata))?;
    }
    let name = name.strip_suffix(".avro")?;
    match name.strip_prefix("snap-") {
        Some(list) => {
            let (id, rest) = list.split_once('-')?;
            let (attempt, uuid) = rest.split_once('-')?;
            (is_number(id) && is_number(attempt) && is_uuid(uuid)).then_some(Kind::Manifest)
        }
        None => numbered(name, "-m").map(|_| Kind::Manifest),
    }
}

/// Of `.<name>.<process>-<number>.tmp` the name: see `durable`.
fn aside(name: &str) -> Option<&str> {
    let (name, writer) = name.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    let (process, number) = writer.split_once('-')?;
    (is_number(process) && is_number(number)).then_some(name)
}

/// The number of `<uuid><between><number>`.
fn numbered<'a>(name: &'a str, between: &str) -> Option<&'a str> {
    let (id, rest) = name.split_at_checked(36)?;
    rest.strip_prefix(between).filter(|number| is_uuid(id) && is_number(number))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0194b3a0-7c1d-7e2f-8a3b-4c5d6e7f8091";

    #[test]
    fn only_names_of_ours_are_known() {
        let check = |kind: fn(&str) -> Option<Kind>, name: &str, expect: Option<Kind>| {
            let name = name.replace("ID", ID);
            assert_eq!(kind(&name), expect, "{name}");
        };
        check(data_kind, "ID-00000.parquet", Some(Kind::Data));
        check(metadata_kind, "ID-m0.avro", Some(Kind::Manifest));
        check(metadata_kind, "snap-8423-0-ID.avro", Some(Kind::Manifest));
        check(metadata_kind, "00012-ID.metadata.json", Some(Kind::Metadata(12)));
        check(metadata_kind, "00012-ID.gz.metadata.json", Some(Kind::Metadata(12)));
        check(consumed_kind, "ID.json.gz", Some(Kind::Consumed));
        for name in
            ["ID.parquet", "ID-.parquet", "x-00000.parquet", "ID-00000.parquet.bak", "00000-0-ID.parquet", "", "ß"]
        {
            check(data_kind, name, None);
        }
        for name in
            ["version-hint.text", "v1.metadata.json", "ID-m.avro", "snap-1-ID.avro", "snap--0-ID.avro", "ID.stats"]
        {
            check(metadata_kind, name, None);
        }
        for name in ["catalog.db", "catalog.db-wal", "ID.json", "notes.json.gz"] {
            check(consumed_kind, name, None);
        }
    }

    #[test]
    fn what_is_written_aside_is_known_by_the_name_it_will_have() {
        let check = |name: &str, expect: Option<&str>| assert_eq!(aside(name), expect, "{name}");
        check(".a.json.gz.12-3.tmp", Some("a.json.gz"));
        check(".a.parquet.12-3.tmp", Some("a.parquet"));
        for name in ["a.12-3.tmp", ".a.12-3", ".a.12.tmp", ".a.12-x.tmp", ".tmp", "..-.tmp"] {
            check(name, None);
        }
    }
}
