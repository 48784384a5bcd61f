//! Queries that outlive the request that asked: begun by one, waited for by those after it.

use std::time::Duration;

use aws_sdk_athena::types::QueryExecution;
use event::Timestamp;

use crate::aws::engine::AthenaEngine;
use crate::aws::failure::of_run;
use crate::error::{Error, ErrorKind, Result};
use crate::named::{NamedQuery, Params};
use crate::rows::Rows;

/// A query that gave rows.
#[derive(Debug)]
pub struct Ended {
    /// The rows.
    pub rows: Rows,
    /// How long Athena took, waiting for its turn included.
    pub took: Duration,
}

impl AthenaEngine {
    /// Starts a query and gives the id of its run. The same token starts nothing again and gives the same id, so a
    /// request whose answer was lost can be repeated.
    ///
    /// # Errors
    /// As [`QueryEngine::run`](crate::QueryEngine::run) at the start.
    pub async fn begin(&self, query: &NamedQuery, params: &Params, token: &str) -> Result<String> {
        self.start(&query.prepare(params)?, Some(token)).await
    }

    /// Waits so long for a run of the query `name`; `None` if it goes on. It may be waited for again and again, also
    /// once it has ended. One that has taken longer than the engine's timeout by now is stopped.
    ///
    /// # Errors
    /// `UnknownRun` if Athena has neither such a run nor, any longer, its rows; else as
    /// [`QueryEngine::run`](crate::QueryEngine::run).
    pub async fn wait_for(&self, name: &str, id: &str, wait: Duration, now: Timestamp) -> Result<Option<Ended>> {
        match tokio::time::timeout(wait, self.wait(name, id)).await {
            Ok(execution) => {
                let execution = execution?;
                let rows = self.rows(id, &execution).await?;
                Ok(Some(Ended { rows, took: took(&execution) }))
            }
            Err(_) if self.is_overdue(id, now).await? => {
                self.stop(id).await;
                let seconds = self.settings.timeout.as_secs_f64();
                Err(Error::new(ErrorKind::Timeout, format!("{name} did not finish within {seconds} s")))
            }
            Err(_) => Ok(None),
        }
    }

    /// Whether a run was begun longer ago than a query may take.
    async fn is_overdue(&self, id: &str, now: Timestamp) -> Result<bool> {
        let asked = self.client.get_query_execution().query_execution_id(id).send().await;
        let execution = asked.map_err(of_run("say how a query stands"))?.query_execution;
        let begun = execution.and_then(|it| it.status?.submission_date_time);
        let longest = i64::try_from(self.settings.timeout.as_secs()).unwrap_or(i64::MAX);
        Ok(begun.is_some_and(|begun| now.seconds().saturating_sub(begun.secs()) > longest))
    }
}

fn took(execution: &QueryExecution) -> Duration {
    let millis = execution.statistics().and_then(|it| it.total_execution_time_in_millis()).unwrap_or_default();
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
