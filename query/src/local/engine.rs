//! Running a named query on a snapshot of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::engine::QueryEngine;
use crate::error::{Error, ErrorKind, Result};
use crate::local::convert;
use crate::local::failure::of_datafusion;
use crate::local::footers::Footers;
use crate::local::lag::LagsByRow;
use crate::local::schema::{conform, schema};
use crate::local::select::Select;
use crate::local::shims;
use crate::local::table::Requests;
use crate::named::{NamedQuery, Params};
use crate::rows::Rows;

/// Rows that are worked on at once. DataFusion's own 8,192 are a few per cent slower.
const BATCH_ROWS: usize = 16_384;

/// The log at one moment: the table, and the rows that are not in it yet.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The table; its current snapshot is the one that is read.
    pub table: iceberg::table::Table,
    /// Rows of [`schema`] that this snapshot lacks, each event once.
    pub tail: Vec<RecordBatch>,
}

/// What one query may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most rows in an answer.
    pub rows: usize,
    /// The longest a query may run.
    pub timeout: Duration,
    /// The most memory that sorts, groups and joins may hold, in bytes.
    pub memory_bytes: usize,
}

impl Default for Limits {
    /// 10,000 rows, 30 seconds, 512 MiB.
    fn default() -> Self {
        Self { rows: 10_000, timeout: Duration::from_secs(30), memory_bytes: 512 << 20 }
    }
}

/// DataFusion over one snapshot. Cheap to make and to clone: make one for each snapshot, and keep it while that lasts.
///
/// Footers of files and the lists of them are read once for an engine, its clones and those made from it with
/// [`LocalEngine::on`]. It reads nothing but the table's files, writes nothing, spills nothing to disk.
#[derive(Debug, Clone)]
pub struct LocalEngine {
    table: iceberg::table::Table,
    tail: Arc<Vec<RecordBatch>>,
    footers: Arc<Footers>,
    limits: Limits,
}

impl LocalEngine {
    /// An engine for `snapshot`, every query of which keeps within `limits`.
    ///
    /// # Errors
    /// `Engine` if a batch of the tail has a column of another type.
    pub fn new(snapshot: Snapshot, limits: Limits) -> Result<Self> {
        Self::with_footers(snapshot, limits, Arc::default())
    }

    /// The same engine for another snapshot of the same table, most of whose files may be the same.
    ///
    /// # Errors
    /// As [`LocalEngine::new`].
    pub fn on(&self, snapshot: Snapshot) -> Result<Self> {
        Self::with_footers(snapshot, self.limits, Arc::clone(&self.footers))
    }

    fn with_footers(snapshot: Snapshot, limits: Limits, footers: Arc<Footers>) -> Result<Self> {
        let schema = schema();
        let tail = snapshot.tail.iter().map(|batch| conform(batch, &schema)).collect::<Result<_>>()?;
        Ok(Self { table: snapshot.table, tail: Arc::new(tail), footers, limits })
    }

    /// A session that knows `requests` and Trino's functions, and counts into `bytes_read`.
    fn session(&self, bytes_read: &Arc<AtomicU64>) -> Result<SessionContext> {
        let state = SessionStateBuilder::new_with_default_features()
            .with_config(session_config())
            .with_runtime_env(runtime(self.limits.memory_bytes)?)
            .with_physical_optimizer_rule(Arc::new(LagsByRow))
            .build();
        let context = SessionContext::new_with_state(state);
        shims::register(&context);
        let (tail, footers) = (Arc::clone(&self.tail), Arc::clone(&self.footers));
        let requests = Requests::new(self.table.clone(), tail, footers, Arc::clone(bytes_read));
        context.register_table("requests", Arc::new(requests)).map_err(of_datafusion)?;
        Ok(context)
    }

    async fn rows(&self, sql: &str) -> Result<Rows> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let frame = self.session(&bytes_read)?.sql_with_options(sql, read_only()).await.map_err(of_datafusion)?;
        let columns = convert::columns(frame.schema().as_arrow())?;
        let mut stream = frame.execute_stream().await.map_err(of_datafusion)?;
        let mut rows = Vec::new();
        let mut truncated = false;
        while let Some(batch) = stream.next().await {
            convert::append_rows(&batch.map_err(of_datafusion)?, &columns, &mut rows)?;
            if rows.len() > self.limits.rows {
                rows.truncate(self.limits.rows);
                truncated = true;
                break;
            }
        }
        drop(stream);
        let bytes_read = bytes_read.load(Ordering::Relaxed);
        Ok(Rows { columns, rows, truncated, bytes_read, cost_usd: None })
    }
}

#[async_trait]
impl QueryEngine for LocalEngine {
    async fn run(&self, query: &NamedQuery, params: &Params) -> Result<Rows> {
        self.bounded(query.name, query.render(params)?).await
    }
}

impl LocalEngine {
    /// Runs a statement that somebody made up.
    ///
    /// # Errors
    /// `Engine` if it makes no sense, such as a column that is not there; `Timeout`, `OutOfMemory` at the limits.
    pub async fn select(&self, select: &Select) -> Result<Rows> {
        self.bounded("the statement", select.as_str().to_owned()).await
    }

    async fn bounded(&self, name: &str, sql: String) -> Result<Rows> {
        let engine = self.clone();
        // A task of its own, which ends with the set: a long step of the query cannot hold up the clock.
        let mut task = JoinSet::new();
        task.spawn(async move { engine.rows(&sql).await });
        match tokio::time::timeout(self.limits.timeout, task.join_next()).await {
            Ok(Some(Ok(rows))) => rows,
            Ok(Some(Err(error))) => Err(Error::new(ErrorKind::Engine, "the query broke off").with_source(error)),
            Ok(None) => Err(Error::new(ErrorKind::Engine, "the query did not start")),
            Err(_) => {
                let seconds = self.limits.timeout.as_secs_f64();
                Err(Error::new(ErrorKind::Timeout, format!("{name} did not finish within {seconds} s")))
            }
        }
    }
}

/// What a query may be, on the engine's side: it changes neither tables nor settings.
fn read_only() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

fn session_config() -> SessionConfig {
    SessionConfig::new()
        // Trino puts nulls last whether ascending or descending.
        .set_str("datafusion.sql_parser.default_null_ordering", "nulls_last")
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false)
}

fn runtime(memory_bytes: usize) -> Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()
        .map_err(of_datafusion)
}
