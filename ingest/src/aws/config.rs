//! What the functions are told by their environment, and what is built from it.

use std::sync::Arc;

use cloud::sdk::{self, SdkConfig};
use cloud::{Deadline, Env, Ground, Refusal};
use event::EventIds;
use event::redact::{Redactor, Rules};
use event::secret::InstallationKey;

use super::objects::Objects;
use super::questions::Questions;
use super::{Bucket, DynamoSettings, DynamoStore, Fallback, FirehoseLines, FirehoseSink, KeyTable, S3Sink};
use crate::api::Parts;
use crate::http::auth::{BearerSettings, Bearers, ClaimRules, Credentials, FindKey, Issued};
use crate::http::cursor::Cursors;
use crate::settings::{self, Settings};
use crate::system::System;

/// Most bytes of an answer's body in the 6 MiB that Lambda gives back; the rest is for headers.
const LARGEST_ANSWER: usize = (6 << 20) - (64 << 10);

/// The sink of the function `ingest`.
pub type Sink = Fallback<FirehoseSink, S3Sink>;

/// Where both functions write.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The installation's bucket.
    pub bucket: String,
    /// The Firehose stream of the raw log.
    pub stream: String,
}

impl Targets {
    /// Reads `DAYBOOK_BUCKET` and `DAYBOOK_FIREHOSE`; `AWS_REGION` must be there, too, or the SDK would go looking for it.
    pub fn read(env: &Env) -> Result<Self, Refusal> {
        env.required("AWS_REGION", "the region, such as eu-west-1")?;
        Ok(Self {
            bucket: env.required("DAYBOOK_BUCKET", "the name of the installation's S3 bucket")?.to_owned(),
            stream: env.required("DAYBOOK_FIREHOSE", "the name of the Firehose stream of the raw log")?.to_owned(),
        })
    }

    /// The log: Firehose, and objects of the bucket where it fails.
    pub(super) fn log(self, config: &SdkConfig, deadline: &Deadline) -> (FirehoseLines, S3Sink, Objects) {
        let system = System::real();
        let s3 = aws_sdk_s3::Client::new(config);
        let firehose = aws_sdk_firehose::Client::new(config);
        (
            FirehoseLines::new(firehose, self.stream, system, deadline.clone()),
            S3Sink::new(s3.clone(), self.bucket.clone(), system, deadline.clone()),
            Objects::new(s3, self.bucket, system, deadline.clone()),
        )
    }
}

/// What the API is made of, as the environment has it, and its sink. `patience` is the store's own deadline.
pub async fn parts(ground: &Ground, patience: Deadline) -> Result<(Parts, Arc<Sink>), Refusal> {
    let env = &ground.env;
    let targets = Targets::read(env)?;
    let store = store(env, &targets.bucket)?;
    let key = installation_key(env)?;
    let mask = env.list("DAYBOOK_MASK", |name| Ok::<_, Refusal>(name.to_owned()))?;
    let redactor = Redactor::new(key.derive("redaction"), Rules::default().with_keys(mask));
    let redactor = redactor.map_err(|error| Refusal::new(format!("DAYBOOK_MASK: {error}")))?;
    let settings = settings(env, ground.environment.clone())?;
    let masking = redactor.clone();
    ground.log.mask_with(move |text| masking.text(text).into_owned());
    let config = sdk::config().await;
    let assets = Bucket::new(&config, &targets.bucket, patience.clone());
    let (firehose, s3, _) = targets.log(&config, &ground.deadline);
    let sink = Arc::new(Fallback::new(FirehoseSink::new(firehose), s3, ground.deadline.clone()));
    let (dynamodb, s3) = (aws_sdk_dynamodb::Client::new(&config), aws_sdk_s3::Client::new(&config));
    let system = System::real();
    let keys = KeyTable::new(dynamodb.clone(), store.table.clone(), patience.clone());
    let queries = env.optional("DAYBOOK_QUERY_FUNCTION").map(|function| {
        let runs = Cursors::new(key.derive("runs"));
        Questions::new(&config, function.to_owned(), runs, patience.clone(), system).into_query_fn()
    });
    let parts = Parts {
        settings,
        redactor,
        cursors: Cursors::new(key.derive("cursors")),
        // Ids of two processes differ by their random bits; no order between processes is promised.
        ids: EventIds::default(),
        system,
        store: Arc::new(
            DynamoStore::new(dynamodb, s3, store, system, patience).with_last_moments(ground.deadline.clone()),
        ),
        sink: Arc::clone(&sink) as _,
        assets: Arc::new(assets),
        queries,
        credentials: Credentials { issued: issued(env, keys.into_find(system))?, bearers: bearers(env, system)? },
    };
    Ok((parts, sink))
}

