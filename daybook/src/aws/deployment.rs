//! A deployment: its parts, by the names that it was given.

use std::sync::Arc;

use cloud::sdk::SdkConfig;
use compactor::{Lake, RawLog};
use ingest::System;
use ingest::aws::{KeyTable, S3Sink, StoreAudit};
use query::aws::AthenaEngine;
use query::{NamedQuery, Rows, Scope};

use super::settings::Settings;
use crate::cli::Engine;
use crate::cost::Prices;
use crate::failure::{Failure, Result};

/// A deployment on AWS, seen with the caller's own credentials.
#[derive(Debug)]
pub struct Deployment {
    settings: Settings,
    sdk: SdkConfig,
    system: System,
}

impl Deployment {
    /// The deployment of these names. Makes no request.
    ///
    /// # Errors
    /// No region is set.
    pub async fn find(settings: &Settings, system: System) -> Result<Self> {
        let sdk = cloud::sdk::config().await;
        if sdk.region().is_none() {
            return Err(Failure::new("--aws needs a region: set AWS_REGION, or region in ~/.aws/config"));
        }
        if settings.engine == Engine::Athena && settings.workgroup.is_none() {
            return Err(Failure::new(
                "--aws needs Athena's workgroup: say --workgroup, or --engine local to read the table without Athena",
            ));
        }
        Ok(Self { settings: settings.clone(), sdk, system })
    }

    /// The clock and randomness.
    pub fn system(&self) -> System {
        self.system
    }

    /// The raw objects.
    pub fn raw(&self) -> Arc<dyn RawLog> {
        Arc::new(compactor::aws::raw_log(&self.sdk, &self.settings.bucket))
    }

    /// The table.
    ///
    /// # Errors
    /// The catalog's.
    pub async fn lake(&self) -> Result<Lake> {
        Ok(compactor::aws::existing_lake(&self.sdk, &self.settings.bucket, &self.settings.database).await?)
    }

    /// Everything that the store has.
    pub fn audit(&self) -> StoreAudit {
        StoreAudit::connect(&self.sdk, &self.settings.table, &self.settings.bucket, self.system)
    }

    /// The API keys.
    pub fn keys(&self) -> KeyTable {
        KeyTable::connect(&self.sdk, &self.settings.table)
    }

    /// Writes raw objects.
    pub fn raw_sink(&self) -> S3Sink {
        S3Sink::connect(&self.sdk, &self.settings.bucket, self.system)
    }

    /// Athena, if it is to run the queries.
    ///
    /// # Errors
    /// The list of prices is malformed.
    pub fn athena(&self) -> Result<Option<AthenaEngine>> {
        let workgroup = self.settings.workgroup.as_ref().filter(|_| self.settings.engine == Engine::Athena);
        let Some(workgroup) = workgroup else { return Ok(None) };
        let settings = query::aws::Settings {
            usd_per_terabyte: Prices::load()?.athena_terabyte,
            ..query::aws::Settings::new(workgroup, &self.settings.database)
        };
        Ok(Some(AthenaEngine::connect(&self.sdk, settings)))
    }
}

/// Asks Athena. Ctrl-C stops the query there, too: it would read on, and charge for it.
///
/// # Errors
/// The query's; that it was cancelled.
pub async fn ask(athena: &AthenaEngine, query: &NamedQuery, given: &[(String, String)], scope: &Scope) -> Result<Rows> {
    let params = query.bind(given.iter().map(|(name, value)| (name.as_str(), value.as_str())), scope)?;
    let cancel = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let rows = athena.run_until(query, &params, cancel).await?;
    // From here on there is nothing to stop but this process, whose own handling of Ctrl-C ended with the first use.
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    Ok(rows)
}
