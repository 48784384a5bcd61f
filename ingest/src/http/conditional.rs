//! `ETag`, `If-Match` and `If-None-Match`: the entity's version as a strong validator.

use super::problem::Problem;
use super::request::Received;
use super::response::Answer;

/// What `If-Match` and `If-None-Match` match: `*`, or entity tags separated by commas.
pub const PATTERN: &str =
    r#"^(\*|[\t ,]*((W/)?"[\t !#-~]*"([\t ]*,[\t ,]*(W/)?"[\t !#-~]*")*([\t ]*,[\t ,]*|[\t ]*))?)$"#;

/// The entity tag of a version.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// What `If-Match` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// There is no such header.
    Absent,
    /// `*`: any version, but the entity must be there.
    Any,
    /// One of these versions; empty if no tag can ever match.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Reads `If-Match`.
    ///
    /// # Errors
    /// 400 for a header that is no list of entity tags.
    pub fn of(received: &Received) -> Result<Self, Problem> {
        match tags(received, "if-match")? {
            None => Ok(Self::Absent),
            Some(Tags::Any) => Ok(Self::Any),
            Some(Tags::List(list)) => {
                // If-Match compares strongly: weak tags match nothing.
                Ok(Self::Versions(list.iter().filter(|tag| !tag.weak).filter_map(Tag::version).collect()))
            }
        }
    }

    /// The version that the change is made for, given the current one: another one if the condition fails.
    pub fn expected(&self, current: i64) -> Option<i64> {
        match self {
            Self::Absent | Self::Any => None,
            Self::Versions(versions) if versions.contains(&current) => Some(current),
            Self::Versions(versions) => Some(versions.first().copied().unwrap_or(0)),
        }
    }
}

/// Whether `If-None-Match` names this entity tag, so that the client has what it stands for already.
///
/// # Errors
/// 400 for a header that is no list of entity tags.
pub fn is_known(received: &Received, etag: &str) -> Result<bool, Problem> {
    Ok(match tags(received, "if-none-match")? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::List(list)) => list.iter().any(|tag| tag.opaque == etag),
    })
}

/// An answer with its entity tag; 304 without a body if the client has it.
///
/// # Errors
/// As [`is_known`].
pub fn unless_known(received: &Received, tag: impl Into<String>, answer: Answer) -> Result<Answer, Problem> {
    let tag = tag.into();
    let answer = if is_known(received, &tag)? { Answer::empty(304) } else { answer };
    Ok(answer.with("etag", tag))
}

enum Tags<'a> {
    Any,
    List(Vec<Tag<'a>>),
}

struct Tag<'a> {
    weak: bool,
    /// With its quotation marks.
    opaque: &'a str,
}

impl Tag<'_> {
    /// One version has one tag: "+1" and "01" are none of ours.
    fn version(&self) -> Option<i64> {
        let version = self.opaque.trim_matches('"').parse().ok()?;
        (etag(version) == self.opaque).then_some(version)
    }
}

fn tags<'a>(received: &'a Received, name: &'static str) -> Result<Option<Tags<'a>>, Problem> {
    let refused = || Problem::parameter(name, "malformed", format!("{name} must be * or a list of entity tags."));
    let (mut list, mut there) = (Vec::new(), false);
    for value in received.headers.get_all(name) {
        let value = value.to_str().map_err(|_| refused())?.trim();
        if value == "*" {
            return Ok(Some(Tags::Any));
        }
        there = true;
        list.extend(read(value).ok_or_else(refused)?);
    }
    Ok(there.then_some(Tags::List(list)))
}

/// The entity tags of a list. Elements without content count for nothing (RFC 9110, 5.6.1).
fn read(value: &str) -> Option<Vec<Tag<'_>>> {
    let (mut list, mut rest) = (Vec::new(), value);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(list);
        }
        let (weak, opaque) = rest.strip_prefix("W/").map_or((false, rest), |rest| (true, rest));
        let end = opaque.strip_prefix('"')?.find('"')? + 2;
        list.push(Tag { weak, opaque: &opaque[..end] });
        rest = opaque[end..].trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags() {
        let check = |value: &str, expect: Option<&[&str]>| {
            let list = read(value).map(|list| list.iter().map(|tag| tag.opaque).collect::<Vec<_>>());
            assert_eq!(list.as_deref(), expect, "{value}");
        };
        check("\"1\"", Some(&["\"1\""]));
        check("W/\"1\" ,\t\"a,b\"", Some(&["\"1\"", "\"a,b\""]));
        check("", Some(&[]));
        check(", ,\"1\",,", Some(&["\"1\""]));
        for wrong in ["1", "\"1", "\"1\" \"2\"", "\"1\"2", "w/\"1\"", "*, \"1\"", "W/1"] {
            check(wrong, None);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_pattern_is_what_the_reader_does(value in r#"(W/|w/)?["1, \t*]{0,3}("1"|"a,b")?[ ,]{0,2}(W/)?["1,]{0,4}"#) {
            let value = value.trim();
            let matches = regex::Regex::new(PATTERN).unwrap().is_match(value);
            proptest::prop_assert_eq!(matches, value == "*" || read(value).is_some());
        }
    }
}
