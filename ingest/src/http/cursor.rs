//! Opaque page tokens: made here, readable only for the list they were made for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// Version of the token's layout.
const VERSION: u8 = 1;
/// Bytes of the list's hash and of the MAC in a token.
const HASH: usize = 8;
const MAC: usize = 16;

/// Makes and reads page tokens under the installation's key.
#[derive(Debug, Clone)]
pub struct Cursors {
    key: [u8; 32],
}

impl Cursors {
    /// Tokens under this key.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The token for the page after `last`. `list` names tenant, route and filters: what the token is good for.
    pub fn token(&self, list: &str, last: &str) -> String {
        let mut token = vec![VERSION];
        token.extend_from_slice(&Sha256::digest(list.as_bytes())[..HASH]);
        token.extend_from_slice(last.as_bytes());
        let mac = self.mac(&token);
        token.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The key to go on from.
    ///
    /// # Errors
    /// 400 for a token that was altered, or made for another list, tenant or installation.
    pub fn last(&self, list: &str, token: &str) -> Result<String, Problem> {
        let refused = || Problem::parameter("next", "invalid_value", "next is not a token of this list.");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let (body, mac) = bytes.split_at_checked(bytes.len().saturating_sub(MAC)).ok_or_else(refused)?;
        let genuine = subtle::ConstantTimeEq::ct_eq(self.mac(body).as_slice(), mac);
        let (head, last) = body.split_at_checked(1 + HASH).ok_or_else(refused)?;
        let ours = head[0] == VERSION && head[1..] == Sha256::digest(list.as_bytes())[..HASH];
        if !bool::from(genuine) || !ours {
            return Err(refused());
        }
        String::from_utf8(last.to_vec()).map_err(|_| refused())
    }

    fn mac(&self, body: &[u8]) -> [u8; MAC] {
        let mut out = [0; MAC];
        // HMAC takes a key of any length, so there always is one.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) {
            mac.update(b"daybook cursor\0");
            mac.update(body);
            out.copy_from_slice(&mac.finalize().into_bytes()[..MAC]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_list_only() {
        let cursors = Cursors::new([1; 32]);
        let token = cursors.token("a\0/tasks\0", "id-7");
        assert_eq!(cursors.last("a\0/tasks\0", &token), Ok("id-7".to_owned()));
        assert!(cursors.last("b\0/tasks\0", &token).is_err());
        assert!(Cursors::new([2; 32]).last("a\0/tasks\0", &token).is_err());
        for text in ["", "AA", "not base64!", &token[1..], &format!("{token}A")] {
            assert!(cursors.last("a\0/tasks\0", text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_altered_byte_is_found() {
        let cursors = Cursors::new([1; 32]);
        let bytes = URL_SAFE_NO_PAD.decode(cursors.token("l", "id-7")).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(cursors.last("l", &URL_SAFE_NO_PAD.encode(altered)).is_err(), "byte {at}");
        }
    }
}
