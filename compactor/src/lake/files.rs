//! The data files of a snapshot.

use iceberg::spec::{DataContentType, DataFile, ManifestContentType, ManifestFile};
use iceberg::table::Table;

use crate::error::{Error, ErrorKind, Result};

/// The live data files of the snapshot that `table` is, in no particular order.
///
/// # Errors
/// Metadata cannot be read, or the snapshot has delete files: only a foreign engine could have made them, and to pass
/// over them would bring deleted rows back.
pub async fn data_files(table: &Table) -> Result<Vec<DataFile>> {
    files_of_days(table, |_, _| true).await
}

/// The live data files in manifests whose days, first and last, are `wanted`; manifests that do not say are read.
pub(crate) async fn files_of_days(table: &Table, wanted: impl Fn(i32, i32) -> bool) -> Result<Vec<DataFile>> {
    let Some(snapshot) = table.metadata().current_snapshot() else { return Ok(Vec::new()) };
    let manifests = table.manifest_list_reader(snapshot).load().await.map_err(Error::lake("read the manifest list"))?;
    let mut files = Vec::new();
    for manifest in manifests.entries() {
        if manifest.content == ManifestContentType::Deletes && manifest_is_live(manifest) {
            return Err(refused(&manifest.manifest_path));
        }
        if day_range(manifest).is_some_and(|(first, last)| !wanted(first, last)) {
            continue;
        }
        let context = || format!("read the manifest {}", manifest.manifest_path);
        let manifest = manifest.load_manifest(table.file_io()).await.map_err(Error::lake(context()))?;
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            if entry.content_type() != DataContentType::Data {
                return Err(refused(entry.file_path()));
            }
            files.push(entry.data_file().clone());
        }
    }
    Ok(files)
}

fn manifest_is_live(manifest: &ManifestFile) -> bool {
    manifest.has_added_files() || manifest.has_existing_files()
}

fn refused(path: &str) -> Error {
    let message = format!("the table has delete files, which another engine made: {path}; rewrite it without them");
    Error::new(ErrorKind::Table, message)
}

/// The first and last day of a manifest's files, days since 1970.
fn day_range(manifest: &ManifestFile) -> Option<(i32, i32)> {
    let [days] = manifest.partitions.as_deref()? else { return None };
    let day = |bound: Option<&[u8]>| Some(i32::from_le_bytes(bound?.try_into().ok()?));
    let first = day(days.lower_bound.as_ref().map(|bound| bound.as_slice()))?;
    let last = day(days.upper_bound.as_ref().map(|bound| bound.as_slice()))?;
    (!days.contains_null).then_some((first, last))
}
