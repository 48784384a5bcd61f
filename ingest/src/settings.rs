//! What an installation decides about its API. Plain data, made once.

use event::domain::Lifetime;

use crate::http::auth::{ApiKey, ClaimRules};
use crate::http::rates::RateSettings;

/// Settings of the API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the service, for the log.
    pub service: String,
    /// Its version, for the log.
    pub service_version: String,
    /// `production`, `local` …
    pub environment: String,
    /// Cloud region.
    pub region: Option<String>,
    /// How events that change nothing enter the log: the column `ingest_path`.
    pub ingest_path: String,
    /// How changes do.
    pub change_path: String,
    /// What comes before every route, such as `/v1`; empty for nothing.
    pub base_path: String,
    /// Origins that browsers may call from; exact.
    pub cors_origins: Vec<String>,
    /// API keys; where there are none, everybody is `anonymous` in the tenant `default`.
    pub api_keys: Vec<ApiKey>,
    /// Whose data somebody sees whom a token or a gateway's authorizer names, and what they may do.
    pub claims: ClaimRules,
    /// How often one may ask (429).
    pub rates: RateSettings,
    /// Whether changes must carry `If-Match` (428).
    pub require_if_match: bool,
    /// Whether clients may keep some of what they read; else everything is `no-store`.
    pub client_caching: bool,
    /// Most bytes that an answer may take as a JSON string, where a gateway carries it as one (400).
    pub largest_answer: Option<usize>,
    /// How long an answer is kept under its idempotency key, seconds.
    pub idempotency_seconds: i64,
    /// How long users are there after their last change.
    pub user_lifetime: Lifetime,
    /// How long assets are there after they were announced.
    pub asset_lifetime: Lifetime,
}

/// Reads what comes before every route: nothing, or a path without a slash at its end.
///
/// # Errors
/// It does not begin with a slash.
pub fn base_path(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') {
        return Ok(path.to_owned());
    }
    Err(format!("{text:?} must begin with a slash, such as /v1"))
}

/// Reads an origin as browsers send it: exact, so that credentials never meet a pattern.
///
/// # Errors
/// It is anything else.
pub fn origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let exact = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'/' | b'?' | b'#' | b'@' | b'A'..=b'Z');
    if host.is_empty() || !host.bytes().all(exact) {
        return Err(format!("{text:?} is no origin; write each exactly, such as https://app.example.org"));
    }
    Ok(text.to_owned())
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service: "daybook".to_owned(),
            service_version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: "local".to_owned(),
            region: None,
            ingest_path: "local".to_owned(),
            change_path: "local".to_owned(),
            base_path: String::new(),
            cors_origins: Vec::new(),
            api_keys: Vec::new(),
            claims: ClaimRules::default(),
            rates: RateSettings::default(),
            require_if_match: false,
            client_caching: false,
            largest_answer: None,
            idempotency_seconds: 24 * 60 * 60,
            user_lifetime: Lifetime::of_days(90),
            asset_lifetime: Lifetime::of_days(30),
        }
    }
}
