//! The files that a version of the table names.

use std::collections::HashSet;

use iceberg::io::FileIO;
use iceberg::spec::{ManifestList, TableMetadata};

use super::plain;
use crate::error::{Error, Result};
use crate::lake::CONSUMED;

/// Names of files, without folders: each has an id in it that no other has.
#[derive(Debug)]
pub(super) struct Named {
    files: FileIO,
    names: HashSet<String>,
}

impl Named {
    pub(super) fn new(files: FileIO) -> Self {
        Self { files, names: HashSet::new() }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Adds a file; whether it was not there yet.
    pub(super) fn add(&mut self, location: &str) -> bool {
        let name = plain(location).rsplit('/').next().unwrap_or_default();
        self.names.insert(name.to_owned())
    }

    /// Adds everything that is needed to read any snapshot of the table as it is now.
    ///
    /// # Errors
    /// Something of it cannot be read.
    pub(super) async fn add_current(&mut self, metadata: &TableMetadata) -> Result<()> {
        for entry in metadata.metadata_log() {
            self.add(&entry.metadata_file);
        }
        self.add_all(metadata, Absent::Fails).await
    }

    /// Adds what could be read of the table as it was in the metadata file `location`, if that is still there.
    ///
    /// # Errors
    /// Something that is there cannot be read.
    pub(super) async fn add_former(&mut self, location: &str) -> Result<()> {
        self.add(location);
        match TableMetadata::read_from(&self.files, location).await {
            Ok(metadata) => self.add_all(&metadata, Absent::IsOver).await,
            Err(error) => self.unless_gone(location, Error::lake(format!("read {location}"))(error)).await,
        }
    }

    async fn add_all(&mut self, metadata: &TableMetadata, absent: Absent) -> Result<()> {
        if let Some(consumed) = metadata.properties().get(CONSUMED) {
            self.add(consumed);
        }
        for statistics in metadata.statistics_iter() {
            self.add(&statistics.statistics_path);
        }
        for snapshot in metadata.snapshots() {
            if !self.add(snapshot.manifest_list()) {
                continue;
            }
            match self.add_manifests(metadata, snapshot.manifest_list(), absent).await {
                Err(error) if absent == Absent::Fails => return Err(error),
                Err(error) => self.unless_gone(snapshot.manifest_list(), error).await?,
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn add_manifests(&mut self, metadata: &TableMetadata, list: &str, absent: Absent) -> Result<()> {
        let context = || format!("read the manifest list {list}");
        let input = self.files.new_input(list).map_err(Error::lake(context()))?;
        let bytes = input.read().await.map_err(Error::lake(context()))?;
        let list = ManifestList::parse_with_version(&bytes, metadata.format_version());
        for manifest in list.map_err(Error::lake(context()))?.entries() {
            if !self.add(&manifest.manifest_path) {
                continue;
            }
            let path = &manifest.manifest_path;
            match manifest.load_manifest(&self.files).await {
                Ok(manifest) => {
                    for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
                        self.add(entry.file_path());
                    }
                }
                Err(error) => {
                    let error = Error::lake(format!("read the manifest {path}"))(error);
                    match absent {
                        Absent::Fails => return Err(error),
                        Absent::IsOver => self.unless_gone(path, error).await?,
                    }
                }
            }
        }
        Ok(())
    }

    /// The error, unless its cause is that the file is gone: then nobody can read what it named either.
    async fn unless_gone(&self, location: &str, error: Error) -> Result<()> {
        match self.files.exists(location).await {
            Ok(false) => Ok(()),
            _ => Err(error),
        }
    }
}

/// What it means that a file is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// The table is damaged, and nothing may be deleted.
    Fails,
    /// Its time was over: it belongs to no snapshot of the table as it is now.
    IsOver,
}
