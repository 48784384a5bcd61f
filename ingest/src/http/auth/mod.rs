//! Who is asking, and what they may do.

mod issued;
pub mod key;

use event::Timestamp;

use super::problem::Problem;
use super::request::Received;
use super::route::Route;

pub use issued::{FindKey, Issued, KnownKeys};
pub use key::{ApiKey, Scope};

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Owner of the data.
    pub tenant: String,
    /// `api_key` or `anonymous`.
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
                Err(Problem::forbidden(detail).with("www-authenticate", challenge))
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
    /// Whose spent key it was: the owner's log shows who still uses it.
    pub suspect: Option<Box<Identity>>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, suspect: None }
    }
}

/// What decides who is asking. Shared by all requests.
pub struct Gate {
    configured: Vec<ApiKey>,
    issued: Issued,
}

impl Gate {
    /// A gate for those who have one of these keys; for everybody, where there are none.
    pub fn new(configured: Vec<ApiKey>, issued: Issued) -> Self {
        Self { configured, issued }
    }

    /// Finds out who is asking.
    ///
    /// A key that carries its id is looked up by it and compared once; of others every configured one is compared. Each
    /// comparison takes the same time whatever it finds.
    ///
    /// # Errors
    /// 401 where keys are there and the request has none of them, or a spent one; 503 where it cannot be told.
    pub async fn identify(&self, received: &Received) -> Result<Identity, Refused> {
        match received.headers.get("x-api-key") {
            Some(given) => self.by_key(given.as_bytes(), received.arrival.received_at).await,
            None if self.is_open() => Ok(Identity::anonymous()),
            None => Err(unauthenticated("Send an API key in the header x-api-key.").into()),
        }
    }

    /// Whether anybody may come in.
    fn is_open(&self) -> bool {
        self.configured.is_empty() && !self.issued.are_there()
    }

    async fn by_key(&self, given: &[u8], now: Timestamp) -> Result<Identity, Refused> {
        let id = key::id_of(given).filter(|_| !matches!(self.issued, Issued::Nowhere));
        // Who sends a key of another kind where none is asked for, such as a gateway's own, is nobody in particular.
        if id.is_none() && self.is_open() {
            return Ok(Identity::anonymous());
        }
        let sha256 = key::hash(given);
        if let Some(id) = id {
            let found = self.issued.find(id).await.map_err(|error| {
                tracing::error!(%error, "an API key could not be looked up");
                Problem::unavailable("The API key cannot be checked now.")
            })?;
            if let Some(key) = found.filter(|key| key.is(&sha256)) {
                return admitted(&key, now);
            }
        }
        let mut found = None;
        for key in &self.configured {
            if key.is(&sha256) {
                found = Some(key);
            }
        }
        found.map_or_else(|| Err(unauthenticated("The API key is not known.").into()), |key| admitted(key, now))
    }
}

/// Lets in who has this key, unless it is spent.
fn admitted(key: &ApiKey, now: Timestamp) -> Result<Identity, Refused> {
    let identity = Identity::of_key(key);
    match key.spent(now) {
        None => Ok(identity),
        Some(why) => {
            let suspect = Identity { actor_type: "anonymous", actor_id: None, ..identity };
            Err(Refused { problem: unauthenticated(why), suspect: Some(Box::new(suspect)) })
        }
    }
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::unauthenticated(detail).with("www-authenticate", "ApiKey header=\"x-api-key\"")
}
