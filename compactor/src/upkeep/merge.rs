//! Sorted files to one sorted file: a k-way merge by `(received_at, event_id)`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::cast::AsArray;
use arrow::array::types::TimestampMicrosecondType;
use arrow::array::{RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::interleave_record_batch;
use event::Timestamp;
use iceberg::spec::DataFile;
use iceberg::table::Table;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::pages::Pages;
use crate::block::SortKey;
use crate::error::{Error, ErrorKind, Result};
use crate::schema;
use crate::write::{DataFileWriter, Encoder, GROUP_ROWS};

/// Rows of a batch.
const BATCH_ROWS: u64 = 1_024;
/// Size of a batch, if the rows of its file are of about one size.
const BATCH_BYTES: u64 = 2 << 20;

/// What is merged into one file.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    pub(super) day: i32,
    pub(super) files: Vec<&'a DataFile>,
    /// Where the file will stand.
    pub(super) path: String,
    /// Bound on the row group that is being written, bytes.
    pub(super) group_bytes: u64,
}

/// Writes the rows of `merge.files`, all of them and as they are, to one file that is durable when this returns.
///
/// Memory is a batch and a page of each column for each input, and one row group. `None` if `stop`, asked before every
/// batch, says so: there is no file then.
///
/// # Errors
/// A file cannot be read or written, is not sorted or lacks rows. There is no new file then.
pub(super) async fn merge(
    table: &Table,
    merge: &Merge<'_>,
    stop: &(dyn Fn() -> bool + Send + Sync),
) -> Result<Option<DataFile>> {
    let mut inputs = Inputs::open(&merge.files)?;
    let rows = merge.files.iter().map(|file| file.record_count()).sum::<u64>();
    let mut output = DataFileWriter::at(table, merge.day, merge.path.clone()).await?;
    let mut encoder = Encoder::new(merge.day, GROUP_ROWS)?;
    let mut merged = 0;
    while let Some(batch) = inputs.next_batch()? {
        if stop() {
            return Ok(None);
        }
        merged += batch.num_rows() as u64;
        encoder.write(&batch)?;
        if encoder.bytes() >= merge.group_bytes || encoder.rows() >= GROUP_ROWS {
            output.append_all(std::mem::replace(&mut encoder, Encoder::new(merge.day, GROUP_ROWS)?).finish()?).await?;
        }
        // Encoding a batch takes milliseconds of this thread: others get their turn in between.
        tokio::task::yield_now().await;
    }
    if merged != rows {
        return Err(Error::new(ErrorKind::Table, format!("write {}: {merged} rows, not {rows}", merge.path)));
    }
    output.append_all(encoder.finish()?).await?;
    output.close(table).await.map(Some)
}

/// The inputs, and their rows that come next.
struct Inputs {
    inputs: Vec<Input>,
    heap: BinaryHeap<Reverse<(SortKey, usize)>>,
    /// The batches that rows are picked from: the present one of each input, and those that ended meanwhile.
    held: Vec<RecordBatch>,
    /// How many rows to hand out at a time.
    batch_rows: usize,
}

impl Inputs {
    fn open(files: &[&DataFile]) -> Result<Self> {
        let inputs = files.iter().map(|file| Input::open(file)).collect::<Result<Vec<_>>>()?;
        let batch_rows = inputs.iter().map(|input| input.batch_rows).min().unwrap_or(1);
        let mut merged = Self { inputs, heap: BinaryHeap::new(), held: Vec::new(), batch_rows };
        for index in 0..merged.inputs.len() {
            merged.queue(index)?;
        }
        Ok(merged)
    }

