//! The installation's key: one secret, of which each purpose gets a key of its own.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The secret that an installation keeps for as long as it lives: masks and page tokens of earlier days depend on it.
#[derive(Clone)]
pub struct InstallationKey([u8; 32]);

impl InstallationKey {
    /// The key for one purpose. From one purpose's key no other's can be told.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.0).chain_update(purpose).finalize().into()
    }
}

impl FromStr for InstallationKey {
    type Err = String;

    /// Reads 64 hex digits.
    ///
    /// # Errors
    /// It is anything else. The message shows nothing of the text.
    fn from_str(text: &str) -> Result<Self, String> {
        from_hex(text.trim()).map(Self).ok_or_else(|| "must hold 64 hex digits".to_owned())
    }
}

/// Shows nothing.
impl fmt::Debug for InstallationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallationKey(…)")
    }
}

/// Thirty-two bytes from 64 hex digits.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_hex_digits_and_stays_unseen() {
        let key: InstallationKey = format!("{}\n", "0f".repeat(32)).parse().unwrap();
        assert_ne!(key.derive("redaction"), key.derive("cursors"));
        assert_eq!(format!("{key:?}"), "InstallationKey(…)");
        for text in ["", "0f", &"+f".repeat(32), &"é".repeat(32), &"0f".repeat(33)] {
            assert!(text.parse::<InstallationKey>().is_err(), "{text}");
        }
    }
}
