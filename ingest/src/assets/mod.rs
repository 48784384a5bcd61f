//! The port to the contents of assets: where they lie, and by what URLs clients reach them themselves.

pub mod memory;

use async_trait::async_trait;
use event::Timestamp;
use event::domain::asset::{Asset, Content};

use crate::error::Result;

/// The longest that a URL is good, seconds.
pub const GRANT_SECONDS: u32 = 15 * 60;

/// How long a URL for an asset is good that is given now, seconds: never longer than the asset is there.
pub fn lasts(asset: &Asset, now: Timestamp) -> u32 {
    let left = asset.expires_at.map(|end| end.saturating_sub(now.seconds()).max(1));
    left.and_then(|left| u32::try_from(left).ok()).map_or(GRANT_SECONDS, |left| left.min(GRANT_SECONDS))
}

/// What lets a client upload the content of one asset, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Where to `PUT` it. A secret until it has expired.
    pub url: String,
    /// Headers that the request must have, exactly so.
    pub headers: Vec<(String, String)>,
}

/// Where and when a URL is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What a client's address of this API begins with: `http://127.0.0.1:3000/v1`.
    pub api: String,
    /// Whose asset it is.
    pub tenant: String,
    /// Now.
    pub now: Timestamp,
}

/// Where the contents of assets lie.
///
/// A content is written once: nothing replaces what lies at a key, so that what the log says of it stays true.
#[async_trait]
pub trait AssetStore: Send + Sync {
    /// A URL to upload an asset's content: for its key, its media type and, if it was announced, its length alone.
    async fn upload(&self, asset: &Asset, place: &Place) -> Result<Grant>;

    /// A URL to download it, under its name.
    async fn download(&self, asset: &Asset, place: &Place) -> Result<String>;

    /// Bytes of the content at a key; `None` where there is none.
    async fn size(&self, key: &str) -> Result<Option<i64>>;

    /// The content at a key, with what tells it from any other. May read all of it.
    async fn find(&self, key: &str) -> Result<Option<Content>>;

    /// Removes the content at a key, if there is any.
    async fn remove(&self, key: &str) -> Result<()>;

    /// The folder that the contents lie in, where this process serves the URLs itself.
    #[cfg(feature = "local")]
    fn folder(&self) -> Option<&crate::local::assets::Folder> {
        None
    }
}

/// `Content-Disposition` of a download under a name, with what old clients take of it (RFC 6266).
pub fn disposition(file_name: &str) -> String {
    /// What may stand as it is in an extended value (RFC 8187, 3.2.1).
    const ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'!')
        .remove(b'#')
        .remove(b'$')
        .remove(b'&')
        .remove(b'+')
        .remove(b'-')
        .remove(b'.')
        .remove(b'^')
        .remove(b'_')
        .remove(b'`')
        .remove(b'|')
        .remove(b'~');
    let plain = |c: char| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%') { c } else { '_' };
    let fallback: String = file_name.chars().map(plain).collect();
    let exact = percent_encoding::utf8_percent_encode(file_name, ESCAPED);
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_a_header_in_two_ways() {
        let check = |name: &str, expect: &str| assert_eq!(disposition(name), format!("attachment; {expect}"));
        check("cat.png", "filename=\"cat.png\"; filename*=UTF-8''cat.png");
        check("Kätzchen 1.png", "filename=\"K_tzchen 1.png\"; filename*=UTF-8''K%C3%A4tzchen%201.png");
        check("a\"; x=\"b%41", "filename=\"a_; x=_b_41\"; filename*=UTF-8''a%22%3B%20x%3D%22b%2541");
    }
}
