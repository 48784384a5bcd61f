//! Settings: flags of every command, names of the environment, and of `daybook.toml`.

use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "aws")]
use super::Engine;

/// Settings that `daybook.toml` may hold under the same names.
#[derive(Debug, Clone, Default, Args, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Folder of the installation [default: ./daybook-data]
    #[arg(long, global = true, env = "DAYBOOK_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What is logged to standard error: error, warn, info, debug [default: warn; of serve: info]
    #[arg(long, global = true, env = "DAYBOOK_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Address to serve at; anything but loopback needs an API key [default: 127.0.0.1:3000]
    #[arg(long, global = true, env = "DAYBOOK_LISTEN", value_name = "HOST:PORT", help_heading = "Server")]
    pub listen: Option<String>,
    /// Name of the environment in every event [default: local]
    #[arg(long, global = true, env = "DAYBOOK_ENVIRONMENT", help_heading = "Server")]
    pub environment: Option<String>,
    /// What comes before every route, such as /v1
    #[arg(long, global = true, env = "DAYBOOK_BASE_PATH", value_name = "PATH", help_heading = "Server")]
    pub base_path: Option<String>,
    /// Origins that browsers may call from, separated by commas
    #[arg(long, global = true, env = "DAYBOOK_CORS_ORIGINS", value_delimiter = ',', help_heading = "Server")]
    pub cors_origins: Option<Vec<String>>,
    /// API keys as id:tenant:sha256-hex, with :scope and :expiry behind it if wanted, separated by commas, besides those
    /// of `daybook keys`; without any, everybody may call
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_API_KEYS",
        hide_env_values = true,
        value_delimiter = ',',
        help_heading = "Server"
    )]
    pub api_keys: Option<Vec<String>>,
    /// Public keys of the issuer whose tokens are taken: a file, or an https URL; without it none are
    #[arg(long, global = true, env = "DAYBOOK_JWT_JWKS", value_name = "PLACE", help_heading = "Tokens")]
    pub jwt_jwks: Option<String>,
    /// Issuer of the tokens, as their `iss` has it
    #[arg(long, global = true, env = "DAYBOOK_JWT_ISSUER", value_name = "ISSUER", help_heading = "Tokens")]
    pub jwt_issuer: Option<String>,
    /// Audiences or client ids of the tokens, separated by commas; one of them must be a token's
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_JWT_AUDIENCE",
        value_delimiter = ',',
        value_name = "NAMES",
        help_heading = "Tokens"
    )]
    pub jwt_audience: Option<Vec<String>>,
    /// By how much the issuer's clock may differ [default: 1m]
    #[arg(long, global = true, env = "DAYBOOK_JWT_LEEWAY", value_name = "DURATION", help_heading = "Tokens")]
    pub jwt_leeway: Option<String>,
    /// The claim that names the tenant
    #[arg(long, global = true, env = "DAYBOOK_JWT_TENANT_CLAIM", value_name = "CLAIM", help_heading = "Tokens")]
    pub jwt_tenant_claim: Option<String>,
    /// The tenant of tokens whose claims name none; without it they are refused
    #[arg(long, global = true, env = "DAYBOOK_JWT_TENANT", value_name = "TENANT", help_heading = "Tokens")]
    pub jwt_tenant: Option<String>,
    /// The claim that names scopes: read, write, admin [default: every token may do everything]
    #[arg(long, global = true, env = "DAYBOOK_JWT_SCOPE_CLAIM", value_name = "CLAIM", help_heading = "Tokens")]
    pub jwt_scope_claim: Option<String>,
    /// What stands before those words, such as daybook/ [default: nothing]
    #[arg(long, global = true, env = "DAYBOOK_JWT_SCOPE_PREFIX", value_name = "TEXT", help_heading = "Tokens")]
    pub jwt_scope_prefix: Option<String>,
    /// Most requests a second of one key or principal, for long; more are refused with 429 [default: any]
    #[arg(long, global = true, env = "DAYBOOK_KEY_RATE", value_name = "N", help_heading = "Server")]
    pub key_rate: Option<u32>,
    /// Most of them at once [default: those of two seconds]
    #[arg(long, global = true, env = "DAYBOOK_KEY_BURST", value_name = "N", help_heading = "Server")]
    pub key_burst: Option<u32>,
    /// Most requests a second from one address, for long; more are refused with 429 [default: any]
    #[arg(long, global = true, env = "DAYBOOK_ADDRESS_RATE", value_name = "N", help_heading = "Server")]
    pub address_rate: Option<u32>,
    /// Most of them at once [default: those of two seconds]
    #[arg(long, global = true, env = "DAYBOOK_ADDRESS_BURST", value_name = "N", help_heading = "Server")]
    pub address_burst: Option<u32>,
    /// Refuse changes without If-Match
    #[arg(long, global = true, env = "DAYBOOK_REQUIRE_IF_MATCH", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Server")]
    pub require_if_match: Option<bool>,
    /// Let clients keep some of what they read, asked for anew each time; else nothing may be kept
    #[arg(long, global = true, env = "DAYBOOK_CLIENT_CACHING", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Server")]
    pub client_caching: Option<bool>,
    /// Most connections that are open at once; more are refused with 503 [default: 10000, or what file descriptors allow]
    #[arg(long, global = true, env = "DAYBOOK_MAX_CONNECTIONS", value_name = "N", help_heading = "Server")]
    pub max_connections: Option<usize>,
    /// Most requests in work at once; more are refused with 503 [default: 1024]
    #[arg(long, global = true, env = "DAYBOOK_MAX_REQUESTS", value_name = "N", help_heading = "Server")]
    pub max_requests: Option<usize>,
    /// More names of JSON, form and query fields whose values are masked, separated by commas
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_MASK",
        value_delimiter = ',',
        value_name = "NAMES",
        help_heading = "Server"
    )]
    pub mask: Option<Vec<String>>,
    /// How often committed events become raw objects [default: 1s]
    #[arg(long, global = true, env = "DAYBOOK_RELAY_EVERY", value_name = "DURATION", help_heading = "Server")]
    pub relay_every: Option<String>,
    /// How long the store keeps events that the raw log has, days; 0 for ever [default: 30]
    #[arg(long, global = true, env = "DAYBOOK_EVENT_RETENTION_DAYS", value_name = "DAYS", help_heading = "Server")]
    pub event_retention_days: Option<u32>,
    /// How long it keeps submissions, days; 0 for ever [default: 0]
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_SUBMISSION_RETENTION_DAYS",
        value_name = "DAYS",
        help_heading = "Server"
    )]
    pub submission_retention_days: Option<u32>,
    /// How long users are there after their last change, days; 0 for ever [default: 90]
    #[arg(long, global = true, env = "DAYBOOK_USER_EXPIRY_DAYS", value_name = "DAYS", help_heading = "Server")]
    pub user_expiry_days: Option<u32>,
    /// How long assets are there after they were announced, days; 0 for ever [default: 30]
    #[arg(long, global = true, env = "DAYBOOK_ASSET_EXPIRY_DAYS", value_name = "DAYS", help_heading = "Server")]
    pub asset_expiry_days: Option<u32>,
    /// Who is told of events by signed webhooks: an http or https URL [default: nobody]
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_NOTIFY_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Notices"
    )]
    pub notify_url: Option<String>,
    /// Types of events that are told of, separated by commas, such as task.completed,user.* [default: task.completed]
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_NOTIFY_EVENTS",
        value_delimiter = ',',
        value_name = "TYPES",
        help_heading = "Notices"
    )]
    pub notify_events: Option<Vec<String>>,
    /// What notices are signed with, whsec_ and base64 [default: made of the installation's key]
    #[arg(
        long,
        global = true,
        env = "DAYBOOK_NOTIFY_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        help_heading = "Notices"
    )]
    pub notify_secret: Option<String>,
    /// How often a notice is sent before it is given up [default: 35, which takes about a day]
    #[arg(long, global = true, env = "DAYBOOK_NOTIFY_ATTEMPTS", value_name = "N", help_heading = "Notices")]
    pub notify_attempts: Option<u32>,
    /// How long the receiver has for its answer [default: 15s]
    #[arg(long, global = true, env = "DAYBOOK_NOTIFY_TIMEOUT", value_name = "DURATION", help_heading = "Notices")]
    pub notify_timeout: Option<String>,
    /// How often the server looks whether a compaction is worth it [default: 1m]
    #[arg(long, global = true, env = "DAYBOOK_COMPACT_EVERY", value_name = "DURATION", help_heading = "Compactor")]
    pub compact_every: Option<String>,
    /// Memory that a compaction may take in all [default: 512MiB]
    #[arg(long, global = true, env = "DAYBOOK_MEMORY", value_name = "SIZE", help_heading = "Compactor")]
    pub memory: Option<String>,
    /// A longer line goes to quarantine [default: 8MiB]
    #[arg(long, global = true, env = "DAYBOOK_MAX_LINE", value_name = "SIZE", help_heading = "Compactor")]
    pub max_line: Option<String>,
    /// The installation is on AWS; credentials and region as the AWS command line finds them
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_AWS", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "AWS")]
    pub aws: Option<bool>,
    /// Folder that Terraform was applied from, or a file with `terraform output -json`: it says the names below
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_TERRAFORM", value_name = "PATH", help_heading = "AWS")]
    pub terraform: Option<PathBuf>,
    /// Bucket of the raw objects and the lake
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_BUCKET", value_name = "NAME", help_heading = "AWS")]
    pub bucket: Option<String>,
    /// DynamoDB table of the store
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_TABLE", value_name = "NAME", help_heading = "AWS")]
    pub table: Option<String>,
    /// Glue database of the table `requests`
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_DATABASE", value_name = "NAME", help_heading = "AWS")]
    pub database: Option<String>,
    /// Athena's workgroup
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_WORKGROUP", value_name = "NAME", help_heading = "AWS")]
    pub workgroup: Option<String>,
    /// Who runs queries: Athena, or this machine on the files of the lake [default: athena]
    #[cfg(feature = "aws")]
    #[arg(long, global = true, env = "DAYBOOK_ENGINE", help_heading = "AWS")]
    pub engine: Option<Engine>,
}
