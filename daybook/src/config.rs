//! Settings, read once: flags, then environment, then file, then defaults.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compactor::Limits;
use event::domain::Lifetime;
use ingest::http::auth::{ApiKey, BearerSettings, ClaimRules};
use ingest::http::rates::{Rate, RateSettings};
use ingest::local::retention::Retention;
use ingest::notice::Secret;
use ingest::settings;

use crate::cli::{Cli, Command, Settings};
use crate::failure::{Failure, Result};
use crate::notify::Notify;

/// The file that is read if it is there and no other is named.
const DEFAULT_FILE: &str = "daybook.toml";
/// A line is held in memory as a whole.
const MAX_LINE: usize = 1 << 30;

/// Everything the program may be told, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of the installation.
    pub data: PathBuf,
    /// Filter of the logs.
    pub log: String,
    /// Address to serve at.
    pub listen: SocketAddr,
    /// Name of the environment.
    pub environment: String,
    /// What comes before every route.
    pub base_path: String,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// Keys that open the API.
    pub api_keys: Vec<ApiKey>,
    /// Which tokens are taken.
    pub bearers: BearerSettings,
    /// Whose data a token opens.
    pub claims: ClaimRules,
    /// How often one may ask.
    pub rates: RateSettings,
    /// Whether changes must carry `If-Match`.
    pub require_if_match: bool,
    /// Whether clients may keep some of what they read.
    pub client_caching: bool,
    /// Most connections; none for what the system allows.
    pub max_connections: Option<usize>,
    /// Most requests in work.
    pub max_requests: usize,
    /// More names whose values are masked.
    pub mask: Vec<String>,
    /// How often the relay runs.
    pub relay_every: Duration,
    /// How long the store keeps what.
    pub retention: Retention,
    /// How long users are there after their last change.
    pub user_lifetime: Lifetime,
    /// How long assets are there after they were announced.
    pub asset_lifetime: Lifetime,
    /// Who is told of events, if anybody is.
    pub notify: Option<Notify>,
    /// What notices are signed with, if not with what is made of the installation's key.
    pub notify_secret: Option<Secret>,
    /// How often the compactor looks.
    pub compact_every: Duration,
    /// Bytes that the compactor's rows may take.
    pub memory: u64,
    /// Bounds on what a line may be.
    pub limits: Limits,
    /// The deployment on AWS; none for a folder.
    #[cfg(feature = "aws")]
    pub aws: Option<crate::aws::Settings>,
}

impl Config {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// A file that cannot be read, a name that does not exist, a value that makes no sense; each names itself.
    pub fn load(cli: &Cli) -> Result<Self> {
        let from_file = read_file(cli.config.as_deref())?;
        let given = cli.settings.clone();
        #[cfg(feature = "aws")]
        let aws = crate::aws::Settings::resolve(&given, &from_file)?;
        let notify = Notify::read(&given, &from_file)?;
        let api = ingest::Settings::default();
        let serves = matches!(cli.command, Command::Serve);
        let log = given.log.or(from_file.log).unwrap_or_else(|| if serves { "info" } else { "warn" }.to_owned());
        Ok(Self {
            data: given.data.or(from_file.data).unwrap_or_else(|| PathBuf::from("daybook-data")),
            log,
            listen: address(&given.listen.or(from_file.listen).unwrap_or_else(|| "127.0.0.1:3000".to_owned()))?,
            environment: given.environment.or(from_file.environment).unwrap_or_else(|| "local".to_owned()),
            base_path: settings::base_path(&given.base_path.or(from_file.base_path).unwrap_or_default())
                .map_err(|error| Failure::new(format!("base-path = {error}")))?,
            cors_origins: each("cors-origins", given.cors_origins.or(from_file.cors_origins), settings::origin)?,
            api_keys: each("api-keys", given.api_keys.or(from_file.api_keys), str::parse)?,
            bearers: BearerSettings {
                jwks: given.jwt_jwks.or(from_file.jwt_jwks),
                issuer: given.jwt_issuer.or(from_file.jwt_issuer),
                audiences: given.jwt_audience.or(from_file.jwt_audience).unwrap_or_default(),
                leeway: leeway(given.jwt_leeway.or(from_file.jwt_leeway))?,
            },
            claims: ClaimRules {
                tenant_claim: given.jwt_tenant_claim.or(from_file.jwt_tenant_claim),
                tenant: given.jwt_tenant.or(from_file.jwt_tenant),
                scope_claim: given.jwt_scope_claim.or(from_file.jwt_scope_claim),
                scope_prefix: given.jwt_scope_prefix.or(from_file.jwt_scope_prefix),
            }
            .checked(|name| format!("jwt-{name}"))
            .map_err(Failure::new)?,
            rates: RateSettings {
                per_key: rate("key", given.key_rate.or(from_file.key_rate), given.key_burst.or(from_file.key_burst))?,
                per_address: rate(
                    "address",
                    given.address_rate.or(from_file.address_rate),
                    given.address_burst.or(from_file.address_burst),
                )?,
            },
            require_if_match: given.require_if_match.or(from_file.require_if_match).unwrap_or(false),
            client_caching: given.client_caching.or(from_file.client_caching).unwrap_or(false),
            max_connections: given
                .max_connections
                .or(from_file.max_connections)
                .map(|most| at_least_one("max-connections", most))
                .transpose()?,
            max_requests: at_least_one("max-requests", given.max_requests.or(from_file.max_requests).unwrap_or(1_024))?,
            mask: given.mask.or(from_file.mask).unwrap_or_default(),
            relay_every: duration("relay-every", given.relay_every.or(from_file.relay_every), "1s")?,
            retention: Retention {
                events: days(given.event_retention_days.or(from_file.event_retention_days), 30),
                submissions: days(given.submission_retention_days.or(from_file.submission_retention_days), 0),
            },
            user_lifetime: lifetime(given.user_expiry_days.or(from_file.user_expiry_days), api.user_lifetime),
            asset_lifetime: lifetime(given.asset_expiry_days.or(from_file.asset_expiry_days), api.asset_lifetime),
            notify,
            notify_secret: secret(given.notify_secret.or(from_file.notify_secret))?,
            compact_every: duration("compact-every", given.compact_every.or(from_file.compact_every), "1m")?,
            memory: size("memory", given.memory.or(from_file.memory), "512MiB")?,
            limits: limits(given.max_line.or(from_file.max_line))?,
            #[cfg(feature = "aws")]
            aws,
        })
    }

