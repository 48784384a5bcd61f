//! `/users`: somebody with an e-mail address that nobody else of the tenant has, under an id that the client chose.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Change, FieldError, Fields, Lifetime, Operation, Refusal, State, email, lifetime};
use crate::time::Timestamp;

/// The entity type of users.
pub const ENTITY: &str = "user";
/// Type of the event that makes a user.
pub const CREATED: &str = "user.created";
/// Type of the event that changes a user.
pub const UPDATED: &str = "user.updated";
/// Type of the event that removes a user.
pub const DELETED: &str = "user.deleted";
/// The field that no two living users of a tenant share.
pub const UNIQUE: &str = "email";
/// The longest id, in characters.
pub const ID_MAX: usize = 128;
/// The longest name, in characters.
pub const NAME_MAX: usize = 256;
/// What [`is_id`] takes, up to [`ID_MAX`] characters.
pub const ID_PATTERN: &str = r"^(\.*[A-Za-z0-9_-][A-Za-z0-9._-]*|\.{3,})$";
/// What a name matches: no control character, and not all of it white space.
pub const NAME_PATTERN: &str = concat!(
    r"^[^\u0000-\u001f\u007f-\u009f]*",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"[^\u0000-\u001f\u007f-\u009f]*$",
);

/// A user, as answers show it and as the fold makes it. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// What the client calls it.
    #[serde(rename = "userId")]
    pub user_id: String,
    /// Its address, normalised.
    pub email: String,
    /// Its name.
    pub name: String,
    /// When it was made; made again, if it had been removed or had ended.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
    /// When it was removed; absent unless it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<i64>,
    /// When it ends, unless it is changed before; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// How many changes it has seen.
    pub version: i64,
}

/// What makes a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// What the client calls it.
    pub user_id: String,
    /// Its address, normalised.
    pub email: String,
    /// Its name.
    pub name: String,
}

/// What a client may ask of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make it, to be there so long.
    Create(NewUser, Lifetime),
    /// Change the fields that are given; it is there so long from now on.
    Update(Patch, Lifetime),
    /// Remove it.
    Delete,
}

/// The fields of an update; at least one is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Patch {
    /// The new address, normalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Whether a text can be a user's id: 1–128 of `A`–`Z`, `a`–`z`, `0`–`9`, `.`, `_`, `-`, but for `.` and `..`, which
/// clients take out of a path.
pub fn is_id(text: &str) -> bool {
    let fits = (1..=ID_MAX).contains(&text.len()) && text != "." && text != "..";
    fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Where a user stands in lists, the newest last: by second of creation, then by id.
pub fn list_key(id: &str, state: &State) -> String {
    #[derive(Deserialize)]
    struct Made {
        created_at: i64,
    }
    let made: Option<Made> = serde_json::from_str(state.as_str()).ok();
    format!("{:012}.{id}", made.map_or(0, |made| made.created_at))
}

impl User {
    /// Whether it is there at a moment: neither removed nor ended.
    pub fn is_there(&self, at: Timestamp) -> bool {
        lifetime::is_there(self.deleted_at, self.expires_at, at)
    }
}

impl NewUser {
    /// Reads the body of a `POST /users`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(body: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
        let missing: Vec<&str> = ["userId", "email", "name"].into_iter().filter(|name| !fields.has(name)).collect();
        missing.into_iter().for_each(|name| fields.missing(name));
        let user_id = fields.text("userId", ID_MAX).unwrap_or_default();
        if !user_id.is_empty() && !is_id(&user_id) {
            let detail = "userId must be of letters, digits, \".\", \"_\" and \"-\", and not \".\" or \"..\".";
            fields.error(FieldError::field("userId", "invalid_value", detail));
        }
        let Patch { email, name } = Patch::take(&mut fields);
        fields.finish()?;
        Ok(Self { user_id, email: email.unwrap_or_default(), name: name.unwrap_or_default() })
    }

    /// Whether a user is there and what this would make.
    pub fn is_met_by(&self, user: &User, now: Timestamp) -> bool {
        user.is_there(now) && user.email == self.email && user.name == self.name
    }
}

