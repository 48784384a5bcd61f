//! `/assets`: a file that a client uploads by itself. What is kept here is what is known of it; its content lies under
//! a key that the server made.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Change, FieldError, Fields, Lifetime, Operation, Refusal, State, lifetime, media_type, user};
use crate::time::Timestamp;

/// The entity type of assets.
pub const ENTITY: &str = "asset";
/// Type of the event that announces an asset.
pub const CREATED: &str = "asset.created";
/// Type of the event that says that its content is there.
pub const UPLOADED: &str = "asset.uploaded";
/// Type of the event that removes an asset.
pub const DELETED: &str = "asset.deleted";
/// The longest file name, in characters.
pub const FILE_NAME_MAX: usize = 255;
/// What a file name of up to [`FILE_NAME_MAX`] characters matches: no path, and not all of it white space.
pub const FILE_NAME_PATTERN: &str = concat!(
    r"^([^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069/\\]*",
    r"[^\u0000-\u0020\u007f-\u00a0\u061c\u1680\u2000-\u200a\u200e\u200f\u2028-\u202f\u205f\u2066-\u2069\u3000/\\.]",
    r"[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069/\\]*",
    r"|[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000][ .\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*\.",
    r"[ .\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*",
    r"|(\.{1,2}[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]|\.{3})[ .\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*)$",
);
/// Largest content whose length was announced, bytes: what S3 takes in one upload.
pub const LENGTH_MAX: i64 = 5 << 30;
/// Largest content whose length was not announced, bytes.
pub const UNANNOUNCED_MAX: i64 = 100 << 20;

/// An asset, as answers show it and as the fold makes it. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// What the client calls it, or the server.
    #[serde(rename = "assetId")]
    pub asset_id: String,
    /// What the client calls its content; never part of a path.
    #[serde(rename = "fileName")]
    pub file_name: String,
    /// The media type of its content.
    #[serde(rename = "contentType")]
    pub content_type: String,
    /// Bytes of its content, as announced.
    #[serde(rename = "contentLength", default, skip_serializing_if = "Option::is_none")]
    pub content_length: Option<i64>,
    /// Whether its content is there.
    pub status: Status,
    /// Bytes of its content, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// What tells its content from any other, once it is there: `sha256:<hex>`, or what the bucket has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Where its content lies.
    pub key: String,
    /// When it was made; made again, if it had been removed or had ended.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
    /// When it was removed; absent unless it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<i64>,
    /// When it ends; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// How many changes it has seen.
    pub version: i64,
}

/// Whether an asset's content is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not yet.
    Pending,
    /// It is, and never changes any more.
    Uploaded,
}

impl Status {
    /// Every word for a status.
    pub const WORDS: &'static [&'static str] = &["pending", "uploaded"];
}

/// What announces an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAsset {
    /// What the client calls it; none leaves it to the server.
    pub asset_id: Option<String>,
    /// What it calls the content.
    pub file_name: String,
    /// The media type.
    pub content_type: String,
    /// Bytes.
    pub content_length: Option<i64>,
}

/// Content that was found at an asset's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Bytes.
    pub size: i64,
    /// What tells it from any other.
    pub checksum: String,
}

/// What may happen to an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Announce it, to be there so long; its content will lie under this key.
    Create(NewAsset, String, Lifetime),
    /// Its content is there.
    Upload(Content),
    /// Remove it.
    Delete,
}

/// Whether a text can be an asset's id: as a user's.
pub fn is_id(text: &str) -> bool {
    user::is_id(text)
}

/// Where an asset stands in lists, the newest last: by second of creation, then by id.
pub fn list_key(id: &str, state: &State) -> String {
    user::list_key(id, state)
}

impl Asset {
    /// Whether it is there at a moment: neither removed nor ended.
    pub fn is_there(&self, at: Timestamp) -> bool {
        lifetime::is_there(self.deleted_at, self.expires_at, at)
    }

    /// Most bytes that its content may have.
    pub fn most_bytes(&self) -> i64 {
        self.content_length.unwrap_or(UNANNOUNCED_MAX)
    }

    /// Whether content of so many bytes can be its own.
    pub fn takes(&self, size: i64) -> bool {
        self.content_length.map_or(size <= UNANNOUNCED_MAX, |announced| size == announced)
    }
}

