//! Which names hold secrets, and which headers may be kept.

use std::collections::HashSet;

/// Query parameters whose values are masked.
const QUERY: &[&str] = &[
    "access_token",
    "id_token",
    "refresh_token",
    "token",
    "code",
    "api_key",
    "key",
    "sig",
    "signature",
    "password",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Amz-Credential",
];

/// JSON and form keys whose values are masked, at any depth.
const KEYS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "secret",
    "client_secret",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "api_key",
    "private_key",
    "authorization",
    "cookie",
    "session",
    "ssn",
    "card_number",
    "pan",
    "cvv",
    "cvc",
    "pin",
    "iban",
];

/// The only headers that are kept.
const HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "forwarded",
    "host",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "origin",
    "prefer",
    "range",
    "referer",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "user-agent",
    "via",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];

/// Names of secrets. Case, `_` and `-` do not count: `apiKey`, `API_KEY` and `api-key` are one name.
#[derive(Debug, Clone)]
pub struct Rules {
    query: Vec<String>,
    keys: Vec<String>,
    headers: Vec<String>,
    folded_query: HashSet<String>,
    folded_keys: HashSet<String>,
}

impl Default for Rules {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            query: owned(QUERY),
            keys: owned(KEYS),
            headers: owned(HEADERS),
            folded_query: HashSet::new(),
            folded_keys: HashSet::new(),
        }
    }
}

impl Rules {
    /// Masks values under these JSON, form and query names, too.
    #[must_use]
    pub fn with_keys(mut self, names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<String> = names.into_iter().collect();
        self.query.extend(names.iter().cloned());
        self.keys.extend(names);
        self
    }

    /// Keeps these headers, too.
    #[must_use]
    pub fn with_headers(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.headers.extend(names.into_iter().map(|name| name.to_ascii_lowercase()));
        self
    }

    pub(super) fn folded(mut self) -> Result<Self, String> {
        for name in self.keys.iter().chain(&self.query) {
            if fold(name).is_empty() {
                return Err(format!("mask name {name:?} has no letters"));
            }
        }
        self.folded_query = self.query.iter().map(|name| fold(name)).collect();
        self.folded_keys = self.keys.iter().map(|name| fold(name)).collect();
        Ok(self)
    }

    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    pub(super) fn masks_query(&self, name: &str) -> bool {
        let folded = fold(name);
        self.folded_query.contains(&folded) || self.folded_keys.contains(&folded)
    }

    pub(super) fn masks_key(&self, name: &str) -> bool {
        self.folded_keys.contains(&fold(name))
    }

    pub(super) fn keeps_header(&self, name: &str) -> bool {
        self.headers.iter().any(|kept| kept == name)
    }
}

fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}
