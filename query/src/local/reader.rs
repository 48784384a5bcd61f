//! Reading the table's files through the table's own I/O, counting bytes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use iceberg::io::{FileIO, FileRead};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::local::footers::Footers;

/// A data file's place, as the table names it; rides on DataFusion's description of the file.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub path: String,
}

/// Makes a reader for each file that a scan opens.
#[derive(Debug)]
pub(crate) struct FileReaders {
    file_io: FileIO,
    footers: Arc<Footers>,
    bytes_read: Arc<AtomicU64>,
}

impl FileReaders {
    pub(crate) fn new(file_io: FileIO, footers: Arc<Footers>, bytes_read: Arc<AtomicU64>) -> Self {
        Self { file_io, footers, bytes_read }
    }
}

impl ParquetFileReaderFactory for FileReaders {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let data_file = file.extensions.as_ref().and_then(|extension| extension.downcast_ref::<DataFile>());
        let path = data_file
            .map(|file| file.path.clone())
            .ok_or_else(|| DataFusionError::Internal("a data file without its place in the table".to_owned()))?;
        Ok(Box::new(FileReader {
            file_io: self.file_io.clone(),
            path,
            size: file.object_meta.size,
            footer_bytes: metadata_size_hint,
            opened: None,
            footers: Arc::clone(&self.footers),
            bytes_read: Arc::clone(&self.bytes_read),
        }))
    }
}

/// One file, opened at its first read.
struct FileReader {
    file_io: FileIO,
    path: String,
    size: u64,
    footer_bytes: Option<usize>,
    opened: Option<Box<dyn FileRead>>,
    footers: Arc<Footers>,
    bytes_read: Arc<AtomicU64>,
}

impl FileReader {
    async fn read(&mut self, range: Range<u64>) -> iceberg::Result<bytes::Bytes> {
        if self.opened.is_none() {
            self.opened = Some(self.file_io.new_input(&self.path)?.reader().await?);
        }
        self.bytes_read.fetch_add(range.end.saturating_sub(range.start), Ordering::Relaxed);
        match &self.opened {
            Some(file) => file.read(range).await,
            None => Ok(bytes::Bytes::new()),
        }
    }
}

impl FileReader {
    async fn footer(&mut self, options: Option<&ArrowReaderOptions>) -> ParquetResult<Arc<ParquetMetaData>> {
        let mut reader = ParquetMetaDataReader::new()
            .with_prefetch_hint(self.footer_bytes)
            .with_page_index_policy(PageIndexPolicy::Optional);
        if let Some(options) = options {
            reader = reader.with_metadata_options(Some(options.metadata_options().clone()));
        }
        let size = self.size;
        let footer = Arc::new(reader.load_and_finish(&mut *self, size).await?);
        self.footers.count(&self.path, &footer);
        Ok(footer)
    }
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<bytes::Bytes>> {
        async move {
            let read = self.read(range).await;
            read.map_err(|error| ParquetError::External(format!("{}: {error}", self.path).into()))
        }
        .boxed()
    }

    /// The footer with the page index: every question has a range of time, so all of them need both.
    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let kept = self.footers.of(&self.path);
            kept.get_or_try_init(|| self.footer(options)).await.cloned()
        }
        .boxed()
    }
}
