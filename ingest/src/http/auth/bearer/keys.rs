//! The issuer's public keys: a JWKS, fetched when it is needed and kept while it cannot be.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::future::BoxFuture;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};

use crate::error::{Error, ErrorKind, Result};
use crate::system::System;

/// How long a set is used before it is fetched anew, microseconds.
const FRESH: u64 = 600_000_000;
/// How long nothing is fetched after a fetch, whatever kids strangers make up, microseconds.
const PAUSE: u64 = 30_000_000;
/// How many may wait for a fetch: kids that strangers make up must not take all the room while the issuer is slow.
const WAITING: usize = 64;

/// Fetches the text of a JWKS.
pub type FetchJwks = Arc<dyn Fn() -> BoxFuture<'static, Result<String>> + Send + Sync>;

/// A public key, and the one algorithm that it is for.
#[derive(Debug, Clone)]
pub struct PublicKey {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

/// The keys of one issuer by their `kid`.
pub struct IssuerKeys {
    fetch: FetchJwks,
    system: System,
    known: RwLock<HashMap<String, Arc<PublicKey>>>,
    /// When a fetch last began, on the monotonic clock, one more; 0 before the first.
    tried: AtomicU64,
    /// When the fetch began that the keys are from, likewise.
    fetched: AtomicU64,
    fetching: Mutex<()>,
    waiting: Semaphore,
}

impl IssuerKeys {
    /// Keys that are fetched as soon as one is asked for.
    pub fn new(fetch: FetchJwks, system: System) -> Self {
        let (tried, fetched) = (AtomicU64::new(0), AtomicU64::new(0));
        let (known, fetching, waiting) = (RwLock::default(), Mutex::default(), Semaphore::new(WAITING));
        Self { fetch, system, known, tried, fetched, fetching, waiting }
    }

    /// The key of this `kid`.
    ///
    /// An unknown one has the set fetched anew, at most every 30 seconds; a set that is older than ten minutes is, too,
    /// by one caller, while the others go on with the old one. A fetch that fails changes nothing, and is tried again
    /// after the pause. Who asks for an unknown one during a fetch waits for it, unless many do already.
    pub async fn find(&self, kid: &str) -> Option<Arc<PublicKey>> {
        let known = self.known(kid);
        match &known {
            Some(_) if self.since(&self.fetched) < FRESH => return known,
            Some(_) => {
                if let Ok(turn) = self.fetching.try_lock() {
                    self.refresh().await;
                    drop(turn);
                }
            }
            None => match self.fetching.try_lock() {
                Ok(turn) => {
                    self.refresh().await;
                    drop(turn);
                }
                Err(_) => {
                    let _place = self.waiting.try_acquire().ok()?;
                    // What the one before has fetched is what there is.
                    drop(self.fetching.lock().await);
                }
            },
        }
        self.known(kid)
    }

    /// Fetches the set for the first time.
    ///
    /// # Errors
    /// It cannot be fetched, or is none.
    pub async fn prepare(&self) -> Result<usize> {
        let keys = read(&(self.fetch)().await?)?;
        let now = (self.system.monotonic)().saturating_add(1);
        self.tried.store(now, Ordering::Release);
        self.fetched.store(now, Ordering::Release);
        let count = keys.len();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(count)
    }

    /// Fetches the set, unless that was tried a moment ago.
    async fn refresh(&self) {
        if self.since(&self.tried) < PAUSE {
            return;
        }
        let now = (self.system.monotonic)().saturating_add(1);
        self.tried.store(now, Ordering::Release);
        match (self.fetch)().await.and_then(|text| read(&text)) {
            Ok(keys) => {
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
                self.fetched.store(now, Ordering::Release);
            }
            Err(error) => tracing::error!(%error, "the keys of the JWT issuer are those of before"),
        }
    }

    /// Microseconds since a fetch of either kind.
    fn since(&self, fetch: &AtomicU64) -> u64 {
        match fetch.load(Ordering::Acquire) {
            0 => u64::MAX,
            began => (self.system.monotonic)().saturating_sub(began - 1),
        }
    }

    fn known(&self, kid: &str) -> Option<Arc<PublicKey>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }
}

/// Reads a JWKS. Keys that no token of ours can be signed with are left out; the first of a `kid` counts.
///
/// # Errors
/// It is none, or none of its keys is of use.
pub fn read(text: &str) -> Result<HashMap<String, Arc<PublicKey>>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let wrong = |what: &str| Error::new(ErrorKind::Unusable, format!("the JWKS {what}"));
    let set: Set = serde_json::from_str(text).map_err(|error| wrong("cannot be read").with_source(error))?;
    let mut keys = HashMap::new();
    // One key of a kind that this version does not know must not take the others away.
    for jwk in set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok()) {
        if let (Some(kid), Some(key)) = (jwk.common.key_id.clone(), usable(&jwk)) {
            keys.entry(kid).or_insert_with(|| Arc::new(key));
        }
    }
    match keys.is_empty() {
        true => Err(wrong("has no key with a kid for RS256, ES256 or EdDSA")),
        false => Ok(keys),
    }
}

fn usable(jwk: &Jwk) -> Option<PublicKey> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|it| it.contains(&KeyOperations::Verify))
        && common.key_algorithm.is_none_or(|it| it == named);
    Some(PublicKey { algorithm, key: DecodingKey::from_jwk(jwk).ok().filter(|_| signs)? })
}
