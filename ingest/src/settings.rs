//! What an installation decides about its API. Plain data, made once.

use crate::http::auth::ApiKey;

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
    /// Whether changes must carry `If-Match` (428).
    pub require_if_match: bool,
    /// Most bytes that an answer may take as a JSON string, where a gateway carries it as one (400).
    pub largest_answer: Option<usize>,
    /// How long an answer is kept under its idempotency key, seconds.
    pub idempotency_seconds: i64,
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
            require_if_match: false,
            largest_answer: None,
            idempotency_seconds: 24 * 60 * 60,
        }
    }
}