impl NewAsset {
    /// Reads the body of a `POST /assets`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(body: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
        let missing: Vec<&str> = ["fileName", "contentType"].into_iter().filter(|name| !fields.has(name)).collect();
        missing.into_iter().for_each(|name| fields.missing(name));
        let asset_id = fields.text("assetId", user::ID_MAX);
        if asset_id.as_deref().is_some_and(|id| !is_id(id)) {
            let detail = "assetId must be of letters, digits, \".\", \"_\" and \"-\", and not \".\" or \"..\".";
            fields.error(FieldError::field("assetId", "invalid_value", detail));
        }
        let file_name = fields.text("fileName", FILE_NAME_MAX);
        if file_name.as_deref().is_some_and(|name| !is_file_name(name)) {
            let detail = "fileName must be a name without path separators and control characters, not \".\" or \"..\".";
            fields.error(FieldError::field("fileName", "invalid_value", detail));
        }
        let content_type = fields.text("contentType", media_type::MAX);
        if content_type.as_deref().is_some_and(|text| !media_type::is_media_type(text)) {
            let detail = "contentType must be a media type, such as image/png or text/plain; charset=utf-8.";
            fields.error(FieldError::field("contentType", "invalid_value", detail));
        }
        let content_length = fields.whole("contentLength", 0..=LENGTH_MAX);
        fields.finish()?;
        let (file_name, content_type) = (file_name.unwrap_or_default(), content_type.unwrap_or_default());
        Ok(Self { asset_id, file_name, content_type, content_length })
    }

    /// Whether an asset is there and what this would announce.
    pub fn is_met_by(&self, asset: &Asset, now: Timestamp) -> bool {
        asset.is_there(now)
            && asset.file_name == self.file_name
            && asset.content_type == self.content_type
            && asset.content_length == self.content_length
    }
}

/// A name alone: nothing that any system would take for a path, nothing that a terminal or a header would act on.
fn is_file_name(name: &str) -> bool {
    let turns =
        |c| matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let odd = |c: char| c.is_control() || turns(c) || matches!(c, '/' | '\\' | '\u{2028}' | '\u{2029}');
    name != "." && name != ".." && !name.contains(odd)
}

/// Decides what a command does to an asset.
///
/// `expected` is the version that the client named with `If-Match`, if it did.
///
/// # Errors
/// [`Refusal::NotFound`] for an asset that is not there or no more, [`Refusal::Stale`] for one at another version,
/// [`Refusal::Exists`] for one that is to be made and is there, or whose content is.
pub fn decide(
    current: Option<&Asset>,
    command: Command,
    expected: Option<i64>,
    id: &str,
    now: Timestamp,
) -> Result<Change, Refusal> {
    let there = current.filter(|asset| asset.is_there(now));
    let (event_type, operation, data) = match command {
        Command::Create(new, key, lifetime) => {
            (CREATED, Operation::Create, lifetime::with_end(created(new, key), lifetime.end(now)))
        }
        Command::Upload(content) => {
            let data = json!({"size": content.size, "checksum": content.checksum});
            // The end stays, and the event says so: whoever folds it takes an end from nowhere else.
            (UPLOADED, Operation::Update, lifetime::with_end(data, there.and_then(|asset| asset.expires_at)))
        }
        Command::Delete => (DELETED, Operation::Delete, Value::Object(Map::new())),
    };
    match (there, expected) {
        (Some(_), _) if operation == Operation::Create => return Err(Refusal::Exists),
        (None, _) if operation != Operation::Create => return Err(Refusal::NotFound),
        (Some(asset), Some(version)) if asset.version != version => {
            return Err(Refusal::Stale { current: asset.version });
        }
        (Some(asset), _) if event_type == UPLOADED && asset.status == Status::Uploaded => return Err(Refusal::Exists),
        _ => {}
    }
    // `data` was made from the command just above, so the fold takes it.
    let state = evolve(current, event_type, &data, id, now).map_err(|_| Refusal::NotFound)?;
    Ok(Change { event_type, operation, version: state.version, data, state: State::of(&state) })
}

/// What the fold reads of a creation.
#[derive(Serialize, Deserialize)]
struct Created {
    #[serde(rename = "fileName")]
    file_name: String,
    #[serde(rename = "contentType")]
    content_type: String,
    #[serde(rename = "contentLength", default, skip_serializing_if = "Option::is_none")]
    content_length: Option<i64>,
    key: String,
}

fn created(new: NewAsset, key: String) -> Value {
    let NewAsset { file_name, content_type, content_length, .. } = new;
    serde_json::to_value(Created { file_name, content_type, content_length, key }).unwrap_or(Value::Null)
}

