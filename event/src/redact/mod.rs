//! Masks secrets before an event exists: in headers, query strings, bodies, paths and error texts.
//!
//! A secret becomes `[redacted:xxxxxxxx]`: the first eight hex digits of its HMAC-SHA256 under the installation's key.
//! Equal secrets of one installation get equal masks and can still be joined; the secret cannot be got back.

mod body;
mod headers;
mod json;
mod patterns;
mod query;
mod rules;

use std::borrow::Cow;

use hmac::{Hmac, Mac};
use regex::Regex;
use sha2::Sha256;

pub use body::{Body, Encoding};
pub use rules::Rules;

use crate::codec::hex;

/// Masks by names and by patterns. One per process: building it compiles the patterns.
#[derive(Debug, Clone)]
pub struct Redactor {
    mac: Hmac<Sha256>,
    rules: Rules,
    values: Regex,
    pairs: Regex,
}

impl Redactor {
    /// A redactor under the installation's key.
    ///
    /// # Errors
    /// A name of `rules` makes no pattern; the message says which.
    pub fn new(key: [u8; 32], rules: Rules) -> Result<Self, String> {
        let rules = rules.folded()?;
        let values = patterns::values()?;
        let pairs = patterns::pairs(rules.keys())?;
        let mac = Hmac::new_from_slice(&key).map_err(|error| error.to_string())?;
        Ok(Self { mac, rules, values, pairs })
    }

    /// The mask of one secret; a mask stays what it is, so that masking twice changes nothing.
    pub fn mask(&self, secret: &str) -> String {
        if is_mask(secret) {
            return secret.to_owned();
        }
        let digest = self.mac.clone().chain_update(secret.as_bytes()).finalize().into_bytes();
        format!("[redacted:{}]", hex(&digest[..4]))
    }

    /// Masks what looks like a secret in free text: an error's text, a path, a body that does not parse.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let by_name = patterns::mask_pairs(self, text);
        match self.value(&by_name) {
            Cow::Owned(masked) => Cow::Owned(masked),
            Cow::Borrowed(_) => by_name,
        }
    }

    /// Masks what looks like a secret by its own shape, whatever it is called.
    pub fn value<'a>(&self, text: &'a str) -> Cow<'a, str> {
        patterns::mask_values(self, text)
    }
}

/// Whether the text is exactly a mask. Text that merely holds one may hold a secret beside it.
fn is_mask(text: &str) -> bool {
    let digits = text.strip_prefix("[redacted:").and_then(|rest| rest.strip_suffix(']'));
    digits.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
pub(crate) fn for_tests() -> Redactor {
    Redactor::new([7; 32], Rules::default()).unwrap()
}
