//! Keys that are made and revoked while the API runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::future::BoxFuture;

use super::key::ApiKey;
use crate::error::Result;

/// Finds a key by its id, wherever keys are kept.
pub type FindKey = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Option<Arc<ApiKey>>>> + Send + Sync>;

/// Where the keys are that are made while the API runs.
#[derive(Clone, Default)]
pub enum Issued {
    /// None are made.
    #[default]
    Nowhere,
    /// All of them are in memory: whoever watches their file puts new ones in their place.
    Known(Arc<KnownKeys>),
    /// Each is asked for. Whether there are any is not known, so who has none is refused.
    Asked(FindKey),
    /// Each is asked for, and who has none comes in all the same: for trying out.
    AskedWhereGiven(FindKey),
}

impl Issued {
    /// The key of this id, spent ones included.
    ///
    /// # Errors
    /// It cannot be told whether there is one.
    pub(super) async fn find(&self, id: &str) -> Result<Option<Arc<ApiKey>>> {
        match self {
            Self::Nowhere => Ok(None),
            Self::Known(known) => Ok(known.find(id)),
            Self::Asked(find) | Self::AskedWhereGiven(find) => find(id.to_owned()).await,
        }
    }

    /// Whether keys were or may have been made, so that who has none is refused.
    pub(super) fn may_be_there(&self) -> bool {
        match self {
            Self::Nowhere | Self::AskedWhereGiven(_) => false,
            Self::Known(known) => known.are_there(),
            Self::Asked(_) => true,
        }
    }
}

/// Keys in memory, found by their id at the cost of a look into a table.
#[derive(Debug, Default)]
pub struct KnownKeys {
    keys: RwLock<HashMap<String, Arc<ApiKey>>>,
    were_there: AtomicBool,
}

impl KnownKeys {
    /// Takes these in the place of those before.
    pub fn set(&self, keys: Vec<ApiKey>) {
        if !keys.is_empty() {
            self.were_there.store(true, Ordering::Release);
        }
        let keys = keys.into_iter().map(|key| (key.id.clone(), Arc::new(key))).collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Whether there is a key, or was since the start: a file that is lost does not open the API to everybody.
    pub fn are_there(&self) -> bool {
        self.were_there.load(Ordering::Acquire)
    }

    fn find(&self, id: &str) -> Option<Arc<ApiKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}
