//! The contents of assets on one machine: files of the data folder, behind URLs that this server signs and serves.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::BytesMut;
use event::domain::asset::{self, Asset, Content};
use event::{Timestamp, key};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::assets::{AssetStore, GRANT_SECONDS, Grant, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::store::sqlite::SqliteStore;
use crate::store::{EntityRef, EventStore};

/// Bytes that are read of a file at a time.
const CHUNK: usize = 256 << 10;
/// A draft that has not become a content in this time never will: longer than any upload may take.
const DRAFT_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The contents that lie below a data folder, and the key that signs their URLs.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    store: Arc<SqliteStore>,
    key: [u8; 32],
    random: fn() -> [u8; 16],
}

/// What a [sweep](Folder::sweep) did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Contents that were looked at.
    pub contents: u64,
    /// Files that nothing named and that are gone.
    pub removed: u64,
}

impl Folder {
    /// The contents beside a store, with URLs under this key.
    pub fn new(store: Arc<SqliteStore>, key: [u8; 32], random: fn() -> [u8; 16]) -> Self {
        Self { root: store.folder().to_owned(), store, key, random }
    }

    /// Whether a URL was made here: for this method, and for this asset's key, media type and length.
    pub fn is_signed(&self, method: &str, asset: &Asset, expires: i64, signature: &str) -> bool {
        bool::from(self.signature(method, asset, expires).as_bytes().ct_eq(signature.as_bytes()))
    }

    /// Begins a content. It is nobody's, and gone again, unless it is [kept](Draft::keep).
    ///
    /// # Errors
    /// The disk's.
    pub async fn draft(&self, key: &str) -> io::Result<Draft> {
        let (target, random) = (self.path(key), event::hex(&(self.random)()[..8]));
        let store = Arc::clone(&self.store);
        blocking(move || Draft::create(store, target, &random)).await
    }

    /// Opens a content.
    ///
    /// # Errors
    /// The disk's, or there is none.
    pub fn open(&self, key: &str) -> io::Result<File> {
        File::open(self.path(key))
    }

    /// Removes contents that no asset has: what a crash between the removal of an asset and that of its content left
    /// behind, or an upload that came after it. An asset is there before its content is: nothing is removed too early.
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
        let Some(stored) = self.store.load(&entity).await?.filter(|stored| !stored.deleted) else { return Ok(false) };
        // What cannot be read is no reason to remove anything.
        Ok(serde_json::from_str(stored.state.as_str()).map_or(true, |asset: Asset| asset.key == key))
    }

    fn url(&self, method: &str, asset: &Asset, place: &Place) -> String {
        let expires = place.now.seconds() + i64::from(GRANT_SECONDS);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("tenant", &place.tenant).append_pair("expires", &expires.to_string());
        query.append_pair("signature", &self.signature(method, asset, expires));
        format!("{}/assets/{}/content?{}", place.api, asset.asset_id, query.finish())
    }

    /// NUL occurs in none of the parts: no two lists of parts are written alike.
    fn signature(&self, method: &str, asset: &Asset, expires: i64) -> String {
        let length = asset.content_length.map_or_else(String::new, |length| length.to_string());
        let text = [method, &asset.key, &asset.content_type, &length, &expires.to_string()].join("\0");
        // HMAC takes a key of any length, so there always is one.
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).map(|mac| mac.chain_update(text).finalize().into_bytes());
        mac.map_or_else(|_| String::new(), |mac| event::hex(&mac))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }
}

#[async_trait]
impl AssetStore for Folder {
    async fn upload(&self, asset: &Asset, place: &Place) -> Result<Grant> {
        let mut headers = vec![("Content-Type".to_owned(), asset.content_type.clone())];
        headers.extend(asset.content_length.map(|length| ("Content-Length".to_owned(), length.to_string())));
        Ok(Grant { url: self.url("PUT", asset, place), headers })
    }

    async fn download(&self, asset: &Asset, place: &Place) -> Result<String> {
        Ok(self.url("GET", asset, place))
    }

    async fn size(&self, key: &str) -> Result<Option<i64>> {
        match tokio::fs::metadata(self.path(key)).await {
            Ok(found) => Ok(Some(i64::try_from(found.len()).unwrap_or(i64::MAX))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("find", key, error)),
        }
    }

    async fn find(&self, key: &str) -> Result<Option<Content>> {
        let path = self.path(key);
        match blocking(move || digest(&path)).await {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", key, error)),
        }
    }

    async fn remove(&self, key: &str) -> Result<()> {
        match tokio::fs::remove_file(self.path(key)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", key, error)),
            _ => Ok(()),
        }
    }

    fn folder(&self) -> Option<&Folder> {
        Some(self)
    }
}

/// A content on its way to the disk, under a name that is no asset's. Removed when it is dropped.
#[derive(Debug)]
pub struct Draft {
    store: Arc<SqliteStore>,
    file: File,
    aside: PathBuf,
    target: PathBuf,
    hash: Sha256,
    size: u64,
}

/// A content that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them, hex.
    pub sha256: String,
}

impl Draft {
    fn create(store: Arc<SqliteStore>, target: PathBuf, random: &str) -> io::Result<Self> {
        let folder = target.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
        files::create_folder_durably(folder)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = target.with_file_name(format!(".{name}.{random}.tmp"));
        let file = File::options().write(true).create_new(true).open(&aside)?;
        Ok(Self { store, file, aside, target, hash: Sha256::new(), size: 0 })
    }

    /// Writes the next bytes; gives them back to be used again.
    ///
    /// # Errors
    /// The disk's; the draft is gone then.
    pub async fn write(mut self, bytes: BytesMut) -> io::Result<(Self, BytesMut)> {
        blocking(move || {
            self.file.write_all(&bytes)?;
            self.hash.update(&bytes);
            self.size += bytes.len() as u64;
            Ok((self, bytes))
        })
        .await
    }

    /// Makes it the content at its key: on disk, with its name, when this returns. What lies there already stays.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists), or the disk's; there is no content then. After a failed sync of
    /// its folder nobody can say whether there is one, and the store acknowledges nothing more.
    pub async fn keep(self) -> io::Result<Kept> {
        blocking(move || {
            self.file.sync_all()?;
            // A link replaces nothing, as a rename would.
            fs::hard_link(&self.aside, &self.target)?;
            fs::remove_file(&self.aside)?;
            let folder = self.target.parent().unwrap_or(Path::new("."));
            files::sync_folder(folder).inspect_err(|error| {
                self.store.end(format!("{} could not be synced: {error}", folder.display()));
            })?;
            Ok(Kept { size: self.size, sha256: event::hex(&self.hash.clone().finalize()) })
        })
        .await
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Kept or not, nothing is left under this name; a sweep finds what cannot be removed.
        let _ = fs::remove_file(&self.aside);
    }
}

fn digest(path: &Path) -> io::Result<Content> {
    let (mut file, mut hash, mut size) = (File::open(path)?, Sha256::new(), 0_usize);
    let mut bytes = vec![0; CHUNK];
    loop {
        match file.read(&mut bytes)? {
            0 => break,
            read => {
                hash.update(&bytes[..read]);
                size += read;
            }
        }
    }
    let checksum = format!("sha256:{}", event::hex(&hash.finalize()));
    Ok(Content { size: i64::try_from(size).unwrap_or(i64::MAX), checksum })
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

fn failed(what: &str, key: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {what} {key}")).with_source(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
