//! What is wrong with an installation, and how to mend it. Looks, and changes nothing.

mod folder;
mod log;
mod notices;

use crate::config::Config;
use crate::installation::Installation;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Fine,
    /// It works, but should be looked at.
    Warning,
    /// It does not work, or will not.
    Broken,
}

impl Grade {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Name of the check, the same in every version.
    pub check: &'static str,
    /// How bad it is.
    pub grade: Grade,
    /// What was found.
    pub found: String,
    /// What to do about it; nothing if it is fine.
    pub mend: String,
}

impl Finding {
    fn fine(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, grade: Grade::Fine, found: found.into(), mend: String::new() }
    }

    fn warning(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, grade: Grade::Warning, found: found.into(), mend: mend.into() }
    }

    fn broken(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, grade: Grade::Broken, found: found.into(), mend: mend.into() }
    }
}

/// Looks at everything; what cannot be looked at is itself a finding.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![folder::there(&config.data)];
    if findings.iter().any(|finding| finding.grade == Grade::Broken) {
        return findings;
    }
    let installation = match Installation::at(&config.data, ingest::System::real()) {
        Ok(installation) => installation,
        Err(failure) => {
            findings.push(Finding::broken("folder", failure.to_string(), "name another folder with --data"));
            return findings;
        }
    };
    findings.push(folder::writable(installation.folder()));
    findings.push(folder::space(installation.folder()));
    findings.push(folder::key(&installation));
    findings.push(folder::api_keys(&installation));
    findings.extend(folder::store(&installation).await);
    findings.extend(notices::all(config, &installation).await);
    findings.extend(log::all(&installation).await);
    findings
}
