//! What is said of somebody whom another has identified: the claims of a token, the context of a gateway's authorizer.

use serde_json::{Map, Value};

use super::key::Scope;
use super::{Identity, Refused};
use crate::http::problem::Problem;

/// Claims by name.
pub type Claims = Map<String, Value>;

/// Longest name of a principal or tenant, bytes.
const LONGEST: usize = 256;

/// Which claims say what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimRules {
    /// The claim that names the tenant.
    pub tenant_claim: Option<String>,
    /// The tenant of those whose claims name none.
    pub tenant: Option<String>,
    /// The claim that names scopes; without one, whoever is let in may do everything.
    pub scope_claim: Option<String>,
    /// What stands before the words `read`, `write` and `admin` in that claim, such as `daybook/`; none for nothing.
    pub scope_prefix: Option<String>,
}

impl ClaimRules {
    /// The same, if the fixed tenant can be one. `called` makes a setting's whole name of `tenant`.
    ///
    /// # Errors
    /// It is empty, too long, or has control characters.
    pub fn checked(self, called: impl Fn(&str) -> String) -> Result<Self, String> {
        match self.tenant.as_deref() {
            Some(tenant) if !is_name(tenant) => {
                Err(format!("{} = {tenant:?} can be no tenant; leave it away or write a name", called("tenant")))
            }
            _ => Ok(self),
        }
    }

    /// The tenant that the claims name, else that of the key beside them, else the fixed one.
    ///
    /// # Errors
    /// 403: there is none of these, or what the claim has is no name.
    pub fn tenant(&self, claims: &Claims, of_key: Option<String>) -> Result<String, Problem> {
        let claimed = self.tenant_claim.as_ref().and_then(|name| claims.get(name)).filter(|value| !value.is_null());
        match claimed {
            Some(claimed) => {
                let name = claimed.as_str().filter(|name| is_name(name)).map(str::to_owned);
                name.ok_or_else(|| Problem::no_tenant("The claim that names the tenant holds no name."))
            }
            None => of_key.or_else(|| self.tenant.clone()).ok_or_else(|| {
                Problem::no_tenant("It is not said whose data this is: the credential names no tenant.")
            }),
        }
    }

    /// The highest scope that the claims name.
    ///
    /// # Errors
    /// 403: scopes are named by a claim, and it has none of `read`, `write` and `admin` behind the prefix. Words of other
    /// services, such as `billing/admin`, say nothing here.
    pub fn scope(&self, claims: &Claims) -> Result<Scope, Problem> {
        let Some(name) = &self.scope_claim else { return Ok(Scope::Admin) };
        let words = claims.get(name).map(words).unwrap_or_default();
        let prefix = self.scope_prefix.as_deref().unwrap_or_default();
        let found = words.iter().filter_map(|word| word.strip_prefix(prefix)?.parse().ok()).max();
        found.ok_or_else(|| Problem::out_of_scope("The credential has none of the scopes read, write and admin."))
    }

    /// Who it is, by a principal and what is said of it.
    ///
    /// # Errors
    /// 403: it is not known whose data they may see, or that they may do anything; in whose log that belongs is known
    /// then.
    pub fn identity(
        &self,
        actor_type: &'static str,
        principal: Option<String>,
        claims: &Claims,
        key: Option<Identity>,
    ) -> Result<Identity, Refused> {
        let (of_key, api_key_id, allowed) = match key {
            Some(key) => (Some(key.tenant), key.api_key_id, key.scope),
            None => (None, None, Scope::Admin),
        };
        let tenant = self.tenant(claims, of_key)?;
        match self.scope(claims) {
            // Who shows two credentials may do what both allow.
            Ok(scope) => {
                Ok(Identity { tenant, actor_type, actor_id: principal, api_key_id, scope: scope.min(allowed) })
            }
            Err(problem) => {
                let suspect = Identity { tenant, api_key_id, ..Identity::anonymous() };
                Err(Refused { problem, suspect: Some(Box::new(suspect)) })
            }
        }
    }