/// The asset after an event: the fold's step. One that was removed or has ended can be made again; its versions go on.
///
/// What was changed after its end is folded all the same: an earlier version of the software knows of no end.
///
/// # Errors
/// The event does not follow on the state: made while it is there, uploaded twice, changed when it was removed, or
/// data of another shape.
pub fn evolve(
    current: Option<&Asset>,
    event_type: &str,
    data: &Value,
    id: &str,
    at: Timestamp,
) -> Result<Asset, String> {
    let now = at.seconds();
    let expires_at = lifetime::end_of(data)?;
    if event_type == CREATED {
        if let Some(asset) = current.filter(|asset| asset.is_there(at)) {
            return Err(format!("{CREATED} follows on version {}", asset.version));
        }
        let Created { file_name, content_type, content_length, key } =
            Created::deserialize(data).map_err(|error| error.to_string())?;
        return Ok(Asset {
            asset_id: id.to_owned(),
            file_name,
            content_type,
            content_length,
            status: Status::Pending,
            size: None,
            checksum: None,
            key,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            expires_at,
            version: current.map_or(0, |asset| asset.version) + 1,
        });
    }
    let asset =
        current.filter(|asset| asset.deleted_at.is_none()).ok_or_else(|| format!("{event_type} without an asset"))?;
    let next = Asset { updated_at: now, expires_at, version: asset.version + 1, ..asset.clone() };
    match event_type {
        UPLOADED if asset.status == Status::Uploaded => Err(format!("{UPLOADED} twice")),
        UPLOADED => {
            let Content { size, checksum } = Content::deserialize(data).map_err(|error| error.to_string())?;
            Ok(Asset { status: Status::Uploaded, size: Some(size), checksum: Some(checksum), ..next })
        }
        DELETED => Ok(Asset { deleted_at: Some(now), ..next }),
        other => Err(format!("{other} is no event of an asset")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "cat";
    const KEY: &str = "assets/default/cat/1";
    /// Two days after the tenth second.
    const END: i64 = 172_810;
    const BODY: &str = r#"{"assetId":"cat","fileName":"Kätzchen.png","contentType":"image/png"}"#;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000 + 999_999)
    }

    fn given() -> Asset {
        Asset {
            asset_id: ID.to_owned(),
            file_name: "Kätzchen.png".to_owned(),
            content_type: "image/png".to_owned(),
            content_length: None,
            status: Status::Pending,
            size: None,
            checksum: None,
            key: KEY.to_owned(),
            created_at: 10,
            updated_at: 10,
            deleted_at: None,
            expires_at: Some(END),
            version: 1,
        }
    }

    fn ended() -> Asset {
        Asset { expires_at: Some(20), ..given() }
    }

    fn uploaded() -> Asset {
        let checksum = Some("sha256:00".to_owned());
        Asset { status: Status::Uploaded, size: Some(7), checksum, updated_at: 11, version: 2, ..given() }
    }

    fn deleted() -> Asset {
        Asset { deleted_at: Some(12), updated_at: 12, expires_at: None, version: 3, ..uploaded() }
    }

    fn create() -> Command {
        Command::Create(NewAsset::parse(BODY).unwrap(), KEY.to_owned(), Lifetime::of_days(2))
    }

    fn upload() -> Command {
        Command::Upload(Content { size: 7, checksum: "sha256:00".to_owned() })
    }

    #[track_caller]
    fn then(given: Option<&Asset>, when: Command, expected: Option<i64>, expect: Result<(&str, Asset), Refusal>) {
        let decided = decide(given, when, expected, ID, at(20));
        match expect {
            Err(refusal) => assert_eq!(decided, Err(refusal)),
            Ok((event_type, asset)) => {
                let change = decided.unwrap();
                assert_eq!((change.event_type, change.version), (event_type, asset.version));
                assert_eq!(change.state, State::of(&asset));
                assert_eq!(evolve(given, event_type, &change.data, ID, at(20)), Ok(asset));
            }
        }
    }

    #[test]
    fn decides() {
        let made = Asset { created_at: 20, updated_at: 20, expires_at: Some(END + 10), ..given() };
        then(None, create(), None, Ok((CREATED, made.clone())));
        then(Some(&given()), create(), None, Err(Refusal::Exists));
        then(Some(&deleted()), create(), None, Ok((CREATED, Asset { version: 4, ..made.clone() })));
        then(Some(&ended()), create(), None, Ok((CREATED, Asset { version: 2, ..made })));

        let there = Asset { updated_at: 20, ..uploaded() };
        then(Some(&given()), upload(), None, Ok((UPLOADED, there)));
        then(Some(&uploaded()), upload(), None, Err(Refusal::Exists));
        then(Some(&deleted()), upload(), None, Err(Refusal::NotFound));
        then(Some(&ended()), upload(), None, Err(Refusal::NotFound));
        then(None, upload(), None, Err(Refusal::NotFound));

        let gone = Asset { deleted_at: Some(20), updated_at: 20, expires_at: None, version: 3, ..uploaded() };
        then(Some(&uploaded()), Command::Delete, None, Ok((DELETED, gone)));
        then(Some(&uploaded()), Command::Delete, Some(1), Err(Refusal::Stale { current: 2 }));
        then(Some(&deleted()), Command::Delete, None, Err(Refusal::NotFound));
        then(Some(&ended()), Command::Delete, None, Err(Refusal::NotFound));
    }

    #[test]
    fn only_the_announcement_sets_an_end() {
        let endless = Command::Create(NewAsset::parse(BODY).unwrap(), KEY.to_owned(), Lifetime::UNBOUNDED);
        let made = Asset { created_at: 20, updated_at: 20, expires_at: None, ..given() };
        then(None, endless, None, Ok((CREATED, made.clone())));
        let there = Asset { created_at: 20, updated_at: 20, expires_at: None, ..uploaded() };
        then(Some(&made), upload(), None, Ok((UPLOADED, there)));
        // An earlier version of the software takes it away.
        let there = Asset { updated_at: 20, expires_at: None, ..uploaded() };
        let data = json!({"size": 7, "checksum": "sha256:00"});
        for before in [given(), ended()] {
            assert_eq!(evolve(Some(&before), UPLOADED, &data, ID, at(20)), Ok(there.clone()));
        }
    }

    #[test]
    fn refuses_events_that_do_not_follow() {
        let data = json!({"fileName": "a", "contentType": "a/b", "key": "k"});
        assert!(evolve(Some(&given()), CREATED, &data, ID, at(1)).is_err());
        assert!(evolve(None, CREATED, &json!({"fileName": "a"}), ID, at(1)).is_err());
        assert!(evolve(None, UPLOADED, &json!({"size": 1, "checksum": "x"}), ID, at(1)).is_err());
        assert!(evolve(Some(&uploaded()), UPLOADED, &json!({"size": 1, "checksum": "x"}), ID, at(1)).is_err());
        assert!(evolve(Some(&given()), UPLOADED, &json!({"size": "1"}), ID, at(1)).is_err());
        assert!(evolve(Some(&deleted()), DELETED, &json!({}), ID, at(1)).is_err());
        assert!(evolve(Some(&given()), "user.updated", &json!({}), ID, at(1)).is_err());
        assert!(evolve(Some(&ended()), CREATED, &data, ID, at(19)).is_err());
    }

    #[test]
    fn the_same_again_is_met() {
        let new = NewAsset::parse(BODY).unwrap();
        let is_met = |asset: &Asset| new.is_met_by(asset, at(20));
        assert!(is_met(&given()) && is_met(&uploaded()) && !is_met(&deleted()) && !is_met(&ended()));
        assert!(!is_met(&Asset { file_name: "x".to_owned(), ..given() }));
        assert!(!is_met(&Asset { content_type: "image/gif".to_owned(), ..given() }));
        assert!(!is_met(&Asset { content_length: Some(7), ..given() }));
    }

    #[test]
    fn content_has_its_bounds() {
        let announced = Asset { content_length: Some(7), ..given() };
        assert!(announced.takes(7) && !announced.takes(6) && !announced.takes(8));
        assert!(given().takes(0) && given().takes(UNANNOUNCED_MAX) && !given().takes(UNANNOUNCED_MAX + 1));
        assert_eq!((announced.most_bytes(), given().most_bytes()), (7, UNANNOUNCED_MAX));
    }

    #[test]
    fn file_names_are_names() {
        for name in ["a", "a b.tar.gz", "Ünï-код-名.pdf", "...", " .x", "50%.txt", "\"q\"; x=y"] {
            assert!(is_file_name(name), "{name:?}");
        }
        for name in [".", "..", "a/b", "/a", "a\\b", "a\0b", "a\nb", "\u{1b}[31m", "\u{202e}gpj.exe", "a\u{2028}b"] {
            assert!(!is_file_name(name), "{name:?}");
        }
        // Nor what turns the reading direction, and makes one name look like another.
        let pattern = regex::Regex::new(FILE_NAME_PATTERN).unwrap();
        for turn in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202d}\u{2066}\u{2067}\u{2068}\u{2069}".chars() {
            for name in [format!("{turn}gpj.exe"), format!("a{turn}b"), turn.to_string()] {
                assert!(!is_file_name(&name) && !pattern.is_match(&name), "{name:?}");
            }
        }
    }
}
