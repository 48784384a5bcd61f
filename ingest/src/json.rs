//! JSON of which nothing is known: every look at it is an option, none an error.
//!
//! Values stay text until they are asked for. Neither depth, nor duplicate names, nor half a surrogate pair can make a
//! look fail that concerns another value.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value's text; an empty one where there is no value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<'a>(&'a str);

/// An object's members in their order; none for what is no object.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Json<'a> {
    /// The value with this text.
    pub fn new(text: &'a str) -> Self {
        Self(text.trim_ascii())
    }

    /// The value as it was written.
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// Whether there is no value, or it is null.
    pub fn is_nothing(self) -> bool {
        matches!(self.0, "" | "null")
    }

    /// Whether it is the literal `true`.
    pub fn is_true(self) -> bool {
        self.0 == "true"
    }

    /// A string's bytes: UTF-8, but for halves of surrogate pairs.
    pub fn bytes(self) -> Option<Cow<'a, [u8]>> {
        let Bytes(bytes) = self.0.starts_with('"').then(|| serde_json::from_str(self.0).ok())??;
        Some(bytes)
    }

    /// A string; what is no text in it becomes U+FFFD.
    pub fn text(self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// An object's members; `None` for anything else.
    pub fn members(self) -> Option<Members<'a>> {
        self.0.starts_with('{').then(|| serde_json::from_str(self.0).ok())?
    }

    /// An array's values; `None` for anything else.
    pub fn items(self) -> Option<Vec<Json<'a>>> {
        let items: Vec<&'a RawValue> = self.0.starts_with('[').then(|| serde_json::from_str(self.0).ok())??;
        Some(items.into_iter().map(|item| Self::new(item.get())).collect())
    }
}

impl<'a> Members<'a> {
    /// The value of a member; of several with one name, the last.
    pub fn get(&self, name: &str) -> Json<'a> {
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found.map_or(Json::default(), |(_, value)| Json::new(value.get()))
    }

    /// The members of a member.
    pub fn within(&self, name: &str) -> Members<'a> {
        self.get(name).members().unwrap_or_default()
    }

    /// All members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Json<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), Json::new(value.get())))
    }
}

/// A string as bytes: the one way to read a JSON string that may hold half a surrogate pair.
struct Bytes<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl<'de> Visitor<'de> for BytesVisitor {
            type Value = Cow<'de, [u8]>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(bytes))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Cow::Owned(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor).map(Bytes)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Bytes(name)) = map.next_key()? {
                    members.push((String::from_utf8_lossy(&name).into_owned(), map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_concerns_nothing_but_its_value() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let text =
            format!(r#"{{"deep":{deep},"a":1,"bad":"\ud800","\udfff":2,"a":"last","list":["x",null],"n":null}}"#);
        let root = Json::new(&text).members().unwrap();
        assert_eq!(root.get("a").text().as_deref(), Some("last"));
        assert_eq!(root.get("bad").bytes().unwrap().as_ref(), b"\xed\xa0\x80");
        assert_eq!(root.get("bad").text().as_deref(), Some("\u{fffd}\u{fffd}\u{fffd}"));
        let list = root.get("list").items().unwrap();
        assert_eq!((list[0].text().as_deref(), list[1].is_nothing()), (Some("x"), true));
        assert!(root.get("n").is_nothing() && root.get("absent").is_nothing() && !root.get("deep").is_nothing());
        assert!(root.get("deep").members().is_none() && root.get("deep").text().is_none());
        assert!(root.within("a").iter().chain(root.within("absent").iter()).next().is_none());
    }

    #[test]
    fn what_is_no_json_is_nothing_of_all() {
        for text in ["", "x", "{", "{\"a\"", "[1", "\"", "\u{0}", "{}{}"] {
            let json = Json::new(text);
            assert!(json.members().is_none() && json.items().is_none() && json.text().is_none(), "{text:?}");
        }
    }
}
