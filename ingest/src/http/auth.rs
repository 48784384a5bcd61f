//! Who is asking: API keys by their hash.

use std::str::FromStr;

use event::secret::from_hex;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use super::request::Received;

/// An API key as the configuration has it: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Id of the key, for the log.
    pub id: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// Whose data the key opens.
    pub tenant: String,
}

impl FromStr for ApiKey {
    type Err = String;

    /// Reads `id:tenant:sha256`.
    ///
    /// # Errors
    /// A part is missing or the hash is none. The message shows nothing of the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write each as id:tenant:sha256, the SHA-256 of the key in 64 hex digits".to_owned();
        let mut parts = text.splitn(3, ':');
        let (id, tenant, hash) = (parts.next(), parts.next(), parts.next());
        let (Some(id), Some(tenant), Some(hash)) = (id, tenant, hash) else { return Err(wrong()) };
        if id.is_empty() || tenant.is_empty() {
            return Err(wrong());
        }
        let sha256 = from_hex(hash).ok_or_else(wrong)?;
        Ok(Self { id: id.to_owned(), tenant: tenant.to_owned(), sha256 })
    }
}

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Owner of the data.
    pub tenant: String,
    /// `api_key` or `anonymous`.
    pub actor_type: &'static str,
    /// The principal's id.
    pub actor_id: Option<String>,
    /// The key's id.
    pub api_key_id: Option<String>,
}

impl Identity {
    /// Anybody: where no keys are configured, and on routes that are open to all.
    pub fn anonymous() -> Self {
        Self { tenant: "default".to_owned(), actor_type: "anonymous", actor_id: None, api_key_id: None }
    }
}

/// Finds out who is asking.
///
/// Every key is compared, each in constant time, so that how long it takes says nothing.
///
/// # Errors
/// 401 where keys are configured and the request has none, or none of them.
pub fn identify(received: &Received, keys: &[ApiKey]) -> Result<Identity, Problem> {
    if keys.is_empty() {
        return Ok(Identity::anonymous());
    }
    let refused =
        |detail: &str| Problem::unauthenticated(detail).with("www-authenticate", "ApiKey header=\"x-api-key\"");
    let Some(given) = received.headers.get("x-api-key") else {
        return Err(refused("Send an API key in the header x-api-key."));
    };
    let hash: [u8; 32] = Sha256::digest(given.as_bytes()).into();
    let mut found = None;
    for key in keys {
        if bool::from(key.sha256.ct_eq(&hash)) {
            found = Some(key);
        }
    }
    let key = found.ok_or_else(|| refused("The API key is not known."))?;
    Ok(Identity {
        tenant: key.tenant.clone(),
        actor_type: "api_key",
        actor_id: Some(key.id.clone()),
        api_key_id: Some(key.id.clone()),
    })
}
