//! The contents of assets on one machine: files of the data folder, behind URLs that this server signs and serves.

mod draft;
mod sweep;
mod under_way;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use event::domain::asset::{Asset, Content};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::OnceCell;

use crate::assets::{AssetStore, Grant, Place, lasts};
use crate::error::{Error, ErrorKind, Result};
use crate::store::sqlite::SqliteStore;

pub use draft::{Draft, Kept};
pub use sweep::Swept;
use under_way::UnderWay;

/// Bytes that are read of a file at a time.
const CHUNK: usize = 256 << 10;

/// The contents that lie below a data folder, and the key that signs their URLs.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    store: Arc<SqliteStore>,
    key: [u8; 32],
    random: fn() -> [u8; 16],
    under_way: UnderWay,
    /// Contents that are being looked at.
    looks: Mutex<HashMap<String, Weak<OnceCell<Content>>>>,
}

impl Folder {
    /// The contents beside a store, with URLs under this key.
    pub fn new(store: Arc<SqliteStore>, key: [u8; 32], random: fn() -> [u8; 16]) -> Self {
        let root = store.folder().to_owned();
        Self { root, store, key, random, under_way: UnderWay::default(), looks: Mutex::default() }
    }

    /// Whether a URL was made here: for this method, and for this asset's key, media type and length.
    pub fn is_signed(&self, method: &str, asset: &Asset, expires: i64, signature: &str) -> bool {
        bool::from(self.signature(method, asset, expires).as_bytes().ct_eq(signature.as_bytes()))
    }

    /// Begins a content. It is nobody's, and gone again, unless it is [kept](Draft::keep).
    ///
    /// # Errors
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) if it was begun already and goes on, or the disk's.
    pub async fn draft(&self, key: &str) -> io::Result<Draft> {
        let (target, random) = (self.path(key), event::hex(&(self.random)()[..8]));
        let store = Arc::clone(&self.store);
        let entry = self.under_way.enter(key).ok_or(io::ErrorKind::ResourceBusy)?;
        blocking(move || Draft::create(store, target, &random, entry)).await
    }

    /// Opens a content.
    ///
    /// # Errors
    /// The disk's, or there is none.
    pub fn open(&self, key: &str) -> io::Result<File> {
        File::open(self.path(key))
    }

    fn url(&self, method: &str, asset: &Asset, place: &Place) -> String {
        let expires = place.now.seconds() + i64::from(lasts(asset, place.now));
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

    /// The look at a content that is under way, or a new one: all of it is read once, however many ask meanwhile.
    fn look(&self, key: &str) -> Arc<OnceCell<Content>> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = looks.get(key).and_then(Weak::upgrade) {
            return look;
        }
        looks.retain(|_, look| look.strong_count() > 0);
        let look = Arc::new(OnceCell::new());
        looks.insert(key.to_owned(), Arc::downgrade(&look));
        look
    }

    /// What lies at a key, under a name that a power cut does not take away.
    async fn digest(&self, key: &str) -> io::Result<Content> {
        let (path, store) = (self.path(key), Arc::clone(&self.store));
        blocking(move || {
            let content = digest(&path)?;
            // Whoever kept it may not be done with that yet.
            draft::sync_folder(&store, path.parent().unwrap_or(Path::new(".")))?;
            Ok(content)
        })
        .await
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
        let look = self.look(key);
        match look.get_or_try_init(|| self.digest(key)).await {
            Ok(content) => Ok(Some(content.clone())),
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

fn failed(what: &str, key: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {what} {key}")).with_source(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