    /// Refuses an address that others can reach while anybody may call; `made` is how many keys the data folder has.
    ///
    /// # Errors
    /// Such an address without an API key.
    pub fn check_exposure(&self, made: usize) -> Result<()> {
        if self.listen.ip().is_loopback() || !self.api_keys.is_empty() || made > 0 || self.bearers.jwks.is_some() {
            return Ok(());
        }
        let listen = self.listen;
        Err(Failure::new(format!(
            "listen = {listen} can be reached from other machines; make a key with daybook keys create, set api-keys, or \
             listen at 127.0.0.1:{}",
            listen.port()
        )))
    }
}

fn read_file(named: Option<&Path>) -> Result<Settings> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => String::new(),
        Err(error) => return Err(Failure::new(format!("cannot read {}: {error}", path.display()))),
    };
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        Failure::new(format!("{}:{line}: {}", path.display(), error.message()))
    })
}

fn address(text: &str) -> Result<SocketAddr> {
    let wrong = || Failure::new(format!("listen = {text:?} is no address; write HOST:PORT, such as 127.0.0.1:3000"));
    let addresses = std::net::ToSocketAddrs::to_socket_addrs(text).map_err(|_| wrong())?;
    addresses.into_iter().next().ok_or_else(wrong)
}

/// Every text of a list, read.
fn each<T>(
    name: &str,
    texts: Option<Vec<String>>,
    read: impl Fn(&str) -> std::result::Result<T, String>,
) -> Result<Vec<T>> {
    let failed = |error| Failure::new(format!("{name}: {error}"));
    texts.unwrap_or_default().iter().map(|text| read(text).map_err(failed)).collect()
}

fn duration(name: &str, text: Option<String>, default: &str) -> Result<Duration> {
    let text = text.unwrap_or_else(|| default.to_owned());
    let wrong = || Failure::new(format!("{name} = {text:?} is no duration; write 500ms, 1s, 15m or 1h"));
    let duration = humantime::parse_duration(&text).map_err(|_| wrong())?;
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

/// A rate, if one is said; its burst is that of two seconds unless said.
fn rate(of: &str, per_second: Option<u32>, burst: Option<u32>) -> Result<Option<Rate>> {
    let least = |name: &str| Failure::new(format!("{of}-{name} must be at least 1"));
    let per_second = match (per_second, burst) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(Failure::new(format!("{of}-burst is nothing without {of}-rate"))),
        (Some(per_second), _) => NonZeroU32::new(per_second).ok_or_else(|| least("rate"))?,
    };
    let burst = NonZeroU32::new(burst.unwrap_or(per_second.get().saturating_mul(2))).ok_or_else(|| least("burst"))?;
    Ok(Some(Rate { per_second, burst }))
}

/// Whole seconds between none and an hour: a token that is over must be over.
fn leeway(text: Option<String>) -> Result<u32> {
    let Some(text) = text else { return Ok(BearerSettings::LEEWAY) };
    let seconds = humantime::parse_duration(&text).ok().map(|duration| duration.as_secs());
    let seconds = seconds.filter(|seconds| *seconds <= 3_600).and_then(|seconds| u32::try_from(seconds).ok());
    seconds.ok_or_else(|| Failure::new(format!("jwt-leeway = {text:?} is none; write 0s, 30s or 1m, at most 1h")))
}

/// A refusal shows nothing of it.
fn secret(text: Option<String>) -> Result<Option<Secret>> {
    text.map(|text| text.parse().map_err(|error| Failure::new(format!("notify-secret {error}")))).transpose()
}

fn at_least_one(name: &str, number: usize) -> Result<usize> {
    if number == 0 { Err(Failure::new(format!("{name} must be at least 1"))) } else { Ok(number) }
}

/// So many days; none for zero, which stands for ever.
fn days(given: Option<u32>, default: u32) -> Option<Duration> {
    let days = given.unwrap_or(default);
    (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 60 * 60))
}

/// So many days, if they are said.
fn lifetime(given: Option<u32>, default: Lifetime) -> Lifetime {
    given.map_or(default, Lifetime::of_days)
}

fn limits(max_line: Option<String>) -> Result<Limits> {
    let line_bytes = size("max-line", max_line, "8MiB")?;
    let line_bytes = usize::try_from(line_bytes).ok().filter(|bytes| (1..=MAX_LINE).contains(bytes));
    let line_bytes = line_bytes.ok_or_else(|| Failure::new("max-line must be between 1B and 1GiB"))?;
    Ok(Limits { line_bytes, ..Limits::default() })
}

fn size(name: &str, text: Option<String>, default: &str) -> Result<u64> {
    let text = text.unwrap_or_else(|| default.to_owned());
    let size: std::result::Result<bytesize::ByteSize, _> = text.parse();
    size.map(|size| size.as_u64())
        .map_err(|_| Failure::new(format!("{name} = {text:?} is no size; write 256M or 1GiB")))
}
