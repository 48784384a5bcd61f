//! `ETag`, `If-Match` and `If-None-Match`: the entity's version as a strong validator.

use super::problem::Problem;
use super::request::Received;

/// What `If-Match` and `If-None-Match` match: `*`, or entity tags separated by commas.
pub const PATTERN: &str = r#"^(\*|(W/)?"[\t !#-+\--~]*"([\t ]*,[\t ]*(W/)?"[\t !#-+\--~]*")*)$"#;

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
    let mut list = Vec::new();
    for value in received.headers.get_all(name) {
        let value = value.to_str().map_err(|_| refused())?.trim();
        if value == "*" {
            return Ok(Some(Tags::Any));
        }
        for tag in value.split(',').map(str::trim) {
            let (weak, opaque) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
            let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(refused)?;
            if inner.contains('"') {
                return Err(refused());
            }
            list.push(Tag { weak, opaque });
        }
    }
    Ok((!list.is_empty()).then_some(Tags::List(list)))
}
