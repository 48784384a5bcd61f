//! The table `requests`: data files and tail as one.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use crate::local::failure::through;
use crate::local::footers::Footers;
use crate::local::schema::{conform, views};
use crate::local::{files, prune};

/// Iceberg's data files ∪ the tail, for one query.
#[derive(Debug)]
pub(crate) struct Requests {
    table: iceberg::table::Table,
    tail: Arc<Vec<RecordBatch>>,
    footers: Arc<Footers>,
    bytes_read: Arc<AtomicU64>,
    schema: SchemaRef,
}

impl Requests {
    /// What is read from files is added to `bytes_read`.
    pub(crate) fn new(
        table: iceberg::table::Table,
        tail: Arc<Vec<RecordBatch>>,
        footers: Arc<Footers>,
        bytes_read: Arc<AtomicU64>,
    ) -> Self {
        Self { table, tail, footers, bytes_read, schema: views() }
    }

    /// The tail's columns that are asked for.
    fn tail(&self, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let batches: Vec<RecordBatch> =
            self.tail.iter().map(|batch| conform(batch, &schema)).collect::<Result<_, _>>().map_err(through)?;
        Ok(MemorySourceConfig::try_new_exec(&[batches], schema, None)?)
    }
}

#[async_trait]
impl TableProvider for Requests {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters prune files, row groups and pages; DataFusion filters rows itself.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let tasks = files::plan(&self.table, prune::predicate(filters)).await.map_err(through)?;
        let tail = self.tail(projection)?;
        if tasks.is_empty() {
            return Ok(tail);
        }
        let scan = files::Scan {
            file_io: self.table.file_io(),
            schema: &self.schema,
            footers: &self.footers,
            bytes_read: &self.bytes_read,
        };
        let stored = scan.exec(state, tasks, projection, filters)?;
        if self.tail.is_empty() { Ok(stored) } else { UnionExec::try_new(vec![stored, tail]) }
    }
}
