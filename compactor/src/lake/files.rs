//! The data files of a snapshot.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use iceberg::spec::{DataContentType, DataFile, Literal, ManifestContentType, ManifestFile, PrimitiveLiteral};
use iceberg::table::Table;
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};

/// The live data files of the snapshot that `table` is, in no particular order.
///
/// # Errors
/// Metadata cannot be read, or the snapshot has delete files: only a foreign engine could have made them, and to pass
/// over them would bring deleted rows back.
pub async fn data_files(table: &Table) -> Result<Vec<DataFile>> {
    let files = Files::of(table).await?.all().await?;
    Ok(files.into_iter().map(Arc::unwrap_or_clone).collect())
}

/// The manifests of the snapshot that `table` is.
///
/// # Errors
/// Their list cannot be read.
pub(crate) async fn manifests(table: &Table) -> Result<Vec<ManifestFile>> {
    let Some(snapshot) = table.metadata().current_snapshot() else { return Ok(Vec::new()) };
    let list = table.manifest_list_reader(snapshot).load().await.map_err(Error::lake("read the manifest list"))?;
    Ok(list.consume_entries().into_iter().collect())
}

/// Whether a manifest has files that belong to the snapshot.
pub(crate) fn is_live(manifest: &ManifestFile) -> bool {
    manifest.has_added_files() || manifest.has_existing_files()
}

/// Makes sure that no row is deleted by a file beside its own, which this crate would pass over.
///
/// # Errors
/// One of the manifests has live delete files.
pub(crate) fn refuse_deletes(manifests: &[ManifestFile]) -> Result<()> {
    let has_deletes = |manifest: &&ManifestFile| manifest.content == ManifestContentType::Deletes && is_live(manifest);
    manifests.iter().find(has_deletes).map_or(Ok(()), |manifest| Err(refused(&manifest.manifest_path)))
}

/// The day of a file's rows, days since 1970.
pub(crate) fn day(file: &DataFile) -> Option<i32> {
    match file.partition().fields().first() {
        Some(Some(Literal::Primitive(PrimitiveLiteral::Int(day)))) => Some(*day),
        _ => None,
    }
}

/// The data files of one snapshot; each of its manifests is read once, when it is asked for.
#[derive(Debug)]
pub(crate) struct Files {
    table: Table,
    manifests: Vec<ManifestFile>,
    read: Mutex<HashMap<usize, Vec<Arc<DataFile>>>>,
}

impl Files {
    /// # Errors
    /// As [`data_files`].
    pub(crate) async fn of(table: &Table) -> Result<Self> {
        let manifests = manifests(table).await?;
        refuse_deletes(&manifests)?;
        Ok(Self { table: table.clone(), manifests, read: Mutex::default() })
    }

    /// How many manifests name them.
    pub(crate) fn manifests(&self) -> usize {
        self.manifests.len()
    }

    /// All of them.
    ///
    /// # Errors
    /// As [`data_files`].
    pub(crate) async fn all(&self) -> Result<Vec<Arc<DataFile>>> {
        self.of_days(|_, _| true).await
    }

    /// The files in manifests whose days, first and last, are `wanted`; manifests that do not say are read.
    ///
    /// # Errors
    /// As [`data_files`].
    pub(crate) async fn of_days(&self, wanted: impl Fn(i32, i32) -> bool) -> Result<Vec<Arc<DataFile>>> {
        let mut files = Vec::new();
        let mut read = self.read.lock().await;
        for (index, manifest) in self.manifests.iter().enumerate() {
            if day_range(manifest).is_some_and(|(first, last)| !wanted(first, last)) {
                continue;
            }
            let known = match read.entry(index) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.read(manifest).await?),
            };
            files.extend(known.iter().cloned());
        }
        Ok(files)
    }

    async fn read(&self, manifest: &ManifestFile) -> Result<Vec<Arc<DataFile>>> {
        let context = format!("read the manifest {}", manifest.manifest_path);
        let manifest = manifest.load_manifest(self.table.file_io()).await.map_err(Error::lake(context))?;
        let live = manifest.entries().iter().filter(|entry| entry.is_alive());
        live.map(|entry| match entry.content_type() {
            DataContentType::Data => Ok(Arc::new(entry.data_file().clone())),
            _ => Err(refused(entry.file_path())),
        })
        .collect()
    }
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
