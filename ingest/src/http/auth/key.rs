//! API keys: what is known of each, and how one is made. The key itself is known to whoever has it, and to nobody here.

use std::fmt;
use std::str::FromStr;

use event::Timestamp;
use event::secret::from_hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::system::System;

/// What the text of every key begins with that was made here.
const PREFIX: &str = "dbk_";
/// Bytes of a key that nobody can guess.
const SECRET: usize = 24;
/// Longest id of a key that is made here.
const ID_MAX: usize = 64;

/// What a credential allows. Each allows all that stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reading the tenant's entities.
    Read,
    /// Changing them, too.
    Write,
    /// All there is: also the queries, which read what everybody of the tenant sent.
    Admin,
}

impl Scope {
    /// Every scope, from the least.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no scope; write read, write or admin"))
    }
}

/// What is known of an API key: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Id of the key, for the log.
    pub id: String,
    /// Whose data the key opens.
    pub tenant: String,
    /// What it allows.
    pub scope: Scope,
    /// SHA-256 of the key.
    #[serde(with = "hex")]
    pub sha256: [u8; 32],
    /// When it was made, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// From when on it opens nothing; none for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Since when it opens nothing, whatever else it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether the text is this key: one comparison, in constant time.
    pub fn is(&self, sha256: &[u8; 32]) -> bool {
        self.sha256.ct_eq(sha256).into()
    }

    /// Why the key opens nothing any more, for its owner.
    pub fn spent(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked_at.is_some() {
            return Some("The API key was revoked.");
        }
        self.expires_at.is_some_and(|end| end <= now).then_some("The API key has expired.")
    }
}

impl FromStr for ApiKey {
    type Err = String;

    /// Reads `id:tenant:sha256`, and behind it, each if it is wanted, `:scope` and `:expiry`.
    ///
    /// # Errors
    /// A part is missing or makes no sense. The message shows nothing of the first three.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write each as id:tenant:sha256, the SHA-256 of the key in 64 hex digits".to_owned();
        // The expiry comes last: its own colons are no borders.
        let mut parts = text.splitn(5, ':');
        let (id, tenant, hash) = (parts.next(), parts.next(), parts.next());
        let (Some(id), Some(tenant), Some(hash)) = (id, tenant, hash) else { return Err(wrong()) };
        if id.is_empty() || tenant.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            id: id.to_owned(),
            tenant: tenant.to_owned(),
            scope: parts.next().map_or(Ok(Scope::Admin), str::parse)?,
            sha256: from_hex(hash).ok_or_else(wrong)?,
            created_at: None,
            expires_at: parts.next().map(Timestamp::parse).transpose()?,
            revoked_at: None,
        })
    }
}

/// SHA-256 of a key's text.
pub fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Whether a text is meant to be a key that was made here, mistyped or not.
pub fn is_ours(text: &[u8]) -> bool {
    text.starts_with(PREFIX.as_bytes())
}

/// The id that a key's text carries, if it has the form of those that are made here.
pub fn id_of(text: &[u8]) -> Option<&str> {
    let (id, _) = std::str::from_utf8(text).ok()?.strip_prefix(PREFIX)?.split_once('_')?;
    is_id(id).then_some(id)
}

/// Whether a key can be called so: 1 to 64 of `A-Z a-z 0-9 . -`.
pub fn is_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its id; one is made up where none is said.
    pub id: Option<String>,
    /// Whose data it opens.
    pub tenant: String,
    /// What it allows.
    pub scope: Scope,
    /// When it ends; none for never.
    pub expires_at: Option<Timestamp>,
}

/// A key that was just made. Its text is here and nowhere else.
pub struct Minted {
    /// The key, `dbk_<id>_<secret>`: to be shown once.
    pub text: String,
    /// What is kept of it.
    pub key: ApiKey,
}

