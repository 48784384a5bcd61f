//! Where the installation is that a command is about.

use std::sync::Arc;

use compactor::{Gateway, Lake, RawLog, UpkeepSummary};
use event::Timestamp;
use ingest::System;
use query::{NamedQuery, Rows, Scope};

#[cfg(feature = "aws")]
use crate::aws::Deployment;
use crate::config::Config;
use crate::failure::Result;
use crate::installation::Installation;
use crate::questions::Questions;

/// An installation to be read: a folder of this machine, or a deployment on AWS.
pub enum Place {
    /// A folder.
    Folder(Installation),
    /// A deployment.
    #[cfg(feature = "aws")]
    Aws(Box<Deployment>),
}

impl Place {
    /// The installation that the settings name.
    ///
    /// # Errors
    /// There is none, or the settings do not say enough to find it.
    pub async fn of(config: &Config) -> Result<Self> {
        #[cfg(feature = "aws")]
        if let Some(settings) = &config.aws {
            return Ok(Self::Aws(Box::new(Deployment::find(settings, System::real()).await?)));
        }
        Ok(Self::Folder(Installation::existing(&config.data, System::real()).await?))
    }

    /// The folder that it is; none on AWS.
    pub fn folder(&self) -> Option<&Installation> {
        match self {
            Self::Folder(installation) => Some(installation),
            #[cfg(feature = "aws")]
            Self::Aws(_) => None,
        }
    }

    /// The clock and randomness.
    pub fn system(&self) -> System {
        match self {
            Self::Folder(installation) => installation.system(),
            #[cfg(feature = "aws")]
            Self::Aws(deployment) => deployment.system(),
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.system().now)()
    }

    /// The raw objects.
    pub fn raw(&self) -> Arc<dyn RawLog> {
        match self {
            Self::Folder(installation) => installation.raw(),
            #[cfg(feature = "aws")]
            Self::Aws(deployment) => deployment.raw(),
        }
    }

    /// What folds an API gateway's own log in, where there is one to be folded in here: of a deployment, its own
    /// compactor does it, which knows the names and keys of its gateway.
    ///
    /// # Errors
    /// The installation's key cannot be read, or a name of `mask` makes no sense.
    pub fn gateway(&self, config: &Config) -> Result<Option<Gateway>> {
        match self {
            Self::Folder(installation) => installation.gateway(config),
            #[cfg(feature = "aws")]
            Self::Aws(_) => Ok(None),
        }
    }

    /// The table.
    ///
    /// # Errors
    /// The catalog's.
    pub async fn lake(&self) -> Result<Lake> {
        match self {
            Self::Folder(installation) => installation.lake().await,
            #[cfg(feature = "aws")]
            Self::Aws(deployment) => deployment.lake().await,
        }
    }

    /// Keeps the table of a folder small; that of a deployment is kept so by its own services.
    ///
    /// # Errors
    /// The table cannot be read or changed.
    pub async fn keep_up(&self, memory: u64) -> Result<UpkeepSummary> {
        match self {
            Self::Folder(installation) => installation.keep_up(&installation.lake().await?, memory).await,
            #[cfg(feature = "aws")]
            Self::Aws(_) => Ok(UpkeepSummary::default()),
        }
    }

    /// Runs a query with parameters by name, on the engine that the settings name.
    ///
    /// # Errors
    /// The query's, or the table or the raw log cannot be read.
    pub async fn ask(&self, query: &NamedQuery, given: &[(String, String)], scope: &Scope) -> Result<Rows> {
        #[cfg(feature = "aws")]
        if let Self::Aws(deployment) = self
            && let Some(athena) = deployment.athena()?
        {
            return crate::aws::ask(&athena, query, given, scope).await;
        }
        Questions::new(self.lake().await?, self.raw()).run(query, given, scope).await
    }
}
