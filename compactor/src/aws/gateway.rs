//! What folds the gateway's own log in, from the function's variables.

use cloud::{Env, Refusal};
use event::gateway::Source;
use event::redact::{Redactor, Rules};
use event::secret::InstallationKey;

use crate::gateway::Gateway;

/// The gateway's log is folded in where `DAYBOOK_INSTALLATION_KEY` is set, which must be that of ingest: masks of both
/// are then the same. `DAYBOOK_MASK` must be ingest's, too.
///
/// # Errors
/// A variable makes no sense.
pub(super) fn gateway(env: &Env, environment: &str) -> Result<Option<Gateway>, Refusal> {
    let key: Option<InstallationKey> = env.read("DAYBOOK_INSTALLATION_KEY", str::parse)?;
    let mask = env.list("DAYBOOK_MASK", |name| Ok::<_, Refusal>(name.to_owned()))?;
    let Some(key) = key else { return Ok(None) };
    let redactor = Redactor::new(key.derive("redaction"), Rules::default().with_keys(mask));
    let redactor = redactor.map_err(|error| Refusal::new(format!("DAYBOOK_MASK: {error}")))?;
    let source = Source {
        service: "daybook".to_owned(),
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: environment.to_owned(),
        region: env.optional("AWS_REGION").map(str::to_owned),
    };
    Ok(Some(Gateway::new(source, redactor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_the_installation_s_key() {
        let key = "0f".repeat(32);
        let of = |more: &[(&str, &str)]| gateway(&Env::of(more.iter().copied()), "production");
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&[("DAYBOOK_INSTALLATION_KEY", &key), ("DAYBOOK_MASK", "pet_name")]).unwrap().is_some());
        let refused = of(&[("DAYBOOK_INSTALLATION_KEY", "hunter2")]).unwrap_err().to_string();
        assert_eq!(refused, "DAYBOOK_INSTALLATION_KEY: must hold 64 hex digits");
        let refused = of(&[("DAYBOOK_INSTALLATION_KEY", &key), ("DAYBOOK_MASK", "__")]).unwrap_err().to_string();
        assert!(refused.starts_with("DAYBOOK_MASK: "), "{refused}");
    }
}
