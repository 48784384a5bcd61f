//! A data file that is being written, row group by row group.

use std::sync::Arc;

use bytes::Bytes;
use event::Timestamp;
use iceberg::io::FileWrite;
use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Literal, Struct};
use iceberg::table::Table;
use parquet::arrow::add_encoded_arrow_schema_to_metadata;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::writer::SerializedFileWriter;

use super::encode::{Group, parquet_schema};
use super::{properties, statistics};
use crate::error::{Error, Result};
use crate::schema;

/// Where a data file of a day stands: `<table>/data/<partition>/<name>.parquet`.
pub(crate) fn data_path(table: &Table, day: i32, name: &str) -> String {
    let location = table.metadata().location().trim_end_matches('/');
    format!("{location}/data/{}={}/{name}.parquet", schema::PARTITION, Timestamp::of_day(day).day())
}

/// A file of one day's rows. Nothing names it until it is committed, and it is not there at all until it is closed.
pub(crate) struct DataFileWriter {
    path: String,
    day: i32,
    file: SerializedFileWriter<Vec<u8>>,
    output: Box<dyn FileWrite>,
}

impl DataFileWriter {
    /// Begins the file at [`data_path`] a name.
    ///
    /// # Errors
    /// The storage refuses.
    pub(crate) async fn create(table: &Table, day: i32, name: &str) -> Result<Self> {
        Self::at(table, day, data_path(table, day, name)).await
    }

    /// Begins the file at a path.
    ///
    /// # Errors
    /// The storage refuses.
    pub(crate) async fn at(table: &Table, day: i32, path: String) -> Result<Self> {
        let output = table.file_io().new_output(&path).map_err(write(&path))?;
        let output = output.writer().await.map_err(write(&path))?;
        let mut properties = properties::of(0);
        add_encoded_arrow_schema_to_metadata(&schema::arrow_schema(), &mut properties);
        let file = SerializedFileWriter::new(Vec::new(), parquet_schema()?, Arc::new(properties));
        Ok(Self { file: file.map_err(write(&path))?, path, day, output })
    }

    /// The day whose rows it takes.
    pub(crate) fn day(&self) -> i32 {
        self.day
    }

    /// Size so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Adds row groups.
    ///
    /// # Errors
    /// The storage fails.
    #[cfg(feature = "local")]
    pub(crate) async fn append_all(&mut self, groups: impl IntoIterator<Item = Group>) -> Result<()> {
        for group in groups {
            self.append(group).await?;
        }
        Ok(())
    }

    /// Adds a row group; its rows follow all that are there.
    ///
    /// # Errors
    /// The storage fails.
    pub(crate) async fn append(&mut self, group: Group) -> Result<()> {
        let mut row_group = self.file.next_row_group().map_err(write(&self.path))?;
        for column in group.columns {
            column.append_to_row_group(&mut row_group).map_err(write(&self.path))?;
        }
        row_group.close().map_err(write(&self.path))?;
        self.pass_on().await
    }

    /// Ends the file. It is durable when this returns.
    ///
    /// # Errors
    /// The storage fails.
    pub(crate) async fn close(mut self, table: &Table) -> Result<DataFile> {
        let metadata = self.file.finish().map_err(write(&self.path))?;
        self.pass_on().await?;
        self.output.close().await.map_err(write(&self.path))?;
        data_file(table, &metadata, self.day, self.path, self.file.bytes_written() as u64)
    }

    /// Hands to the storage what the file's writer has put out. The buffer is used again, unless the storage keeps it.
    async fn pass_on(&mut self) -> Result<()> {
        let bytes = Bytes::from(std::mem::take(self.file.inner_mut()));
        if bytes.is_empty() {
            return Ok(());
        }
        self.output.write(bytes.clone()).await.map_err(write(&self.path))?;
        if let Ok(free) = bytes.try_into_mut() {
            let mut buffer = Vec::from(free);
            buffer.clear();
            *self.file.inner_mut() = buffer;
        }
        Ok(())
    }
}

fn data_file(table: &Table, metadata: &ParquetMetaData, day: i32, path: String, bytes: u64) -> Result<DataFile> {
    let mut builder = DataFileBuilder::default();
    statistics::describe(&mut builder, metadata);
    builder
        .content(DataContentType::Data)
        .file_format(DataFileFormat::Parquet)
        .file_path(path)
        .file_size_in_bytes(bytes)
        .partition_spec_id(table.metadata().default_partition_spec_id())
        .partition(Struct::from_iter([Some(Literal::date(day))]))
        .sort_order_id(i32::try_from(table.metadata().default_sort_order_id()).unwrap_or_default())
        .build()
        .map_err(|error| Error::new(crate::error::ErrorKind::Lake, format!("describe a data file: {error}")))
}

fn write<E: std::error::Error + Send + Sync + 'static>(path: &str) -> impl FnOnce(E) -> Error {
    Error::lake(format!("write {path}"))
}
