//! Who is asking, and what they may do.

mod bearer;
mod claims;
mod issued;
pub mod key;

use std::sync::Arc;

use event::Timestamp;

use super::problem::Problem;
use super::request::{Received, Vouched};
use super::route::Route;
use crate::settings::Settings;

pub use bearer::{BearerRules, BearerSettings, Bearers, FetchJwks, Untaken};
pub use claims::{ClaimRules, Claims};
pub use issued::{FindKey, Issued, KnownKeys};
pub use key::{ApiKey, Scope};

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Owner of the data.
    pub tenant: String,
    /// `api_key`, `jwt`, `iam`, `custom` or `anonymous`.
    pub actor_type: &'static str,
    /// The principal's id.
    pub actor_id: Option<String>,
    /// The key's id.
    pub api_key_id: Option<String>,
    /// What they may do.
    pub scope: Scope,
}

impl Identity {
    /// Anybody: where no keys are configured, and on routes that are open to all.
    pub fn anonymous() -> Self {
        Self {
            tenant: "default".to_owned(),
            actor_type: "anonymous",
            actor_id: None,
            api_key_id: None,
            scope: Scope::Admin,
        }
    }

    fn of_key(key: &ApiKey) -> Self {
        Self {
            tenant: key.tenant.clone(),
            actor_type: "api_key",
            actor_id: Some(key.id.clone()),
            api_key_id: Some(key.id.clone()),
            scope: key.scope,
        }
    }

    /// Refuses a route that this identity's credential does not reach.
    ///
    /// # Errors
    /// 403, naming the scope that it takes.
    pub fn may_use(&self, route: Route) -> Result<(), Problem> {
        match route.scope() {
            Some(needed) if self.scope < needed => {
                let detail = format!("This takes the scope {needed}; the credential has {}.", self.scope);
                let challenge =
                    format!("ApiKey header=\"x-api-key\", error=\"insufficient_scope\", scope=\"{needed}\"");
                Err(Problem::out_of_scope(detail).with("www-authenticate", challenge))
            }
            _ => Ok(()),
        }
    }
}

/// Why somebody was not let in, and who it is as far as that is proven.
#[derive(Debug)]
pub struct Refused {
    /// What the client is told.
    pub problem: Problem,
    /// Whose spent key or token it was: the owner's log shows who still uses it.
    pub suspect: Option<Box<Identity>>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, suspect: None }
    }
}

/// What lets people in besides the configured keys.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Keys that are made while the API runs.
    pub issued: Issued,
    /// Who checks tokens.
    pub bearers: Option<Arc<Bearers>>,
}

/// What decides who is asking. Shared by all requests.
pub struct Gate {
    configured: Vec<ApiKey>,
    claims: ClaimRules,
    credentials: Credentials,
}

impl Gate {
    /// A gate for those who have a key or a token; for everybody, where neither keys nor tokens are known.
    pub fn new(settings: &Settings, credentials: Credentials) -> Self {
        Self { configured: settings.api_keys.clone(), claims: settings.claims.clone(), credentials }
    }

    /// Finds out who is asking: by the token, else by what the gateway has found out, else by the key. A key beside
    /// either of them narrows what may be done, and says whose data it is where nothing else does; it must be good, too.
    ///
    /// # Errors
    /// 401 for a token or a key that is not good, for several keys, and for none where one is needed; 403 where it is
    /// not said whose data it opens; 503 where it cannot be told.
    pub async fn identify(&self, received: &Received) -> Result<Identity, Refused> {
        if let Some(bearers) = &self.credentials.bearers
            && let Some(token) = bearer::token(&received.headers)
        {
            let proven = match token {
                Ok(token) => bearers.check(token, received.arrival.received_at).await,
                Err(flaw) => Err(flaw.into()),
            };
            let proven = proven.map_err(|untaken| Refused {
                suspect: untaken.claims.and_then(|claims| self.claims.suspect(&claims)),
                problem: self.unauthenticated(untaken.flaw),
            })?;
            let key = self.key_beside(received).await?;
            return self.claims.identity("jwt", Some(proven.subject), &proven.claims, key);
        }
        if let Some(vouched) = &received.vouched {
            let key = self.key_beside(received).await?;
            return self.vouched(vouched, key);
        }
        match self.given_key(received)? {
            Some(given) => self.by_key(given, received.arrival.received_at).await,
            None if self.is_open() => Ok(Identity::anonymous()),
            None => Err(self.unauthenticated(self.wanted()).into()),
        }
    }