impl Patch {
    /// Reads the body of a `PUT /users/{id}`.
    ///
    /// # Errors
    /// Everything that is wrong with it; a body that gives neither field is.
    pub fn parse(body: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
        if !fields.has("email") && !fields.has("name") {
            fields.error(FieldError::whole("missing", "Give at least one of email and name."));
        }
        let patch = Self::take(&mut fields);
        fields.finish()?;
        Ok(patch)
    }

    fn take(fields: &mut Fields) -> Self {
        let email = fields.text("email", email::ADDRESS_MAX);
        let normalised = email.as_deref().and_then(email::normalised);
        if email.is_some() && normalised.is_none() {
            fields.error(FieldError::field("email", "invalid_value", "email must be an e-mail address."));
        }
        let name = fields.text("name", NAME_MAX);
        if name.as_deref().is_some_and(|name| name.contains(char::is_control)) {
            fields.error(FieldError::field("name", "invalid_value", "name must have no control characters."));
        }
        Self { email: normalised, name }
    }
}

/// Decides what a command does to a user.
///
/// `expected` is the version that the client named with `If-Match`, if it did.
///
/// # Errors
/// [`Refusal::NotFound`] for a user that is not there or no more, [`Refusal::Stale`] for one at another version,
/// [`Refusal::Exists`] for one that is to be made and is there.
pub fn decide(
    current: Option<&User>,
    command: Command,
    expected: Option<i64>,
    id: &str,
    now: Timestamp,
) -> Result<Change, Refusal> {
    let there = current.filter(|user| user.is_there(now));
    let (event_type, operation, data) = match command {
        Command::Create(NewUser { email, name, .. }, lifetime) => {
            let data = json!({"email": email, "name": name});
            (CREATED, Operation::Create, lifetime::with_end(data, lifetime.end(now)))
        }
        Command::Update(patch, lifetime) => {
            let data = serde_json::to_value(patch).unwrap_or(Value::Null);
            (UPDATED, Operation::Update, lifetime::with_end(data, lifetime.end(now)))
        }
        Command::Delete => (DELETED, Operation::Delete, Value::Object(Map::new())),
    };
    match (there, expected) {
        (Some(_), _) if operation == Operation::Create => return Err(Refusal::Exists),
        (None, _) if operation != Operation::Create => return Err(Refusal::NotFound),
        (Some(user), Some(version)) if user.version != version => return Err(Refusal::Stale { current: user.version }),
        _ => {}
    }
    // `data` was made from the command just above, so the fold takes it.
    let state = evolve(current, event_type, &data, id, now).map_err(|_| Refusal::NotFound)?;
    Ok(Change { event_type, operation, version: state.version, data, state: State::of(&state) })
}

