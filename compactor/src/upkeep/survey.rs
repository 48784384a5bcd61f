//! What the current snapshot consists of, as far as a rewrite has to know.

use std::collections::{BTreeMap, BTreeSet};

use event::Timestamp;
use iceberg::spec::{DataContentType, DataFileFormat, ManifestContentType, ManifestEntryRef, ManifestFile};
use iceberg::table::Table;

use super::UpkeepOptions;
use super::policy::{Size, how_many, is_small};
use crate::error::{Error, Result};
use crate::lake::{day, is_live, manifests, refuse_deletes};

/// A manifest of so many entries is left alone; more are never put into one, so that a reader of a few days need not
/// read the entries of all others.
pub(super) const MANIFEST_ENTRIES: usize = 512;
/// So many manifests with less than half of that are worth being made few.
const SMALL_MANIFESTS: usize = 16;

/// A snapshot's manifests, and its files that are not full yet.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) manifests: Vec<ManifestFile>,
    /// By day, each day's sorted by rows.
    small: BTreeMap<i32, Vec<Small>>,
    /// The partition spec that new files and manifests have.
    spec: i32,
}

/// A data file that may be merged.
#[derive(Debug, Clone)]
pub(super) struct Small {
    pub(super) entry: ManifestEntryRef,
    /// Which of the manifests names it.
    pub(super) manifest: usize,
}

/// What is to be rewritten in one commit.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The files of a day that become one.
    pub(super) merges: Vec<(i32, Vec<Small>)>,
    /// The manifests that are written anew.
    pub(super) manifests: BTreeSet<usize>,
}

impl Survey {
    /// Reads the manifests of the current snapshot, one after the other.
    ///
    /// # Errors
    /// Metadata cannot be read, or the snapshot has delete files: only a foreign engine could have made them, and a merge
    /// that passed over them would bring deleted rows back.
    pub(super) async fn of(table: &Table, options: &UpkeepOptions) -> Result<Self> {
        let metadata = table.metadata();
        let spec = metadata.default_partition_spec_id();
        let mut survey = Self { manifests: manifests(table).await?, small: BTreeMap::new(), spec };
        refuse_deletes(&survey.manifests)?;
        let order = i32::try_from(metadata.default_sort_order_id()).ok();
        for (index, manifest) in survey.manifests.iter().enumerate() {
            for entry in entries(table, manifest).await? {
                let file = entry.data_file();
                // A merged file is put into a day and nothing finer.
                let ours = manifest.partition_spec_id == spec
                    && file.partition().fields().len() == 1
                    && (file.file_format(), file.content_type()) == (DataFileFormat::Parquet, DataContentType::Data)
                    && file.sort_order_id() == order;
                if let Some(day) = day(file).filter(|_| ours && is_small(file.file_size_in_bytes(), options)) {
                    survey.small.entry(day).or_default().push(Small { entry, manifest: index });
                }
            }
        }
        for files in survey.small.values_mut() {
            files.sort_by_cached_key(|small| (small.entry.record_count(), small.entry.file_path().to_owned()));
        }
        Ok(survey)
    }

    /// What is worth a commit, oldest days first: merges of about one full file, so that a commit that is overtaken has
    /// not cost more, and the manifests if they are many. Days in `left_out` are not merged.
    pub(super) fn plan(&self, now: Timestamp, options: &UpkeepOptions, left_out: &BTreeSet<i32>) -> Plan {
        let mut plan = Plan::default();
        let mut bytes = 0;
        for (day, files) in self.small.iter().filter(|(day, _)| !left_out.contains(day)) {
            let size =
                |small: &Small| Size { rows: small.entry.record_count(), bytes: small.entry.file_size_in_bytes() };
            let sizes: Vec<Size> = files.iter().map(size).collect();
            let merged = &files[..how_many(&sizes, *day, now, options)];
            let more: u64 = merged.iter().map(|small| small.entry.file_size_in_bytes()).sum();
            if merged.is_empty() || (bytes > 0 && bytes + more > options.target_bytes) {
                continue;
            }
            bytes += more;
            plan.manifests.extend(merged.iter().map(|small| small.manifest));
            plan.merges.push((*day, merged.to_vec()));
        }
        let small: Vec<usize> =
            (0..self.manifests.len()).filter(|index| self.is_few(&self.manifests[*index])).collect();
        if small.len() >= SMALL_MANIFESTS {
            plan.manifests.extend(small);
        }
        plan
    }

    /// Whether a manifest has few files, and ones that can stand in one of ours.
    fn is_few(&self, manifest: &ManifestFile) -> bool {
        let is_ours = manifest.content == ManifestContentType::Data && manifest.partition_spec_id == self.spec;
        is_ours && alive(manifest) < MANIFEST_ENTRIES as u64 / 2
    }
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.merges.is_empty() && self.manifests.is_empty()
    }

    /// How many rows change their file.
    pub(super) fn rows(&self) -> u64 {
        self.merges.iter().flat_map(|(_, files)| files).map(|small| small.entry.record_count()).sum()
    }
}

/// How many data files the current snapshot has, by its manifests' own count.
pub(super) async fn count_files(table: &Table) -> Result<u64> {
    Ok(manifests(table).await?.iter().filter(|manifest| is_live(manifest)).map(alive).sum())
}

/// The living entries of a manifest.
pub(super) async fn entries(table: &Table, manifest: &ManifestFile) -> Result<Vec<ManifestEntryRef>> {
    let context = || format!("read the manifest {}", manifest.manifest_path);
    let manifest = manifest.load_manifest(table.file_io()).await.map_err(Error::lake(context()))?;
    let (entries, _) = manifest.into_parts();
    Ok(entries.into_iter().filter(|entry| entry.is_alive()).collect())
}

/// How many files of a manifest are alive; many, if it does not say.
fn alive(manifest: &ManifestFile) -> u64 {
    let counts = manifest.added_files_count.zip(manifest.existing_files_count);
    counts.map_or(u64::from(u32::MAX), |(added, existing)| u64::from(added) + u64::from(existing))
}