/// The store, as the environment has it.
pub(super) fn store(env: &Env, bucket: &str) -> Result<DynamoSettings, Refusal> {
    let default = DynamoSettings::default();
    Ok(DynamoSettings {
        table: env.required("DAYBOOK_TABLE", "the name of the installation's DynamoDB table")?.to_owned(),
        bucket: bucket.to_owned(),
        event_retention_days: env.number("DAYBOOK_EVENT_RETENTION_DAYS", default.event_retention_days)?,
        submission_retention_days: env
            .number("DAYBOOK_SUBMISSION_RETENTION_DAYS", default.submission_retention_days)?,
    })
}

fn installation_key(env: &Env) -> Result<InstallationKey, Refusal> {
    let name = "DAYBOOK_INSTALLATION_KEY";
    env.required(name, "the installation's key, 64 hex digits that never change, such as from openssl rand -hex 32")?;
    let key = env.read(name, str::parse)?;
    key.ok_or_else(|| Refusal::new(format!("{name} is not set")))
}

/// The keys of the table. A function that nobody has to show a key to is asked for by name.
fn issued(env: &Env, find: FindKey) -> Result<Issued, Refusal> {
    Ok(if env.flag("DAYBOOK_OPEN")? { Issued::AskedWhereGiven(find) } else { Issued::Asked(find) })
}

/// Who checks tokens, if the function is to do that itself: a gateway's authorizer needs nobody.
fn bearers(env: &Env, system: System) -> Result<Option<Arc<Bearers>>, Refusal> {
    let text = |name: &str| env.optional(name).map(str::to_owned);
    let settings = BearerSettings {
        jwks: text("DAYBOOK_JWT_JWKS"),
        issuer: text("DAYBOOK_JWT_ISSUER"),
        audiences: env.list("DAYBOOK_JWT_AUDIENCE", |part| Ok::<_, Refusal>(part.to_owned()))?,
        leeway: env.number("DAYBOOK_JWT_LEEWAY_SECONDS", BearerSettings::LEEWAY)?,
    };
    let bearers = settings.build(system, |name| match name {
        "leeway" => "DAYBOOK_JWT_LEEWAY_SECONDS".to_owned(),
        name => format!("DAYBOOK_JWT_{}", name.to_uppercase()),
    });
    Ok(bearers.map_err(Refusal::new)?.map(Arc::new))
}

