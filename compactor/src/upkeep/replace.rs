//! A snapshot of the same rows in other files: its manifests, its list, its summary, and the metadata that has it.

use std::collections::{BTreeMap, BTreeSet};

use event::Timestamp;
use iceberg::spec::{
    DataFile, FormatVersion, ManifestContentType, ManifestEntryRef, ManifestFile, ManifestListWriter, ManifestWriter,
    ManifestWriterBuilder, Operation, Snapshot, SnapshotSummaryCollector, Summary, TableMetadata,
};
use iceberg::table::Table;
use uuid::Uuid;

use super::survey::{MANIFEST_ENTRIES, Survey, entries};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{day, is_live};
use crate::write::data_path;

const MAIN: &str = "main";
/// A sequence number that is not known yet.
const UNASSIGNED: i64 = -1;
/// What a snapshot's summary sums up, and what adds to it and takes from it.
const TOTALS: [(&str, &str, &str); 6] = [
    ("total-data-files", "added-data-files", "deleted-data-files"),
    ("total-delete-files", "added-delete-files", "removed-delete-files"),
    ("total-records", "added-records", "deleted-records"),
    ("total-files-size", "added-files-size", "removed-files-size"),
    ("total-position-deletes", "added-position-deletes", "removed-position-deletes"),
    ("total-equality-deletes", "added-equality-deletes", "removed-equality-deletes"),
];

/// A snapshot that is being made.
#[derive(Debug)]
pub(super) struct Replace<'a> {
    pub(super) table: &'a Table,
    /// In the name of every file of it.
    id: Uuid,
    snapshot_id: i64,
    timestamp_ms: i64,
    added: Vec<DataFile>,
    /// What the new files take the place of, by path.
    removed: BTreeMap<String, ManifestEntryRef>,
    /// Every file that was written for it, to be dropped if it never comes to be.
    pub(super) written: Vec<String>,
}

impl<'a> Replace<'a> {
    /// A snapshot on top of `table`'s current one.
    ///
    /// Its time is `now`, but never before that of the last: readers search the history by time, and `iceberg` 0.10.1
    /// refuses to go back by more than a minute.
    ///
    /// # Errors
    /// The table is of a format that this does not write.
    pub(super) fn new(table: &'a Table, id: Uuid, now: Timestamp) -> Result<Self> {
        let metadata = table.metadata();
        if metadata.format_version() != FormatVersion::V2 {
            let message = format!("the table was made one of format {:?}", metadata.format_version());
            return Err(Error::new(ErrorKind::Table, message));
        }
        let last = metadata.history().last().map_or(i64::MIN, |entry| entry.timestamp_ms);
        Ok(Self {
            table,
            id,
            snapshot_id: snapshot_id(id),
            timestamp_ms: now.micros().div_euclid(1_000).max(last).max(metadata.last_updated_ms()),
            added: Vec::new(),
            removed: BTreeMap::new(),
            written: Vec::new(),
        })
    }

    /// Where to write the next data file of a day.
    pub(super) fn place(&mut self, day: i32) -> String {
        let path = data_path(self.table, day, &format!("{}-{:05}", self.id, self.written.len()));
        self.written.push(path.clone());
        path
    }

    /// `file` takes the place of `others`, which are of the same snapshot, day and rows.
    pub(super) fn put(&mut self, file: DataFile, others: impl IntoIterator<Item = ManifestEntryRef>) {
        self.added.push(file);
        self.removed.extend(others.into_iter().map(|entry| (entry.file_path().to_owned(), entry)));
    }