    /// Who it is, where a gateway says so.
    fn vouched(&self, vouched: &Vouched, key: Option<Identity>) -> Result<Identity, Refused> {
        match vouched {
            Vouched::Claims(claims) => self.claims.identity("jwt", claims::name(claims, "sub"), claims, key),
            Vouched::Custom(context) => {
                let principal = claims::name(context, "principalId").or_else(|| claims::name(context, "sub"));
                self.claims.identity("custom", principal, context, key)
            }
            // Policies of AWS say what a principal may do, claims say nothing of one.
            Vouched::Iam(principal) => {
                let rules = ClaimRules { scope_claim: None, ..self.claims.clone() };
                rules.identity("iam", Some(principal.clone()), &Claims::new(), key)
            }
        }
    }

    /// The identity of a key that is sent beside another credential; none for what is no key of Daybook's, such as a
    /// gateway's own.
    ///
    /// # Errors
    /// As without the other credential: who is refused a narrower way in must not get the wider one.
    async fn key_beside(&self, received: &Received) -> Result<Option<Identity>, Refused> {
        let Some(given) = self.given_key(received)? else { return Ok(None) };
        match self.by_key(given, received.arrival.received_at).await {
            Ok(identity) => Ok((identity.actor_type == "api_key").then_some(identity)),
            Err(Refused { problem, suspect: None }) if problem.status == 401 && !key::is_ours(given) => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// The key that the request has, if any.
    ///
    /// # Errors
    /// 401 for several: which of them counts is nobody's guess.
    fn given_key<'a>(&self, received: &'a Received) -> Result<Option<&'a [u8]>, Refused> {
        let mut given = received.headers.get_all("x-api-key").iter();
        match (given.next(), given.next()) {
            (_, Some(_)) => Err(self.unauthenticated("The header x-api-key stands more than once.").into()),
            (given, None) => Ok(given.map(http::HeaderValue::as_bytes)),
        }
    }

    /// Whether anybody may come in.
    fn is_open(&self) -> bool {
        self.configured.is_empty() && !self.credentials.issued.may_be_there() && self.credentials.bearers.is_none()
    }

    async fn by_key(&self, given: &[u8], now: Timestamp) -> Result<Identity, Refused> {
        let id = key::id_of(given).filter(|_| !matches!(self.credentials.issued, Issued::Nowhere));
        // Who sends a key of another kind where none is asked for, such as a gateway's own, is nobody in particular.
        if id.is_none() && self.is_open() {
            return Ok(Identity::anonymous());
        }
        let sha256 = key::hash(given);
        if let Some(id) = id {
            let found = self.credentials.issued.find(id).await.map_err(|error| {
                tracing::error!(%error, "an API key could not be looked up");
                Problem::unavailable("The API key cannot be checked now.")
            })?;
            if let Some(key) = found.filter(|key| key.is(&sha256)) {
                return self.admitted(&key, now);
            }
        }
        let mut found = None;
        for key in &self.configured {
            if key.is(&sha256) {
                found = Some(key);
            }
        }
        found.map_or_else(
            || Err(self.unauthenticated("The API key is not known.").into()),
            |key| self.admitted(key, now),
        )
    }

    /// Lets in who has this key, unless it is spent.
    fn admitted(&self, key: &ApiKey, now: Timestamp) -> Result<Identity, Refused> {
        let identity = Identity::of_key(key);
        match key.spent(now) {
            None => Ok(identity),
            Some(why) => {
                let suspect = Identity { actor_type: "anonymous", actor_id: None, ..identity };
                Err(Refused { problem: self.unauthenticated(why), suspect: Some(Box::new(suspect)) })
            }
        }
    }

    fn wanted(&self) -> &'static str {
        match self.credentials.bearers {
            Some(_) => "Send a token in the header Authorization, or an API key in the header x-api-key.",
            None => "Send an API key in the header x-api-key.",
        }
    }

    /// 401, with what would be taken.
    fn unauthenticated(&self, detail: &str) -> Problem {
        let challenge = match self.credentials.bearers {
            Some(_) => "Bearer, ApiKey header=\"x-api-key\"",
            None => "ApiKey header=\"x-api-key\"",
        };
        Problem::unauthenticated(detail).with("www-authenticate", challenge)
    }
}