pub(super) fn settings(env: &Env, environment: String) -> Result<Settings, Refusal> {
    let default = Settings::default();
    let hours: u16 = env.number("DAYBOOK_IDEMPOTENCY_HOURS", 24)?;
    let user_lifetime = env.number("DAYBOOK_USER_EXPIRY_DAYS", default.user_lifetime)?;
    let asset_lifetime = env.number("DAYBOOK_ASSET_EXPIRY_DAYS", default.asset_lifetime)?;
    Ok(Settings {
        service: env.optional("DAYBOOK_SERVICE").map_or(default.service, str::to_owned),
        environment,
        region: env.optional("AWS_REGION").map(str::to_owned),
        ingest_path: "direct".to_owned(),
        change_path: "stream".to_owned(),
        base_path: env.read("DAYBOOK_BASE_PATH", settings::base_path)?.unwrap_or_default(),
        cors_origins: env.list("DAYBOOK_CORS_ORIGINS", settings::origin)?,
        api_keys: env.list("DAYBOOK_API_KEYS", str::parse)?,
        claims: ClaimRules {
            tenant_claim: env.optional("DAYBOOK_JWT_TENANT_CLAIM").map(str::to_owned),
            tenant: env.optional("DAYBOOK_JWT_TENANT").map(str::to_owned),
            scope_claim: env.optional("DAYBOOK_JWT_SCOPE_CLAIM").map(str::to_owned),
            scope_prefix: env.optional("DAYBOOK_JWT_SCOPE_PREFIX").map(str::to_owned),
        }
        .checked(|name| format!("DAYBOOK_JWT_{}", name.to_uppercase()))
        .map_err(Refusal::new)?,
        require_if_match: env.flag("DAYBOOK_REQUIRE_IF_MATCH")?,
        client_caching: env.flag("DAYBOOK_CLIENT_CACHING")?,
        largest_answer: Some(LARGEST_ANSWER),
        idempotency_seconds: i64::from(hours) * 3_600,
        user_lifetime,
        asset_lifetime,
        ..Settings::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use event::domain::Lifetime;

    use super::*;

    #[test]
    fn settings_are_read_and_refused_by_name() {
        let env = Env::of([
            ("AWS_REGION", "eu-west-1"),
            ("DAYBOOK_BASE_PATH", "/v1/"),
            ("DAYBOOK_CORS_ORIGINS", "https://a.example, https://b.example"),
            ("DAYBOOK_API_KEYS", &format!("web:acme:{}", "ab".repeat(32))),
            ("DAYBOOK_IDEMPOTENCY_HOURS", "48"),
            ("DAYBOOK_USER_EXPIRY_DAYS", "0"),
            ("DAYBOOK_ASSET_EXPIRY_DAYS", "7"),
        ]);
        let read = settings(&env, "staging".to_owned()).unwrap();
        assert_eq!((read.base_path.as_str(), read.cors_origins.len(), read.idempotency_seconds), ("/v1", 2, 172_800));
        assert_eq!((read.api_keys[0].id.as_str(), read.api_keys[0].tenant.as_str()), ("web", "acme"));
        assert_eq!((read.region.as_deref(), read.environment.as_str()), (Some("eu-west-1"), "staging"));
        assert_eq!((read.ingest_path.as_str(), read.change_path.as_str()), ("direct", "stream"));
        assert_eq!((read.user_lifetime, read.asset_lifetime), (Lifetime::UNBOUNDED, Lifetime::of_days(7)));
        let unsaid = settings(&Env::of([("DAYBOOK_USER_EXPIRY_DAYS", "")]), String::new()).unwrap();
        assert_eq!((unsaid.user_lifetime, unsaid.asset_lifetime), (Lifetime::of_days(90), Lifetime::of_days(30)));
        let check = |name: &str, value: &str, expect: &str| {
            let refusal = settings(&Env::of([(name, value)]), String::new()).unwrap_err().to_string();
            assert!(refusal.starts_with(name) && refusal.contains(expect), "{refusal}");
            assert!(!refusal.contains("s3cret"), "{refusal}");
        };
        check("DAYBOOK_BASE_PATH", "v1", "must begin with a slash");
        check("DAYBOOK_CORS_ORIGINS", "https://*.example", "is no origin");
        check("DAYBOOK_API_KEYS", "web:acme:s3cret", "write each as id:tenant:sha256");
        check("DAYBOOK_REQUIRE_IF_MATCH", "yes", "neither true nor false");
        check("DAYBOOK_CLIENT_CACHING", "1", "neither true nor false");
        check("DAYBOOK_IDEMPOTENCY_HOURS", "-1", "is no number");
        check("DAYBOOK_USER_EXPIRY_DAYS", "-1", "is no number");
        check("DAYBOOK_ASSET_EXPIRY_DAYS", "30d", "is no number");
        let keys = |open: &str| issued(&Env::of([("DAYBOOK_OPEN", open)]), Arc::new(|_| Box::pin(async { Ok(None) })));
        assert!(matches!(keys("").unwrap(), Issued::Asked(_)) && matches!(keys("false").unwrap(), Issued::Asked(_)));
        assert!(matches!(keys("true").unwrap(), Issued::AskedWhereGiven(_)) && keys("yes").is_err());
        let key = installation_key(&Env::of([("DAYBOOK_INSTALLATION_KEY", "s3cret")])).unwrap_err().to_string();
        assert_eq!(key, "DAYBOOK_INSTALLATION_KEY: must hold 64 hex digits");
    }
}
