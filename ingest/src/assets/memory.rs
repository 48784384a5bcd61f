//! The reference implementation: contents in memory. For tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use event::domain::asset::{Asset, Content};

use super::{AssetStore, Grant, Place};
use crate::error::Result;

/// Contents in memory. Their URLs are good for nothing; [`put`](Self::put) uploads.
#[derive(Debug, Default)]
pub struct MemoryAssets {
    contents: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryAssets {
    /// Uploads a content.
    pub fn put(&self, key: &str, content: &[u8]) {
        self.lock().insert(key.to_owned(), content.to_vec());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AssetStore for MemoryAssets {
    async fn upload(&self, asset: &Asset, _: &Place) -> Result<Grant> {
        let headers = vec![("Content-Type".to_owned(), asset.content_type.clone())];
        Ok(Grant { url: format!("memory:{}", asset.key), headers })
    }

    async fn download(&self, asset: &Asset, _: &Place) -> Result<String> {
        Ok(format!("memory:{}", asset.key))
    }

    async fn size(&self, key: &str) -> Result<Option<i64>> {
        Ok(self.lock().get(key).map(|content| i64::try_from(content.len()).unwrap_or(i64::MAX)))
    }

    async fn find(&self, key: &str) -> Result<Option<Content>> {
        let size = self.size(key).await?;
        let checksum = self.lock().get(key).map(|content| format!("sha256:{}", event::sha256_hex(content)));
        Ok(size.zip(checksum).map(|(size, checksum)| Content { size, checksum }))
    }

    async fn remove(&self, key: &str) -> Result<()> {
        self.lock().remove(key);
        Ok(())
    }
}
