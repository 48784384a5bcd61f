//! What is left behind, found again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use event::domain::asset::{self, Asset};
use event::{Timestamp, key};

use super::{Folder, blocking, failed};
use crate::assets::AssetStore;
use crate::error::Result;
use crate::store::{EntityRef, EventStore};

/// A draft that has not become a content in this time never will: longer than any upload may take.
const DRAFT_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a [sweep](Folder::sweep) did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Contents that were looked at.
    pub contents: u64,
    /// Files that nothing named and that are gone.
    pub removed: u64,
}

impl Folder {
    /// Removes contents of assets that were removed: what a crash between the removal of an asset and that of its content
    /// left behind, or an upload that came after it; and drafts that nobody will go on with.
    ///
    /// # Errors
    /// The disk's or the store's; what was removed until then is gone.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept> {
        let root = self.path(key::ASSETS);
        let found =
            blocking(move || files_below(&root, 0)).await.map_err(|error| failed("list", key::ASSETS, error))?;
        let mut swept = Swept::default();
        for file in found {
            let name = file.strip_prefix(&self.root).ok().and_then(Path::to_str).unwrap_or_default();
            let is_needed = match key::asset_of(name) {
                Some((tenant, id, _)) => {
                    swept.contents += 1;
                    self.is_needed(EntityRef { tenant, kind: asset::ENTITY.to_owned(), id }, name).await?
                }
                None => !is_old_draft(&file, now),
            };
            if !is_needed {
                self.remove(name).await?;
                swept.removed += 1;
            }
        }
        Ok(swept)
    }

    async fn is_needed(&self, entity: EntityRef, key: &str) -> Result<bool> {
        // An asset is in the store before its content is here: one that is not known, or cannot be read, says something of
        // the store, and is no reason to remove anything.
        let Some(stored) = self.store.load(&entity).await? else { return Ok(true) };
        let asset: Option<Asset> = serde_json::from_str(stored.state.as_str()).ok();
        Ok(asset.is_none_or(|asset| asset.is_living() && asset.key == key))
    }
}

/// All files of a folder, three folders deep at most: as deep as keys are.
fn files_below(folder: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            found.push(entry.path());
        } else if entry.file_type()?.is_dir() && depth < 2 {
            found.extend(files_below(&entry.path(), depth + 1)?);
        }
    }
    Ok(found)
}

/// Whether a file is a draft that a process left behind.
fn is_old_draft(file: &Path, now: Timestamp) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let modified = file.metadata().and_then(|found| found.modified()).ok();
    let since = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let since = i64::try_from((since + DRAFT_AGE).as_micros()).unwrap_or(i64::MAX);
    name.starts_with('.') && name.ends_with(".tmp") && since < now.micros()
}
