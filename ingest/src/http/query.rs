//! Query parameters: each at most once, each read with its own rules.

use super::problem::Problem;

/// A request's parameters, decoded.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

/// Entries of a page unless the client says otherwise, and at most.
pub const PAGE_DEFAULT: usize = 25;
/// Most entries of a page.
pub const PAGE_MAX: usize = 100;

impl Query {
    /// Decodes a query string. Bytes that are not UTF-8 become U+FFFD.
    pub fn parse(raw: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { pairs }
    }

    /// All pairs in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// 400 if it stands more than once.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut found = self.pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let value = found.next();
        match found.next() {
            Some(_) => Err(Problem::parameter(name, "duplicate", format!("{name} stands more than once."))),
            None => Ok(value),
        }
    }

    /// One of the allowed words.
    ///
    /// # Errors
    /// 400 for any other.
    pub fn choice(&self, name: &str, allowed: &[&str]) -> Result<Option<&str>, Problem> {
        match self.get(name)? {
            Some(value) if !allowed.contains(&value) => {
                let detail = format!("{name} must be one of {}.", allowed.join(", "));
                Err(Problem::parameter(name, "invalid_value", detail))
            }
            value => Ok(value),
        }
    }

    /// The size of a page.
    ///
    /// # Errors
    /// 400 unless it is a whole number from 1 to 100.
    pub fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit")? else { return Ok(PAGE_DEFAULT) };
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
        limit.ok_or_else(|| {
            Problem::parameter("limit", "invalid_value", format!("limit must be a whole number from 1 to {PAGE_MAX}."))
        })
    }
}