    /// The next rows in order; `None` at the end.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut picked = Vec::with_capacity(self.batch_rows);
        while picked.len() < self.batch_rows {
            let Some(Reverse((_, index))) = self.heap.pop() else { break };
            picked.push((self.inputs[index].held, self.inputs[index].row));
            self.inputs[index].row += 1;
            self.queue(index)?;
        }
        if picked.is_empty() {
            return Ok(None);
        }
        let held: Vec<&RecordBatch> = self.held.iter().collect();
        let batch = interleave_record_batch(&held, &picked).map_err(Error::lake("merge rows"))?;
        self.release();
        Ok(Some(batch))
    }

    /// Puts the next row of an input in line, if it has one.
    fn queue(&mut self, index: usize) -> Result<()> {
        let input = &mut self.inputs[index];
        if input.row == input.times.len()
            && let Some(batch) = input.read()?
        {
            input.held = self.held.len();
            self.held.push(batch);
        }
        if let Some(key) = input.key()? {
            self.heap.push(Reverse((key, index)));
        }
        Ok(())
    }

    /// Lets go of the batches that have ended.
    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        for input in self.inputs.iter_mut().filter(|input| input.row < input.times.len()) {
            let batch = held[input.held].clone();
            input.held = self.held.len();
            self.held.push(batch);
        }
    }
}

/// A file that is read in order.
struct Input {
    path: String,
    reader: ParquetRecordBatchReader,
    batch_rows: usize,
    /// Which of the batches held is the present one.
    held: usize,
    row: usize,
    times: TimestampMicrosecondArray,
    ids: StringArray,
    last: Option<SortKey>,
}

impl Input {
    fn open(file: &DataFile) -> Result<Self> {
        let path = super::plain(file.file_path());
        let context = || format!("open {path}");
        let pages = Pages::open(path).map_err(Error::lake(context()))?;
        // Parquet's own schema says all that is needed. Arrow's, beside it, is read by code that panics if it is damaged.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(pages, options);
        let builder = builder.map_err(Error::lake(context()))?;
        let groups = builder.metadata().row_groups();
        let bytes: u64 = groups.iter().map(|group| u64::try_from(group.total_byte_size()).unwrap_or_default()).sum();
        let row = (bytes / file.record_count().max(1)).max(1);
        let batch_rows = usize::try_from((BATCH_BYTES / row).clamp(1, BATCH_ROWS)).unwrap_or(1);
        let reader = builder.with_batch_size(batch_rows).build().map_err(Error::lake(context()))?;
        let (times, ids) = (Vec::<i64>::new().into(), StringArray::from(Vec::<&str>::new()));
        Ok(Self { path: path.to_owned(), reader, batch_rows, held: 0, row: 0, times, ids, last: None })
    }

    /// Reads the next batch, with the table's own schema.
    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let context = || format!("read {}", self.path);
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let columns = batch.map_err(Error::lake(context()))?.columns().to_vec();
        let batch = RecordBatch::try_new(schema::arrow_schema(), columns).map_err(Error::lake(context()))?;
        let times = batch.column_by_name("received_at").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let ids = batch.column_by_name("event_id").and_then(|column| column.as_string_opt::<i32>());
        let (Some(times), Some(ids)) = (times, ids) else {
            return Err(Error::new(ErrorKind::Table, format!("{}: not the table's columns", context())));
        };
        (self.row, self.times, self.ids) = (0, times.clone(), ids.clone());
        Ok(Some(batch))
    }

    /// The key of the present row. Keys must rise: a file that is not sorted would make another one.
    fn key(&mut self) -> Result<Option<SortKey>> {
        if self.row == self.times.len() {
            return Ok(None);
        }
        let no_id = |reason| Error::new(ErrorKind::Table, format!("{}: event_id {reason}", self.path));
        let key = (self.times.value(self.row), self.ids.value(self.row).parse().map_err(no_id)?);
        if self.last.is_some_and(|last| key < last) {
            let time = Timestamp::from_micros(key.0);
            return Err(Error::new(ErrorKind::Table, format!("{}: not sorted at {time} {}", self.path, key.1)));
        }
        self.last = Some(key);
        Ok(Some(key))
    }
}
