//! Running a named query in Athena: start, wait, read the pages, stop what is no longer wanted.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_athena::Client;
use aws_sdk_athena::types::{
    QueryExecution, QueryExecutionContext, QueryExecutionState, ResultConfiguration, ResultReuseByAgeConfiguration,
    ResultReuseConfiguration,
};

use crate::aws::convert;
use crate::aws::failure::{of_query, of_request, of_run};
use crate::engine::QueryEngine;
use crate::error::{Error, ErrorKind, Result};
use crate::named::{NamedQuery, Params, Prepared};
use crate::rows::Rows;

/// The first pause before a query's state is asked for, and the longest one.
const POLLS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// The most rows that Athena gives in a page.
const PAGE: i32 = 1_000;
/// Athena charges for at least this much, and whole megabytes.
const LEAST_BYTES: u64 = 10_000_000;

/// Where and how queries run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The workgroup, whose settings say where results lie and how much a query may read.
    pub workgroup: String,
    /// The Glue database that holds `requests`.
    pub database: String,
    /// Where results are written, `s3://…`, for a workgroup that does not say.
    pub results: Option<String>,
    /// How old the answer to the same question may be to be given again; `None` asks anew every time.
    pub reuse: Option<Duration>,
    /// The most rows in an answer.
    pub rows: usize,
    /// The longest a query may run, waiting for its turn included.
    pub timeout: Duration,
    /// The list price of a terabyte read, US dollars.
    pub usd_per_terabyte: f64,
}

impl Settings {
    /// A workgroup and a database; 10,000 rows, 5 minutes, every answer anew.
    pub fn new(workgroup: impl Into<String>, database: impl Into<String>) -> Self {
        Self {
            workgroup: workgroup.into(),
            database: database.into(),
            results: None,
            reuse: None,
            rows: 10_000,
            timeout: Duration::from_secs(300),
            usd_per_terabyte: 5.0,
        }
    }
}

/// Athena over the table `requests` of one database.
#[derive(Debug, Clone)]
pub struct AthenaEngine {
    pub(super) client: Client,
    pub(super) settings: Settings,
}

impl AthenaEngine {
    /// An engine that asks with this client.
    pub fn new(client: Client, settings: Settings) -> Self {
        Self { client, settings }
    }

    /// An engine that asks as the SDK was told to.
    pub fn connect(sdk: &cloud::sdk::SdkConfig, settings: Settings) -> Self {
        Self::new(Client::new(sdk), settings)
    }

    /// Runs `query` until it ends, its time is over, or `cancel` does. A query that is not waited for any more is
    /// stopped: Athena would read on, and charge for it.
    ///
    /// # Errors
    /// As [`QueryEngine::run`]; `Cancelled` if `cancel` came first.
    pub async fn run_until(
        &self,
        query: &NamedQuery,
        params: &Params,
        cancel: impl Future<Output = ()> + Send,
    ) -> Result<Rows> {
        let seconds = self.settings.timeout.as_secs_f64();
        // Starting takes of the time, too.
        let timeout = tokio::time::sleep(self.settings.timeout);
        let id = self.start(&query.prepare(params)?, None).await?;
        let given_up = tokio::select! {
            done = self.finish(query.name, &id) => match done {
                Ok(rows) => return Ok(rows),
                // It may run on all the same; to stop one that has ended does nothing.
                Err(error) => error,
            },
            () = timeout => {
                Error::new(ErrorKind::Timeout, format!("{} did not finish within {seconds} s", query.name))
            }
            () = cancel => Error::new(ErrorKind::Cancelled, format!("{} was cancelled", query.name)),
        };
        self.stop(&id).await;
        Err(given_up)
    }

    /// Stops a query, if Athena hears of it.
    pub(super) async fn stop(&self, id: &str) {
        if let Err(error) = self.client.stop_query_execution().query_execution_id(id).send().await {
            tracing::warn!(query_execution_id = id, error = %of_request("stop a query")(error), "a query runs on");
        }
    }

