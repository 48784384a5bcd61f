//! What is left behind, found again.

use std::fs::{self, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use event::domain::asset::{self, Asset};
use event::{Timestamp, key};

use super::{Folder, blocking, failed};
use crate::assets::AssetStore;
use crate::error::{ErrorKind, Result};
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
    /// Removes contents of assets that are there no more: of those that have ended, and what a crash between the removal of
    /// an asset and that of its content left behind, or an upload that came after it; drafts that nobody will go on with;
    /// and folders that have nothing left. What cannot be read or removed stays, and does not keep the sweep from the rest.
    ///
    /// # Errors
    /// The folder cannot be listed, or the store not be asked; what was removed until then is gone.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept> {
        let mut walk = Walk::through(self.path(key::ASSETS)).map_err(|error| failed("list", key::ASSETS, error))?;
        let mut swept = Swept::default();
        loop {
            let (walked, found) = blocking(move || {
                let found = walk.next();
                Ok((walk, found))
            })
            .await
            .map_err(|error| failed("list", key::ASSETS, error))?;
            walk = walked;
            match found {
                None => return Ok(swept),
                Some(Found::File(file)) => self.sweep_file(&file, now, &mut swept).await?,
                Some(Found::Left(folder)) => self.remove_if_empty(folder).await,
            }
        }
    }

    async fn sweep_file(&self, file: &Path, now: Timestamp, swept: &mut Swept) -> Result<()> {
        let name = self.name(file);
        let is_needed = match key::asset_of(name) {
            Some((tenant, id, _)) => {
                swept.contents += 1;
                self.is_needed(EntityRef { tenant, kind: asset::ENTITY.to_owned(), id }, name, now).await?
            }
            None => !is_old_draft(file, now),
        };
        if is_needed {
            return Ok(());
        }
        match self.remove(name).await {
            Ok(()) => swept.removed += 1,
            Err(error) => tracing::warn!(%error, "a file that no asset has is left behind"),
        }
        Ok(())
    }

    /// Removes the folder of an asset, or of a tenant, that has nothing left. No upload can lose its folder by it.
    async fn remove_if_empty(&self, folder: PathBuf) {
        let (under_way, name) = (self.under_way.clone(), self.name(&folder).to_owned());
        let removed = blocking(move || {
            // One that is not empty stays by itself.
            under_way.unless_into(&name, || drop(fs::remove_dir(&folder)));
            Ok(())
        });
        drop(removed.await);
    }

    /// Where a file lies below the data folder.
    fn name<'a>(&self, path: &'a Path) -> &'a str {
        path.strip_prefix(&self.root).ok().and_then(Path::to_str).unwrap_or_default()
    }

    async fn is_needed(&self, entity: EntityRef, key: &str, now: Timestamp) -> Result<bool> {
        // An asset is in the store before its content is here: one that is not known, or cannot be read, says something of
        // the store, and is no reason to remove anything.
        let stored = match self.store.load(&entity).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(%error, key, "an asset cannot be read; its content stays");
                return Ok(true);
            }
            stored => stored?,
        };
        let Some(stored) = stored else { return Ok(true) };
        let asset: Option<Asset> = serde_json::from_str(stored.state.as_str()).ok();
        Ok(asset.is_none_or(|asset| asset.is_there(now) && asset.key == key))
    }
}

/// A walk through a folder and all that are in it, of which no more is in memory than the way to where it is.
struct Walk {
    way: Vec<(PathBuf, ReadDir)>,
}

/// What a walk comes by.
enum Found {
    File(PathBuf),
    /// A folder in the one that it began in, after all that is in it.
    Left(PathBuf),
}

impl Walk {
    fn through(folder: PathBuf) -> io::Result<Self> {
        match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { way: Vec::new() }),
            entries => Ok(Self { way: vec![(folder, entries?)] }),
        }
    }

    /// Goes on. What cannot be read is told to the log, and passed by.
    fn next(&mut self) -> Option<Found> {
        loop {
            let (_, entries) = self.way.last_mut()?;
            let Some(entry) = entries.next() else {
                let (folder, _) = self.way.pop()?;
                return (!self.way.is_empty()).then_some(Found::Left(folder));
            };
            let entered = entry.and_then(|entry| {
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_dir() {
                    let entries = fs::read_dir(&path)?;
                    self.way.push((path, entries));
                    return Ok(None);
                }
                Ok(kind.is_file().then_some(path))
            });
            match entered {
                Ok(Some(file)) => return Some(Found::File(file)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a folder of contents cannot be read whole"),
            }
        }
    }
}

/// Whether a file is a draft that a process left behind.
fn is_old_draft(file: &Path, now: Timestamp) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let modified = file.metadata().and_then(|found| found.modified()).ok();
    let since = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let since = i64::try_from((since + DRAFT_AGE).as_micros()).unwrap_or(i64::MAX);
    name.starts_with('.') && name.ends_with(".tmp") && since < now.micros()
}
