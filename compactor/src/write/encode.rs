//! Encoding a row group: what takes most of a compaction's time, and needs no file to be done.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;

use super::properties;
use crate::columns::Columns;
use crate::error::{Error, Result};
use crate::schema;

/// Rows of a batch on their way to the encoder: few, so that they are still in the processor's cache.
const BATCH_ROWS: usize = 1_024;
/// Text of a batch, bytes: far below what 32-bit offsets can say, so that no column can overflow (I9).
const BATCH_BYTES: usize = 4 << 20;

/// Whether the rows of a batch are enough.
pub(crate) fn batch_is_full(columns: &Columns) -> bool {
    columns.rows() >= BATCH_ROWS || columns.bytes() >= BATCH_BYTES
}

/// Encoded rows of one day, sorted.
pub(crate) struct Group {
    pub(crate) day: i32,
    pub(super) columns: Vec<ArrowColumnChunk>,
}

impl Group {
    /// How many rows.
    pub(crate) fn rows(&self) -> u64 {
        self.columns.first().map_or(0, |column| column.close().rows_written)
    }

    /// Size in a file.
    pub(crate) fn bytes(&self) -> u64 {
        self.columns.iter().map(|column| column.close().bytes_written).sum()
    }
}

/// Encodes one row group.
pub(crate) struct Encoder {
    day: i32,
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl Encoder {
    /// An encoder of a day's rows, of which there are `rows` at most.
    ///
    /// # Errors
    /// The schema cannot be written as Parquet.
    pub(crate) fn new(day: i32, rows: usize) -> Result<Self> {
        // Writers of columns are made by a file's writer. The file that this group goes to is not open yet.
        let properties = Arc::new(properties::of(rows as u64));
        let nowhere = SerializedFileWriter::new(io::sink(), parquet_schema()?, properties).map_err(encode())?;
        let factory = ArrowRowGroupWriterFactory::new(&nowhere, schema::arrow_schema());
        Ok(Self { day, columns: factory.create_column_writers(0).map_err(encode())?, rows: 0 })
    }

    /// Rows so far.
    #[cfg(feature = "local")]
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Memory that they take.
    #[cfg(feature = "local")]
    pub(crate) fn bytes(&self) -> u64 {
        self.columns.iter().map(|column| column.memory_size() as u64).sum()
    }

    /// Adds rows, which follow those before them.
    ///
    /// # Errors
    /// A column cannot be encoded.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        let schema = batch.schema_ref();
        for ((field, array), writer) in schema.fields().iter().zip(batch.columns()).zip(&mut self.columns) {
            for leaf in compute_leaves(field, array).map_err(encode())? {
                writer.write(&leaf).map_err(encode())?;
            }
        }
        Ok(())
    }

    /// The row group, if there are any rows.
    ///
    /// # Errors
    /// A column cannot be encoded.
    pub(crate) fn finish(self) -> Result<Option<Group>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let columns = self.columns.into_iter().map(|writer| writer.close().map_err(encode()));
        Ok(Some(Group { day: self.day, columns: columns.collect::<Result<_>>()? }))
    }
}

/// The table's columns for Parquet.
pub(super) fn parquet_schema() -> Result<TypePtr> {
    let schema = ArrowSchemaConverter::new().convert(&schema::arrow_schema()).map_err(encode())?;
    Ok(schema.root_schema_ptr())
}

fn encode<E: std::error::Error + Send + Sync + 'static>() -> impl FnOnce(E) -> Error {
    Error::lake("encode rows")
}
