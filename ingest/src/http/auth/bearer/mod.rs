//! `Authorization: Bearer`: JWTs of one issuer, signed with RS256, ES256 or EdDSA.

#[cfg(feature = "https")]
mod fetch;
mod keys;
mod ring;

use event::Timestamp;
use http::HeaderMap;
use jsonwebtoken::{Header, Validation, decode, decode_header};
use serde_json::Value;

use super::claims::{self, Claims};
use crate::error::Result as Outcome;
use crate::system::System;
use keys::IssuerKeys;

pub use keys::FetchJwks;

/// Longest token that is looked at, bytes.
const LONGEST: usize = 8 << 10;

/// What a token must say to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerRules {
    /// `iss`, exactly.
    pub issuer: String,
    /// `aud` must have one of these; of Cognito's access tokens, which have none, `client_id` must be one.
    pub audiences: Vec<String>,
    /// By how much clocks may differ, seconds.
    pub leeway: u32,
}

/// Whom a token is about, proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// `sub`.
    pub subject: String,
    /// All that the token says.
    pub claims: Claims,
}

/// Why a token is not taken, for whoever sent it. Holds nothing of the token.
pub type Flaw = &'static str;

/// A token that is not taken.
#[derive(Debug)]
pub struct Untaken {
    /// Why.
    pub flaw: Flaw,
    /// What it says, where it is the issuer's and for this API, and only its time is not now: proven all the same.
    pub claims: Option<Claims>,
}

impl From<Flaw> for Untaken {
    fn from(flaw: Flaw) -> Self {
        Self { flaw, claims: None }
    }
}

/// What an installation says of the tokens that it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BearerSettings {
    /// Where the issuer's keys are: a file or an https URL. Without it no tokens are taken.
    pub jwks: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
    /// Any of them must be the token's audience.
    pub audiences: Vec<String>,
    /// By how much clocks may differ, seconds.
    pub leeway: u32,
}

impl BearerSettings {
    /// By how much clocks may differ unless said otherwise, seconds.
    pub const LEEWAY: u32 = 60;
    /// The most of it: a token is not to live on for long.
    pub const MOST_LEEWAY: u32 = 3_600;

    /// Who checks tokens; none where none are taken. `called` makes a setting's whole name of `jwks`, `issuer`,
    /// `audience` and `leeway`.
    ///
    /// # Errors
    /// One of the first three is there and another is not, or is empty; no keys can be at that place; the leeway is more
    /// than an hour.
    pub fn build(self, system: System, called: impl Fn(&str) -> String) -> Result<Option<Bearers>, String> {
        let (jwks, issuer) = match (self.jwks, self.issuer) {
            (None, None) if self.audiences.is_empty() => return Ok(None),
            (None, _) => return Err(format!("{} is not set; set it to the issuer's JWKS", called("jwks"))),
            (Some(_), None) => {
                return Err(format!("{} is not set; set it to the issuer of the tokens", called("issuer")));
            }
            (Some(jwks), Some(issuer)) => (jwks, issuer),
        };
        if self.audiences.is_empty() {
            return Err(format!("{} is not set; set it to the tokens' audience or client id", called("audience")));
        }
        let empty = [("jwks", jwks.is_empty()), ("issuer", issuer.is_empty())];
        let blank = ("audience", self.audiences.iter().any(|name| name.trim().is_empty()));
        if let Some((name, _)) = empty.into_iter().chain([blank]).find(|(_, is_empty)| *is_empty) {
            return Err(format!("{} names nothing; leave it away or write what it is", called(name)));
        }
        if self.leeway > Self::MOST_LEEWAY {
            return Err(format!("{} is more than an hour", called("leeway")));
        }
        let fetch = jwks_at(&jwks).map_err(|error| format!("{} = {error}", called("jwks")))?;
        let rules = BearerRules { issuer, audiences: self.audiences, leeway: self.leeway };
        Ok(Some(Bearers::new(rules, fetch, system)))
    }
}

/// Checks tokens. Shared by all requests.
pub struct Bearers {
    rules: BearerRules,
    keys: IssuerKeys,
}

impl Bearers {
    /// Takes tokens by these rules, signed with keys that are fetched like this.
    pub fn new(rules: BearerRules, fetch: FetchJwks, system: System) -> Self {
        ring::install();
        Self { rules, keys: IssuerKeys::new(fetch, system) }
    }

    /// Fetches the keys, so that a wrong place shows before a request does; how many there are.
    ///
    /// # Errors
    /// They cannot be fetched, or are none.
    pub async fn prepare(&self) -> Outcome<usize> {
        self.keys.prepare().await
    }