    /// Starts a query; one that was started although its answer was lost is not started again by a retry, since the
    /// SDK sends the same token with each: this one, if there is one.
    ///
    /// An earlier answer is taken for an operator's question alone, which has no token. Athena compares statements, and
    /// nothing promises that it compares parameters, of which a client's tenant is one.
    pub(super) async fn start(&self, prepared: &Prepared, token: Option<&str>) -> Result<String> {
        let settings = &self.settings;
        let database = QueryExecutionContext::builder().database(&settings.database).build();
        let parameters = Some(&prepared.parameters).filter(|parameters| !parameters.is_empty());
        let results = settings.results.as_ref().map(|it| ResultConfiguration::builder().output_location(it).build());
        let started = self
            .client
            .start_query_execution()
            .query_string(&prepared.statement)
            .set_execution_parameters(parameters.cloned())
            .set_client_request_token(token.map(str::to_owned))
            .query_execution_context(database)
            .work_group(&settings.workgroup)
            .set_result_configuration(results)
            .set_result_reuse_configuration(settings.reuse.filter(|_| token.is_none()).map(reuse))
            .send()
            .await
            .map_err(of_request("start a query"))?;
        let missing = || Error::new(ErrorKind::Engine, "Athena started a query without an id");
        started.query_execution_id.ok_or_else(missing)
    }

    async fn finish(&self, name: &str, id: &str) -> Result<Rows> {
        let execution = self.wait(name, id).await?;
        self.rows(id, &execution).await
    }

    /// Waits until the query has ended, asking less often the longer it takes.
    pub(super) async fn wait(&self, name: &str, id: &str) -> Result<QueryExecution> {
        let (mut pause, longest) = POLLS;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(longest);
            let asked = self.client.get_query_execution().query_execution_id(id).send().await;
            let execution = asked.map_err(of_run("say how a query stands"))?.query_execution;
            let Some((execution, status)) = execution.and_then(|it| it.status.clone().map(|status| (it, status)))
            else {
                return Err(Error::new(ErrorKind::Engine, format!("Athena does not know the query {id}")));
            };
            match status.state() {
                Some(QueryExecutionState::Succeeded) => return Ok(execution),
                Some(QueryExecutionState::Failed | QueryExecutionState::Cancelled) => {
                    return Err(of_query(name, &status));
                }
                _ => {}
            }
        }
    }

    /// Reads the answer, page after page, no further than the row cap.
    pub(super) async fn rows(&self, id: &str, execution: &QueryExecution) -> Result<Rows> {
        let mut pages = self.client.get_query_results().query_execution_id(id).into_paginator().page_size(PAGE).send();
        let bytes_read = scanned(execution);
        let cost_usd = Some(self.cost(execution, bytes_read));
        let mut answer = Rows { columns: Vec::new(), rows: Vec::new(), truncated: false, bytes_read, cost_usd };
        let mut first = true;
        while let Some(page) = pages.next().await {
            let set = page
                .map_err(of_run("give the rows of a query"))?
                .result_set
                .unwrap_or_else(|| aws_sdk_athena::types::ResultSet::builder().build());
            if first {
                answer.columns = convert::columns(set.result_set_metadata().map_or(&[][..], |it| it.column_info()))?;
            }
            let heading = first && set.rows().first().is_some_and(|row| convert::is_heading(row, &answer.columns));
            for row in set.rows().iter().skip(usize::from(heading)) {
                if answer.rows.len() == self.settings.rows {
                    answer.truncated = true;
                    return Ok(answer);
                }
                answer.rows.push(convert::cells(row, &answer.columns)?);
            }
            first = false;
        }
        Ok(answer)
    }

    /// What the query costs at list price; an answer that was given again costs nothing.
    fn cost(&self, execution: &QueryExecution, bytes: u64) -> f64 {
        let statistics = execution.statistics();
        let reused =
            statistics.and_then(|it| it.result_reuse_information()).is_some_and(|it| it.reused_previous_result());
        if reused {
            return 0.0;
        }
        let megabytes = bytes.max(LEAST_BYTES).div_ceil(1_000_000);
        let megabytes = u32::try_from(megabytes).unwrap_or(u32::MAX);
        f64::from(megabytes) / 1_000_000.0 * self.settings.usd_per_terabyte
    }
}

#[async_trait]
impl QueryEngine for AthenaEngine {
    async fn run(&self, query: &NamedQuery, params: &Params) -> Result<Rows> {
        self.run_until(query, params, std::future::pending()).await
    }
}

fn scanned(execution: &QueryExecution) -> u64 {
    let bytes = execution.statistics().and_then(|it| it.data_scanned_in_bytes()).unwrap_or_default();
    u64::try_from(bytes).unwrap_or_default()
}

fn reuse(age: Duration) -> ResultReuseConfiguration {
    // Athena takes whole minutes of at most a week.
    let minutes = i32::try_from(age.as_secs().div_ceil(60)).unwrap_or(i32::MAX).clamp(1, 10_080);
    let by_age = ResultReuseByAgeConfiguration::builder().enabled(true).max_age_in_minutes(minutes).build();
    ResultReuseConfiguration::builder().result_reuse_by_age_configuration(by_age).build()
}
