//! Parquet read from and written to the lake's storage.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use iceberg::io::{FileRead, FileWrite};
use iceberg::table::Table;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::error::{Error, Result};

/// Opens a data file with its page index, if it has one.
///
/// # Errors
/// It is not there or no Parquet file; the error names it.
pub(crate) async fn open(
    table: &Table,
    path: &str,
    bytes: u64,
) -> Result<ParquetRecordBatchStreamBuilder<ParquetFile>> {
    let context = || format!("open {path}");
    let input = table.file_io().new_input(path).map_err(Error::lake(context()))?;
    let reader = input.reader().await.map_err(Error::lake(context()))?;
    // Parquet's own schema says all that is needed. Arrow's, beside it, is read by code that panics if it is damaged.
    let options =
        ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional).with_skip_arrow_metadata(true);
    let file = ParquetFile { reader, bytes };
    ParquetRecordBatchStreamBuilder::new_with_options(file, options).await.map_err(Error::lake(context()))
}

/// A data file that is being read.
///
/// `iceberg::arrow::ArrowFileReader` cannot be told from outside whether to load the page index.
pub(crate) struct ParquetFile {
    reader: Box<dyn FileRead>,
    bytes: u64,
}

impl AsyncFileReader for ParquetFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move { self.reader.read(range).await.map_err(external) }.boxed()
    }

    fn get_metadata(
        &mut self,
        options: Option<&ArrowReaderOptions>,
    ) -> BoxFuture<'_, ParquetResult<Arc<ParquetMetaData>>> {
        let metadata_options = options.map(|options| options.metadata_options().clone());
        async move {
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new()
                .with_page_index_policy(PageIndexPolicy::Optional)
                .with_metadata_options(metadata_options);
            reader.load_and_finish(self, bytes).await.map(Arc::new)
        }
        .boxed()
    }
}

/// A data file that is being written; durable once it is complete.
pub(crate) struct ParquetOutput(pub(crate) Box<dyn FileWrite>);

impl AsyncFileWriter for ParquetOutput {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        async move { self.0.write(bytes).await.map_err(external) }.boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        async move { self.0.close().await.map_err(external) }.boxed()
    }
}

fn external(error: iceberg::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