    /// In whose log it belongs that somebody with these claims was refused, where they say so.
    pub fn suspect(&self, claims: &Claims) -> Option<Box<Identity>> {
        let tenant = self.tenant(claims, None).ok()?;
        Some(Box::new(Identity { tenant, ..Identity::anonymous() }))
    }
}

/// A claim that can be a name of somebody, or of a tenant.
pub fn name(claims: &Claims, claim: &str) -> Option<String> {
    claims.get(claim)?.as_str().filter(|name| is_name(name)).map(str::to_owned)
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Words of a list, of a text with spaces between them, or of a gateway's rendering of a list, `[a b]`.
fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split(['[', ']', ' ', ',']).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).flat_map(|text| text.split(' ')).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_tenant_is_claimed_or_fixed_or_refused() {
        let rules = |claim: Option<&str>, fixed: Option<&str>| ClaimRules {
            tenant_claim: claim.map(str::to_owned),
            tenant: fixed.map(str::to_owned),
            ..ClaimRules::default()
        };
        let of = |rules: &ClaimRules, json: &str| rules.tenant(&claims(json), None).map_err(|problem| problem.status);
        let both = rules(Some("org"), Some("fixed"));
        assert_eq!(of(&both, r#"{"org":"red"}"#), Ok("red".to_owned()));
        assert_eq!(of(&both, r#"{"org":null}"#), Ok("fixed".to_owned()));
        // A claim that is there and says nothing must not end in somebody else's data.
        for wrong in [r#"{"org":""}"#, r#"{"org":7}"#, r#"{"org":["red"]}"#, r#"{"org":"a\nb"}"#] {
            assert_eq!(of(&both, wrong), Err(403), "{wrong}");
        }
        assert_eq!(of(&rules(Some("org"), None), "{}"), Err(403));
        assert_eq!(of(&rules(None, None), r#"{"org":"red"}"#), Err(403));
        for rules in [rules(None, None), rules(None, Some("fixed")), both] {
            assert_eq!(rules.tenant(&claims("{}"), Some("key's".to_owned())).unwrap(), "key's");
        }
    }

    #[test]
    fn a_fixed_tenant_is_a_name() {
        let checked = |tenant: &str| {
            let rules = ClaimRules { tenant: Some(tenant.to_owned()), ..ClaimRules::default() };
            rules.checked(|name| format!("jwt-{name}"))
        };
        assert!(checked("red").is_ok() && ClaimRules::default().checked(str::to_owned).is_ok());
        for wrong in ["", "a\nb", &"x".repeat(257)] {
            assert!(checked(wrong).unwrap_err().starts_with("jwt-tenant = "), "{wrong:?}");
        }
    }

    #[test]
    fn the_highest_scope_counts() {
        let rules = ClaimRules { scope_claim: Some("scope".to_owned()), ..ClaimRules::default() };
        let of = |json: &str| rules.scope(&claims(json)).map_err(|problem| problem.status);
        assert_eq!(of(r#"{"scope":"openid read write"}"#), Ok(Scope::Write));
        assert_eq!(of(r#"{"scope":["email","read"]}"#), Ok(Scope::Read));
        assert_eq!(of(r#"{"scope":"[users admin]"}"#), Ok(Scope::Admin));
        for none in [
            r#"{"scope":"openid"}"#,
            "{}",
            r#"{"scope":7}"#,
            r#"{"scope":"administrator reader"}"#,
            r#"{"scope":"billing/admin crm:write https://x.example/auth.read"}"#,
        ] {
            assert_eq!(of(none), Err(403), "{none}");
        }
        let rules = ClaimRules { scope_prefix: Some("daybook/".to_owned()), ..rules };
        let of = |json: &str| rules.scope(&claims(json)).map_err(|problem| problem.status);
        assert_eq!(of(r#"{"scope":"daybook/write billing/admin daybook/read"}"#), Ok(Scope::Write));
        for none in [r#"{"scope":"admin"}"#, r#"{"scope":"daybook/"}"#, r#"{"scope":"x/daybook/admin"}"#] {
            assert_eq!(of(none), Err(403), "{none}");
        }
        assert_eq!(ClaimRules::default().scope(&claims("{}")), Ok(Scope::Admin));
    }
}