impl Minted {
    /// Makes a key of 192 unpredictable bits.
    ///
    /// # Errors
    /// The id or the tenant can be no key's.
    pub fn new(wanted: Wanted, system: System) -> Result<Self, String> {
        let random = || [(system.random)(), (system.random)()].concat();
        let id = wanted.id.unwrap_or_else(|| event::hex(&random()[..6]));
        if !is_id(&id) {
            return Err(format!("{id:.80?} can be no key's id; write 1 to 64 of A-Z a-z 0-9 . -"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&wanted.tenant.len()) || !wanted.tenant.bytes().all(plain) {
            return Err(format!("{:.80?} can be no tenant; write 1 to 64 of A-Z a-z 0-9 . _ -", wanted.tenant));
        }
        let now = (system.now)();
        if wanted.expires_at.is_some_and(|end| end <= now) {
            return Err("the key would have expired already".to_owned());
        }
        let text = format!("{PREFIX}{id}_{}", event::hex(&random()[..SECRET]));
        let key = ApiKey {
            id,
            tenant: wanted.tenant,
            scope: wanted.scope,
            sha256: hash(text.as_bytes()),
            created_at: Some(now),
            expires_at: wanted.expires_at,
            revoked_at: None,
        };
        Ok(Self { text, key })
    }
}

/// A hash as 64 hex digits.
mod hex {
    use super::from_hex;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&event::hex(hash))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        from_hex(&text).ok_or_else(|| D::Error::custom("a hash must be 64 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_key_says_as_much_as_it_wants() {
        let hash = "ab".repeat(32);
        let read = |text: &str| text.parse::<ApiKey>();
        let key = read(&format!("web:acme:{hash}")).unwrap();
        assert_eq!(
            (key.id.as_str(), key.tenant.as_str(), key.scope, key.expires_at),
            ("web", "acme", Scope::Admin, None)
        );
        assert_eq!(read(&format!("web:acme:{hash}:read")).unwrap().scope, Scope::Read);
        let end = read(&format!("web:acme:{hash}:write:2027-01-01T00:00:00Z")).unwrap().expires_at;
        assert_eq!(end, Timestamp::parse("2027-01-01T00:00:00Z").ok());
        for (text, reason) in [
            ("web", "id:tenant:sha256"),
            ("web:acme:s3cret", "64 hex digits"),
            (&format!(":acme:{hash}"), "id:tenant:sha256"),
            (&format!("web:acme:{hash}:root"), "read, write or admin"),
            (&format!("web:acme:{hash}:read:tomorrow"), "UTC time"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason) && !error.contains("s3cret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_made_key_carries_its_id_and_keeps_its_secret() {
        let wanted = |id: Option<&str>, tenant: &str| Wanted {
            id: id.map(str::to_owned),
            tenant: tenant.to_owned(),
            scope: Scope::Read,
            expires_at: None,
        };
        let made = Minted::new(wanted(Some("web-1"), "acme"), System::real()).unwrap();
        assert_eq!((id_of(made.text.as_bytes()), made.text.len()), (Some("web-1"), 58));
        assert!(made.key.is(&hash(made.text.as_bytes())) && !made.key.is(&hash(b"dbk_web-1_")));
        let kept = serde_json::to_string(&made.key).unwrap();
        assert!(!kept.contains(&made.text[10..]), "{kept}");
        assert_eq!(serde_json::from_str::<ApiKey>(&kept).unwrap(), made.key);
        let (one, other) = (wanted(None, "acme"), wanted(None, "acme"));
        let [one, other] = [one, other].map(|wanted| Minted::new(wanted, System::real()).unwrap());
        assert!(one.key.id != other.key.id && one.text != other.text && is_id(&one.key.id));
        for (id, tenant) in [(Some("a_b"), "acme"), (Some(""), "acme"), (Some("a"), ""), (Some("a"), "a:b")] {
            assert!(Minted::new(wanted(id, tenant), System::real()).is_err(), "{id:?} {tenant:?}");
        }
        for text in ["", "dbk_", "dbk__x", "dbk_a", "dbk_a b_c", "xdbk_a_b"] {
            assert_eq!(id_of(text.as_bytes()), None, "{text}");
        }
    }
}