/// The user after an event: the fold's step. One that was removed or has ended can be made again; its versions go on.
///
/// What was changed after its end is folded all the same: an earlier version of the software knows of no end.
///
/// # Errors
/// The event does not follow on the state: made while it is there, changed when it was removed, or data of another shape.
pub fn evolve(current: Option<&User>, event_type: &str, data: &Value, id: &str, at: Timestamp) -> Result<User, String> {
    let now = at.seconds();
    let expires_at = lifetime::end_of(data)?;
    if event_type == CREATED {
        if let Some(user) = current.filter(|user| user.is_there(at)) {
            return Err(format!("{CREATED} follows on version {}", user.version));
        }
        let field =
            |name: &str| data.get(name).and_then(Value::as_str).ok_or_else(|| format!("{CREATED} lacks {name}"));
        return Ok(User {
            user_id: id.to_owned(),
            email: field("email")?.to_owned(),
            name: field("name")?.to_owned(),
            created_at: now,
            updated_at: now,
            deleted_at: None,
            expires_at,
            version: current.map_or(0, |user| user.version) + 1,
        });
    }
    let user =
        current.filter(|user| user.deleted_at.is_none()).ok_or_else(|| format!("{event_type} without a user"))?;
    let mut next = User { updated_at: now, expires_at, version: user.version + 1, ..user.clone() };
    match event_type {
        UPDATED => {
            let patch: Patch = Patch::deserialize(data).map_err(|error| error.to_string())?;
            next.email = patch.email.unwrap_or(next.email);
            next.name = patch.name.unwrap_or(next.name);
        }
        DELETED => next.deleted_at = Some(now),
        other => return Err(format!("{other} is no event of a user")),
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "ann";
    /// Two days after the tenth second.
    const END: i64 = 172_810;

    proptest! {
        #[test]
        fn the_patterns_are_what_the_readers_do(
            id in prop_oneof![any::<String>(), "[.a]{0,5}", "[A-Za-z0-9._-]{126,130}"],
            name in prop_oneof![any::<String>(), "[ a\u{0}\u{85}\u{a0}\u{7f}]{0,4}"],
        ) {
            let matches = |pattern: &str, text: &str| regex::Regex::new(pattern).unwrap().is_match(text);
            prop_assert_eq!(matches(ID_PATTERN, &id) && id.len() <= ID_MAX, is_id(&id));
            let body = json!({"name": name}).to_string();
            let taken = Patch::parse(&body).is_ok();
            prop_assert_eq!(matches(NAME_PATTERN, &name) && name.chars().count() <= NAME_MAX, taken);
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000 + 999_999)
    }

    fn given() -> User {
        User {
            user_id: ID.to_owned(),
            email: "ann@example.org".to_owned(),
            name: "Ann".to_owned(),
            created_at: 10,
            updated_at: 10,
            deleted_at: None,
            expires_at: Some(END),
            version: 1,
        }
    }

    fn deleted() -> User {
        User { deleted_at: Some(11), updated_at: 11, expires_at: None, version: 2, ..given() }
    }

    fn ended() -> User {
        User { expires_at: Some(20), ..given() }
    }

    fn create() -> Command {
        let new = NewUser::parse(r#"{"userId":"ann","email":"Ann@Example.org","name":"Ann"}"#).unwrap();
        Command::Create(new, Lifetime::of_days(2))
    }

    fn rename(name: &str) -> Command {
        Command::Update(Patch { name: Some(name.to_owned()), email: None }, Lifetime::of_days(1))
    }

    #[track_caller]
    fn then(given: Option<&User>, when: Command, expected: Option<i64>, expect: Result<(&str, User), Refusal>) {
        let decided = decide(given, when, expected, ID, at(20));
        match expect {
            Err(refusal) => assert_eq!(decided, Err(refusal)),
            Ok((event_type, user)) => {
                let change = decided.unwrap();
                assert_eq!((change.event_type, change.version), (event_type, user.version));
                assert_eq!(change.state, State::of(&user));
                assert_eq!(evolve(given, event_type, &change.data, ID, at(20)), Ok(user));
            }
        }
    }

    #[test]
    fn decides() {
        let made = User { created_at: 20, updated_at: 20, expires_at: Some(END + 10), ..given() };
        then(None, create(), None, Ok((CREATED, made.clone())));
        then(Some(&given()), create(), None, Err(Refusal::Exists));
        then(Some(&deleted()), create(), None, Ok((CREATED, User { version: 3, ..made.clone() })));
        then(Some(&ended()), create(), None, Ok((CREATED, User { version: 2, ..made })));

        let renamed = User { name: "Eve".to_owned(), updated_at: 20, expires_at: Some(86_420), version: 2, ..given() };
        then(Some(&given()), rename("Eve"), None, Ok((UPDATED, renamed.clone())));
        then(Some(&given()), rename("Eve"), Some(1), Ok((UPDATED, renamed)));
        then(Some(&given()), rename("Eve"), Some(7), Err(Refusal::Stale { current: 1 }));
        then(None, rename("Eve"), None, Err(Refusal::NotFound));
        then(Some(&deleted()), rename("Eve"), None, Err(Refusal::NotFound));
        then(Some(&ended()), rename("Eve"), Some(1), Err(Refusal::NotFound));

        let gone = User { deleted_at: Some(20), updated_at: 20, expires_at: None, version: 2, ..given() };
        then(Some(&given()), Command::Delete, None, Ok((DELETED, gone)));
        then(Some(&given()), Command::Delete, Some(2), Err(Refusal::Stale { current: 1 }));
        then(Some(&deleted()), Command::Delete, None, Err(Refusal::NotFound));
        then(Some(&ended()), Command::Delete, None, Err(Refusal::NotFound));
    }

    #[test]
    fn without_a_lifetime_a_change_takes_the_end_away() {
        let patch = Patch { name: Some("Eve".to_owned()), email: None };
        let endless = User { name: "Eve".to_owned(), updated_at: 20, expires_at: None, version: 2, ..given() };
        then(Some(&given()), Command::Update(patch, Lifetime::UNBOUNDED), None, Ok((UPDATED, endless.clone())));
        assert!(!State::of(&endless).as_str().contains("expires_at"));
    }

    /// A version of the software that knows of no end takes it away, whenever it writes.
    #[test]
    fn events_without_an_end_are_folded_as_they_were() {
        let renamed = User { name: "Eve".to_owned(), updated_at: 20, expires_at: None, version: 2, ..given() };
        for before in [given(), ended()] {
            assert_eq!(evolve(Some(&before), UPDATED, &json!({"name": "Eve"}), ID, at(20)), Ok(renamed.clone()));
        }
    }

    #[test]
    fn refuses_events_that_do_not_follow() {
        let data = json!({"email": "a@b", "name": "A"});
        assert!(evolve(Some(&given()), CREATED, &data, ID, at(1)).is_err());
        assert!(evolve(None, CREATED, &json!({"email": "a@b"}), ID, at(1)).is_err());
        assert!(evolve(None, UPDATED, &json!({}), ID, at(1)).is_err());
        assert!(evolve(Some(&deleted()), DELETED, &json!({}), ID, at(1)).is_err());
        assert!(evolve(Some(&given()), UPDATED, &json!({"name": 1}), ID, at(1)).is_err());
        assert!(evolve(Some(&given()), UPDATED, &json!({"name": "A", "expires_at": "1"}), ID, at(1)).is_err());
        assert!(evolve(Some(&ended()), CREATED, &data, ID, at(19)).is_err());
        assert!(evolve(Some(&given()), "task.updated", &json!({}), ID, at(1)).is_err());
    }

    #[test]
    fn the_same_again_is_met() {
        let Command::Create(new, _) = create() else { unreachable!() };
        let is_met = |user: &User| new.is_met_by(user, at(20));
        assert!(is_met(&given()) && !is_met(&deleted()) && !is_met(&ended()));
        assert!(!is_met(&User { name: "Eve".to_owned(), ..given() }));
        assert!(!is_met(&User { email: "eve@example.org".to_owned(), ..given() }));
    }

    #[test]
    fn lists_by_creation() {
        let key = |created_at: i64, id: &str| list_key(id, &State::of(&User { created_at, ..given() }));
        assert_eq!(key(1_795_167_026, "ann"), "001795167026.ann");
        assert!(key(9, "z") < key(10, "a") && key(10, "a") < key(10, "b"));
    }

    #[test]
    fn ids() {
        assert!(["a", "A.b_c-9", "...", &"a".repeat(ID_MAX)].iter().all(|id| is_id(id)));
        assert!(!["", ".", "..", "a/b", "a b", "é", "a\0", "a#b", &"a".repeat(ID_MAX + 1)].iter().any(|id| is_id(id)));
    }
}
