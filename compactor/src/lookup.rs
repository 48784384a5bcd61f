//! Looking for rows by their time: only those files, row groups and pages are read that can hold them.

mod events;
mod pages;
mod times;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::cast::AsArray;
use arrow::array::types::TimestampMicrosecondType;
use event::Timestamp;
use futures::TryStreamExt;
use iceberg::spec::{DataFile, PrimitiveLiteral};
use iceberg::table::Table;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderMetadata, RowFilter};
use parquet::arrow::async_reader::ParquetRecordBatchStream;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::{Files, ParquetFile, open_known};
use crate::schema;
pub(crate) use times::Times;

/// Footers that are kept: each has the page index of all columns, some hundred KB.
const FOOTERS: usize = 64;

/// What is looked for: rows of some times, told apart by one column of text.
pub(crate) trait Sought {
    /// The column.
    fn column(&self) -> &'static str;

    /// The times.
    fn times(&self) -> Times;

    /// Shows a row of one of the times; it need not be one of those looked for.
    fn see(&mut self, received_at: i64, text: &str) -> Result<()>;
}

/// The rows that are there already: those of a table, and of files that were written since and that it does not name yet.
#[derive(Debug)]
pub(crate) struct Known {
    table: Table,
    files: Files,
    new: Mutex<Vec<Arc<DataFile>>>,
    footers: Mutex<HashMap<String, ArrowReaderMetadata>>,
}

impl Known {
    /// # Errors
    /// The table's metadata cannot be read.
    pub(crate) async fn of(table: &Table) -> Result<Self> {
        let files = Files::of(table).await?;
        Ok(Self { table: table.clone(), files, new: Mutex::default(), footers: Mutex::default() })
    }

    /// Adds a file, which must be readable from now on.
    pub(crate) fn add(&self, file: DataFile) {
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(file));
    }

    /// Shows `sought` every row of its times, by received_at and the one column; the cost follows what is sought, not
    /// the table.
    ///
    /// # Errors
    /// A file could not be read.
    pub(crate) async fn look_for(&self, sought: &mut (impl Sought + Send)) -> Result<()> {
        let times = sought.times();
        if times.is_empty() {
            return Ok(());
        }
        let days = |first: i32, last: i32| {
            let (begin, end) = (i64::from(first), i64::from(last) + 1);
            times.any_within(begin.saturating_mul(Timestamp::DAY), end.saturating_mul(Timestamp::DAY) - 1)
        };
        let mut files = self.files.of_days(days).await?;
        files.extend(self.new.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        for file in files {
            if file_range(&file).is_none_or(|(first, last)| times.any_within(first, last)) {
                self.look_in(&file, sought, &times).await?;
            }
        }
        Ok(())
    }

    async fn look_in(&self, file: &DataFile, sought: &mut (impl Sought + Send), times: &Times) -> Result<()> {
        let column = sought.column();
        let context = || format!("look for {column} in {}", file.file_path());
        let Some(mut batches) = self.read(file, column, times).await? else { return Ok(()) };
        while let Some(batch) = batches.try_next().await.map_err(Error::lake(context()))? {
            let damaged = || Error::new(ErrorKind::Table, format!("{}: not the table's columns", context()));
            let received = batch.column_by_name("received_at");
            let received = received.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
            let texts = batch.column_by_name(column).and_then(|column| column.as_string_opt::<i32>());
            let (Some(received), Some(texts)) = (received, texts) else { return Err(damaged()) };
            for (time, text) in received.values().iter().zip(texts) {
                sought.see(*time, text.ok_or_else(damaged)?)?;
            }
        }
        Ok(())
    }

    /// The rows of one of the times. The times are read first, and of the column only pages that have a row of them.
    async fn read(
        &self,
        file: &DataFile,
        column: &str,
        times: &Times,
    ) -> Result<Option<ParquetRecordBatchStream<ParquetFile>>> {
        let path = file.file_path();
        let known = self.footers.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        let (metadata, builder) = open_known(&self.table, path, file.file_size_in_bytes(), known).await?;
        self.keep(path, metadata);
        let (groups, selection) = pages::select(builder.metadata(), times);
        if groups.is_empty() {
            return Ok(None);
        }
        let mask = |columns: &[&str]| ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let (of_times, of_both, times) = (mask(&["received_at"]), mask(&["received_at", column]), times.clone());
        let filter = ArrowPredicateFn::new(of_times, move |batch| Ok(times.among(batch.column(0))));
        let builder = builder.with_projection(of_both).with_row_groups(groups).with_row_selection(selection);
        let builder = builder.with_row_filter(RowFilter::new(vec![Box::new(filter)]));
        builder.build().map(Some).map_err(Error::lake(format!("look for {column} in {path}")))
    }

    fn keep(&self, path: &str, metadata: ArrowReaderMetadata) {
        let mut footers = self.footers.lock().unwrap_or_else(PoisonError::into_inner);
        if footers.len() >= FOOTERS && !footers.contains_key(path) {
            let any = footers.keys().next().cloned();
            any.and_then(|any| footers.remove(&any));
        }
        footers.insert(path.to_owned(), metadata);
    }
}

/// The times of a file's first and last row, if its writer said.
fn file_range(file: &DataFile) -> Option<(i64, i64)> {
    let id = schema::field_id("received_at")?;
    let micros = |datum: Option<&iceberg::spec::Datum>| match datum?.literal() {
        PrimitiveLiteral::Long(micros) => Some(*micros),
        _ => None,
    };
    Some((micros(file.lower_bounds().get(&id))?, micros(file.upper_bounds().get(&id))?))
}
