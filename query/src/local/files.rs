//! From Iceberg's plan of files to DataFusion's own Parquet source.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use iceberg::expr::Predicate;
use iceberg::io::FileIO;
use iceberg::scan::FileScanTask;
use iceberg::spec::DataFileFormat;

use crate::error::{Error, ErrorKind, Result};
use crate::local::failure::of_iceberg;
use crate::local::footers::Footers;
use crate::local::reader::{DataFile, FileReaders};

/// The end of a Parquet file that is read first: footers of a day's file are smaller.
const FOOTER_BYTES: usize = 64 << 10;

/// The data files of the table's current snapshot that may hold rows for `predicate`, in a fixed order.
///
/// # Errors
/// `Unsupported` if rows of such a file were deleted by a foreign engine, or if it is no Parquet file.
pub(crate) async fn plan(table: &iceberg::table::Table, predicate: Predicate) -> Result<Vec<FileScanTask>> {
    let scan = table.scan().with_filter(predicate).build().map_err(of_iceberg)?;
    let tasks = scan.plan_files().await.map_err(of_iceberg)?;
    let mut tasks: Vec<FileScanTask> = tasks.try_collect().await.map_err(of_iceberg)?;
    tasks.iter().try_for_each(readable)?;
    tasks.sort_by(|a, b| a.data_file_path.cmp(&b.data_file_path));
    Ok(tasks)
}

fn readable(task: &FileScanTask) -> Result<()> {
    let refuse = |reason: String| Err(Error::new(ErrorKind::Unsupported, reason));
    if let Some(deletes) = task.deletes.first() {
        return refuse(format!(
            "rows of {} were deleted by another engine ({}); rewrite the table's data files without deletes",
            task.data_file_path, deletes.file_path
        ));
    }
    if task.data_file_format != DataFileFormat::Parquet {
        return refuse(format!("{} is not a Parquet file", task.data_file_path));
    }
    Ok(())
}

/// What a scan of the data files needs of its table.
pub(crate) struct Scan<'a> {
    pub file_io: &'a FileIO,
    pub schema: &'a SchemaRef,
    pub footers: &'a Arc<Footers>,
    pub bytes_read: &'a Arc<AtomicU64>,
}

impl Scan<'_> {
    /// Whether rows are filtered before the other columns are decoded, not after.
    ///
    /// That pays where few rows are looked for, or long texts of some. Elsewhere it takes longer: most rows are wanted, and
    /// a narrow range of time is read with twice the bytes.
    fn late(&self, projection: Option<&Vec<usize>>, filters: &[Expr]) -> bool {
        let fields = self.schema.fields();
        let is_long = |index: &usize| LONG.contains(&fields[*index].name().as_str());
        let long_answer = projection.is_none_or(|columns| columns.iter().any(is_long));
        let about = |filter: &Expr, names: &[&str]| filter.column_refs().iter().any(|it| names.contains(&it.name()));
        let one = filters.iter().any(|filter| is_equality(filter) && about(filter, &IDS));
        let some = filters.iter().any(|filter| !about(filter, &ANY));
        let looks_into_long = filters.iter().any(|filter| about(filter, &LONG));
        !looks_into_long && (one || some && long_answer)
    }

    /// A parallel scan of `tasks` that prunes by statistics, page index and bloom filters.
    pub(crate) fn exec(
        &self,
        state: &dyn Session,
        tasks: Vec<FileScanTask>,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let readers = FileReaders::new(self.file_io.clone(), Arc::clone(self.footers), Arc::clone(self.bytes_read));
        let source = ParquetSource::new(Arc::clone(self.schema))
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_metadata_size_hint(FOOTER_BYTES)
            .with_pushdown_filters(self.late(projection, filters))
            .with_parquet_file_reader_factory(Arc::new(readers));
        let groups = FileGroup::new(tasks.iter().map(partitioned_file).collect())
            .split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

fn is_equality(filter: &Expr) -> bool {
    match filter {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => *op == Operator::Eq,
        Expr::InList(list) => !list.negated,
        _ => false,
    }
}

/// Columns that nearly every question has a filter on.
const ANY: [&str; 2] = ["received_at", "tenant"];

/// Columns of long texts, hardly two of them alike: to decode one takes as long as ten others.
const LONG: [&str; 8] = [
    "path",
    "query_string",
    "request_headers",
    "request_body",
    "error_detail",
    "event_data",
    "state_after",
    "user_agent",
];

/// Columns in which few rows have the value that is asked for.
const IDS: [&str; 6] = ["event_id", "request_id", "trace_id", "entity_id", "idempotency_key", "user_id"];

/// DataFusion's own path is for show: the reader opens the file by Iceberg's, whatever characters it has.
fn partitioned_file(task: &FileScanTask) -> PartitionedFile {
    PartitionedFile::new(task.data_file_path.as_str(), task.file_size_in_bytes)
        .with_extensions(Arc::new(DataFile { path: task.data_file_path.clone() }))
}

#[cfg(test)]
mod tests {
    use iceberg::scan::FileScanTaskDeleteFile;
    use iceberg::spec::{DataContentType, Schema};

    use super::*;

    #[test]
    fn names_of_columns_are_columns() {
        for name in [ANY.as_slice(), &LONG, &IDS].concat() {
            assert!(event::COLUMNS.iter().any(|column| column.name == name), "{name}");
        }
    }

    fn task(format: DataFileFormat, deletes: Vec<FileScanTaskDeleteFile>) -> FileScanTask {
        FileScanTask::builder()
            .with_file_size_in_bytes(1)
            .with_start(0)
            .with_length(1)
            .with_data_file_path("lake/a.parquet".to_owned())
            .with_data_file_format(format)
            .with_schema(Arc::new(Schema::builder().build().unwrap()))
            .with_project_field_ids(vec![])
            .with_deletes(deletes)
            .with_case_sensitive(true)
            .build()
    }

    #[test]
    fn refuses_deletes_and_other_formats() {
        assert!(readable(&task(DataFileFormat::Parquet, vec![])).is_ok());
        let delete = FileScanTaskDeleteFile::builder()
            .with_file_path("lake/b-deletes.parquet".to_owned())
            .with_file_size_in_bytes(1)
            .with_file_type(DataContentType::PositionDeletes)
            .with_partition_spec_id(0)
            .build();
        let error = readable(&task(DataFileFormat::Parquet, vec![delete])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("lake/a.parquet") && error.to_string().contains("lake/b-deletes.parquet"));
        assert!(readable(&task(DataFileFormat::Orc, vec![])).is_err());
    }
}