    /// Whom the token is about.
    ///
    /// Which key and which algorithm it is checked with is decided here, by the `kid` alone; nothing else that a token
    /// says of keys is followed.
    ///
    /// # Errors
    /// It is none, or is not taken.
    pub async fn check(&self, token: &str, now: Timestamp) -> Result<Proven, Untaken> {
        if token.len() > LONGEST {
            return Err("The token is longer than any that is taken.".into());
        }
        let header = decode_header(token).map_err(|_| "The token is no JWT of a kind that is taken.")?;
        let kid = plain(&header)?;
        let key = self.keys.find(kid).await.ok_or("The token is signed with a key that the issuer does not have.")?;
        let mut validation = Validation::new(key.algorithm);
        // What the claims must say is checked below, at the request's own time.
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let token =
            decode::<Claims>(token, &key.key, &validation).map_err(|_| "The token's signature is not right.")?;
        let claims = token.claims;
        self.rules.check_origin(&claims)?;
        let subject = claims::name(&claims, "sub").ok_or("The token says of nobody that it is theirs.")?;
        match self.rules.check_time(&claims, now) {
            Ok(()) => Ok(Proven { subject, claims }),
            Err(flaw) => Err(Untaken { flaw, claims: Some(claims) }),
        }
    }
}

/// The `kid` of a header that brings no keys along and asks for nothing that is not known here.
fn plain(header: &Header) -> Result<&str, Flaw> {
    if header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some() {
        return Err("The token brings its own key along.");
    }
    if header.crit.is_some()
        || header.extras.inner().contains_key("b64")
        || header.enc.is_some()
        || header.zip.is_some()
    {
        return Err("The token asks for something that is not known here.");
    }
    let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
    if !matches!(typ.trim_start_matches("application/"), "jwt" | "at+jwt") {
        return Err("The token is for something else.");
    }
    header.kid.as_deref().ok_or("The token does not name its key.")
}

impl BearerRules {
    /// Whether a token with these claims is the issuer's, and for this API.
    fn check_origin(&self, claims: &Claims) -> Result<(), Flaw> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err("The token is of another issuer.");
        }
        match self.is_for_us(claims) {
            true => Ok(()),
            false => Err("The token is for another audience."),
        }
    }

    /// Whether a token with these claims is good now.
    fn check_time(&self, claims: &Claims, now: Timestamp) -> Result<(), Flaw> {
        let leeway = f64::from(self.leeway);
        // Seconds of this century are exact in a double.
        #[allow(clippy::cast_precision_loss, reason = "to the microsecond until the year 2255")]
        let now = now.micros() as f64 / 1_000_000.0;
        let time = |name: &str| claims.get(name).map(Value::as_f64);
        match time("exp") {
            Some(Some(end)) if now < end + leeway => {}
            Some(Some(_)) => return Err("The token has expired."),
            _ => return Err("The token does not say when it expires."),
        }
        match time("nbf") {
            None => {}
            Some(Some(begin)) if now + leeway >= begin => {}
            Some(_) => return Err("The token is not valid yet."),
        }
        Ok(())
    }

    /// Cognito's tokens say of which kind they are: those for access name a client, those of identity an audience.
    fn is_for_us(&self, claims: &Claims) -> bool {
        let ours = |value: &Value| value.as_str().is_some_and(|it| self.audiences.iter().any(|known| known == it));
        match claims.get("token_use").map(Value::as_str) {
            Some(Some("access")) => claims.get("client_id").is_some_and(ours),
            None | Some(Some("id")) => match claims.get("aud") {
                Some(Value::Array(several)) => several.iter().any(ours),
                Some(one) => ours(one),
                None => false,
            },
            Some(_) => false,
        }
    }
}

/// The token of a request; none where it has no `Authorization` of this kind.
///
/// # Errors
/// The header stands more than once, or holds no token.
pub fn token(headers: &HeaderMap) -> Option<Result<&str, Flaw>> {
    let mut values = headers.get_all("authorization").iter();
    let (first, second) = (values.next()?, values.next());
    let text = first.to_str().unwrap_or("Bearer ");
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Some(match token.trim() {
        _ if second.is_some() => Err("Authorization stands more than once."),
        "" => Err("Authorization holds no token."),
        token => Ok(token),
    })
}

/// Where an issuer's keys are: a file, or an https URL (http for this very machine, too).
///
/// # Errors
/// Another kind of URL, or one in a build without https.
pub fn jwks_at(place: &str) -> Result<FetchJwks, String> {
    if !place.contains("://") {
        return Ok(file(place.into()));
    }
    #[cfg(feature = "https")]
    return fetch::from_url(place);
    #[cfg(not(feature = "https"))]
    Err(format!("{place:?}: this build fetches nothing; write the name of a file"))
}

/// Reads a file anew each time.
fn file(path: std::path::PathBuf) -> FetchJwks {
    std::sync::Arc::new(move || {
        let path = path.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || {
                std::fs::read_to_string(&path).map_err(|error| {
                    let context = format!("cannot read the JWKS {}", path.display());
                    crate::Error::new(crate::ErrorKind::Unusable, context).with_source(error)
                })
            });
            let stopped = |_| crate::Error::new(crate::ErrorKind::Unusable, "the JWKS was not read");
            read.await.map_err(stopped)?
        })
    })
}
