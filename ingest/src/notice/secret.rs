//! What notices are signed with, after Standard Webhooks.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use event::Timestamp;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What a secret's text begins with.
const PREFIX: &str = "whsec_";
/// How many bytes a secret may have.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret that sender and receiver share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret of these bytes.
    pub fn of(key: [u8; 32]) -> Self {
        Self(key.to_vec())
    }

    /// As receivers are told it: `whsec_…`.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The header `webhook-signature` of a message that is sent at a time.
    pub fn sign(&self, id: &str, at: Timestamp, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).map(|mac| {
            mac.chain_update(id).chain_update(format!(".{}.", at.seconds())).chain_update(body).finalize().into_bytes()
        });
        // HMAC takes a key of any length, so there always is one.
        format!("v1,{}", mac.map(|mac| STANDARD.encode(mac)).unwrap_or_default())
    }
}

impl FromStr for Secret {
    type Err = String;

    /// Reads `whsec_…`.
    ///
    /// # Errors
    /// It is anything else. The message shows nothing of the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.trim().strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.filter(|bytes| BYTES.contains(&bytes.len()));
        bytes.map(Self).ok_or_else(|| format!("must be {PREFIX} and base64 of 24 to 64 bytes"))
    }
}

/// Shows nothing.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's `base64.b64encode(hmac.new(key, b"id.timestamp.body", "sha256").digest())` says the same.
    #[test]
    fn signs_as_the_specification_has_it() {
        let check = |secret: &str, id: &str, seconds: i64, body: &str, expect: &str| {
            let secret: Secret = secret.parse().unwrap();
            assert_eq!(secret.sign(id, Timestamp::from_micros(seconds * 1_000_000 + 999_999), body), expect);
        };
        check(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        );
        let key: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).unwrap());
        check(
            &Secret::of(key).text(),
            "019aa0c5-6f8b-7000-8000-000000000000",
            1_763_631_026,
            r#"{"type":"task.completed"}"#,
            "v1,l1hZm6in7yJThL51iDszVbLZ+Oz2RHyNHyUaNpz1YAE=",
        );
    }

    #[test]
    fn a_secret_is_long_enough_and_stays_unseen() {
        let secret = Secret::of([7; 32]);
        assert_eq!(secret.text().parse(), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        for text in ["", "whsec_", "whsec_s3cret!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &short] {
            let refused = text.parse::<Secret>().unwrap_err();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }
}