    /// Writes the manifests: those of `open` anew, as few as their entries allow, all others as they are.
    ///
    /// Surviving entries keep their snapshot and both sequence numbers; new files get this snapshot's, when the list is
    /// read. Files that were replaced are entries of a manifest of their own, which the next snapshot of this kind leaves
    /// out: it is of this snapshot only.
    ///
    /// # Errors
    /// A manifest cannot be read or written, or those of `open` lack a file that is to be replaced.
    pub(super) async fn write_manifests(
        &mut self,
        survey: &Survey,
        open: &BTreeSet<usize>,
    ) -> Result<Vec<ManifestFile>> {
        let (mut kept, mut surviving, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (index, manifest) in survey.manifests.iter().enumerate() {
            if manifest.content == ManifestContentType::Data && !is_live(manifest) {
                continue;
            }
            if !open.contains(&index) {
                kept.push(manifest.clone());
                continue;
            }
            for entry in entries(self.table, manifest).await? {
                if self.removed.contains_key(entry.file_path()) { gone.push(entry) } else { surviving.push(entry) }
            }
        }
        if gone.len() != self.removed.len() {
            let message = format!("{} files to be replaced, {} are in the table", self.removed.len(), gone.len());
            return Err(Error::new(ErrorKind::Table, message));
        }
        let mut written = self.write_living(surviving).await?;
        if !gone.is_empty() {
            written.push(self.write_gone(&gone).await?);
        }
        written.extend(kept);
        Ok(written)
    }

    /// Surviving and new files, in order of their days, so that a manifest is of few of them.
    async fn write_living(&mut self, surviving: Vec<ManifestEntryRef>) -> Result<Vec<ManifestFile>> {
        let mut living: Vec<(Option<i32>, Living)> =
            surviving.into_iter().map(|entry| (day(entry.data_file()), Living::Existing(entry))).collect();
        living.extend(self.added.iter().map(|file| (day(file), Living::Added(Box::new(file.clone())))));
        living.sort_by_key(|(day, _)| *day);
        let mut written = Vec::new();
        for part in living.chunks(MANIFEST_ENTRIES) {
            let (path, mut writer) = self.manifest()?;
            for (_, file) in part {
                file.add_to(&mut writer).map_err(Error::lake(format!("write {path}")))?;
            }
            written.push(writer.write_manifest_file().await.map_err(Error::lake(format!("write {path}")))?);
        }
        Ok(written)
    }

    async fn write_gone(&mut self, gone: &[ManifestEntryRef]) -> Result<ManifestFile> {
        let (path, mut writer) = self.manifest()?;
        for entry in gone {
            let sequence = entry.sequence_number().unwrap_or_default();
            let added = writer.add_delete_file(entry.data_file().clone(), sequence, entry.file_sequence_number);
            added.map_err(Error::lake(format!("write {path}")))?;
        }
        writer.write_manifest_file().await.map_err(Error::lake(format!("write {path}")))
    }

    fn manifest(&mut self) -> Result<(String, ManifestWriter)> {
        let metadata = self.table.metadata();
        let path = format!("{}/metadata/{}-m{}.avro", location(self.table), self.id, self.written.len());
        let output = self.table.file_io().new_output(&path).map_err(Error::lake(format!("write {path}")))?;
        self.written.push(path.clone());
        let (schema, spec) = (metadata.current_schema().clone(), metadata.default_partition_spec().as_ref().clone());
        Ok((path, ManifestWriterBuilder::new(output, Some(self.snapshot_id), schema, spec).build_v2_data()))
    }

    /// Writes the list of the manifests, and returns the snapshot: durable, and not named by anything yet.
    ///
    /// # Errors
    /// The list cannot be written.
    pub(super) async fn write_list(&mut self, manifests: Vec<ManifestFile>) -> Result<Snapshot> {
        let metadata = self.table.metadata();
        let (parent, sequence) = (metadata.current_snapshot_id(), metadata.next_sequence_number());
        let path = format!("{}/metadata/snap-{}-0-{}.avro", location(self.table), self.snapshot_id, self.id);
        let context = || format!("write {path}");
        let summary = self.summary();
        let output = self.table.file_io().new_output(&path).map_err(Error::lake(context()))?;
        self.written.push(path.clone());
        let output = output.writer().await.map_err(Error::lake(context()))?;
        let mut list = ManifestListWriter::v2(output, self.snapshot_id, parent, sequence);
        list.add_manifests(manifests.into_iter()).map_err(Error::lake(context()))?;
        list.close().await.map_err(Error::lake(context()))?;
        Ok(Snapshot::builder()
            .with_snapshot_id(self.snapshot_id)
            .with_parent_snapshot_id(parent)
            .with_sequence_number(sequence)
            .with_timestamp_ms(self.timestamp_ms)
            .with_manifest_list(path)
            .with_schema_id(metadata.current_schema_id())
            .with_summary(summary)
            .build())
    }

    /// What the snapshot says about itself, with the keys that other writers use. What `daybook.…` says of the last
    /// batch is not repeated: it is in that batch's own snapshot, and in the table's properties.
    fn summary(&self) -> Summary {
        let metadata = self.table.metadata();
        let mut sums = SnapshotSummaryCollector::default();
        let (schema, spec) = (metadata.current_schema(), metadata.default_partition_spec());
        for file in &self.added {
            sums.add_file(file, schema.clone(), spec.clone());
        }
        for entry in self.removed.values() {
            sums.remove_file(entry.data_file(), schema.clone(), spec.clone());
        }
        let mut properties = sums.build();
        let before = metadata.current_snapshot().map(|snapshot| &snapshot.summary().additional_properties);
        for (total, adds, takes) in TOTALS {
            let number = |of: Option<&String>| of.and_then(|text| text.parse::<u64>().ok());
            // A foreign engine's snapshot need not say; then neither does this one.
            if let Some(before) = number(before.and_then(|before| before.get(total))) {
                let (more, less) = (number(properties.get(adds)), number(properties.get(takes)));
                let sum = (before + more.unwrap_or_default()).saturating_sub(less.unwrap_or_default());
                properties.insert(total.to_owned(), sum.to_string());
            }
        }
        Summary { operation: Operation::Replace, additional_properties: properties }
    }

    /// The table with the snapshot as its current one. Its properties are as they were: the counts and the consumed set
    /// are about rows, and the rows are the same.
    ///
    /// # Errors
    /// The snapshot does not fit the table.
    pub(super) fn metadata(&self, snapshot: Snapshot) -> Result<TableMetadata> {
        let from = self.table.metadata_location().map(str::to_owned);
        let builder = self.table.metadata().clone().into_builder(from);
        let built = builder.set_branch_snapshot(snapshot, MAIN).and_then(|builder| builder.build());
        Ok(built.map_err(Error::lake("add a snapshot to the table"))?.metadata)
    }
}

/// An entry of a snapshot.
enum Living {
    Existing(ManifestEntryRef),
    Added(Box<DataFile>),
}

impl Living {
    fn add_to(&self, writer: &mut ManifestWriter) -> iceberg::Result<()> {
        match self {
            Self::Existing(entry) => {
                let (snapshot, sequence) = (entry.snapshot_id(), entry.sequence_number());
                let unknown = || iceberg::Error::new(iceberg::ErrorKind::DataInvalid, "an entry without a snapshot");
                let (snapshot, sequence) = snapshot.zip(sequence).ok_or_else(unknown)?;
                writer.add_existing_file(entry.data_file().clone(), snapshot, sequence, entry.file_sequence_number)
            }
            // No number: it gets the snapshot's own once that is known. There are no delete files that an older one
            // would keep out.
            Self::Added(file) => writer.add_file(file.as_ref().clone(), UNASSIGNED),
        }
    }
}

/// The id of a snapshot, which is positive, from that of its commit.
fn snapshot_id(id: Uuid) -> i64 {
    let (high, low) = id.as_u64_pair();
    i64::try_from((high ^ low) >> 1).unwrap_or_default()
}

fn location(table: &Table) -> &str {
    table.metadata().location().trim_end_matches('/')
}
