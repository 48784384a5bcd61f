//! Parquet read from and written to the lake's storage.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use iceberg::io::FileRead;
use iceberg::table::Table;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::error::{Error, Result};

/// How much of a file's end is read at first: its footer and page index, unless it has many row groups.
const FOOTER: usize = 64 << 10;
/// Ranges are read together if no more than this lies between them. Little: a lookup reads single pages, and what lies
/// between them would be most of what it reads.
const GAP: u64 = 16 << 10;
/// How many ranges are read at the same time.
const AT_ONCE: usize = 4;

/// Opens a data file with its page index, if it has one.
///
/// # Errors
/// It is not there or no Parquet file; the error names it.
pub(crate) async fn open(
    table: &Table,
    path: &str,
    bytes: u64,
) -> Result<ParquetRecordBatchStreamBuilder<ParquetFile>> {
    Ok(open_known(table, path, bytes, None).await?.1)
}

/// The same with the file's footer, which is not read again if it is known.
///
/// # Errors
/// As [`open`].
pub(crate) async fn open_known(
    table: &Table,
    path: &str,
    bytes: u64,
    known: Option<ArrowReaderMetadata>,
) -> Result<(ArrowReaderMetadata, ParquetRecordBatchStreamBuilder<ParquetFile>)> {
    let context = || format!("open {path}");
    let input = table.file_io().new_input(path).map_err(Error::lake(context()))?;
    let reader = input.reader().await.map_err(Error::lake(context()))?;
    let mut file = ParquetFile { reader, bytes };
    let metadata = match known {
        Some(known) => known,
        None => {
            // Parquet's own schema says all that is needed. Arrow's, beside it, is read by code that panics if it is
            // damaged.
            let options = ArrowReaderOptions::new()
                .with_page_index_policy(PageIndexPolicy::Optional)
                .with_skip_arrow_metadata(true);
            ArrowReaderMetadata::load_async(&mut file, options).await.map_err(Error::lake(context()))?
        }
    };
    Ok((metadata.clone(), ParquetRecordBatchStreamBuilder::new_with_metadata(file, metadata)))
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

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move {
            let together = joined(&ranges, GAP);
            let reads =
                together.iter().cloned().map(|range| self.reader.read(range).map(|read| read.map_err(external)));
            let read: Vec<Bytes> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
            ranges.iter().map(|range| part(range, &together, &read)).collect()
        }
        .boxed()
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
                .with_prefetch_hint(Some(FOOTER))
                .with_metadata_options(metadata_options);
            reader.load_and_finish(self, bytes).await.map(Arc::new)
        }
        .boxed()
    }
}

/// The ranges in order, those with at most `gap` between them as one.
fn joined(ranges: &[Range<u64>], gap: u64) -> Vec<Range<u64>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(gap) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// The bytes of a range, cut from what was read together.
fn part(range: &Range<u64>, together: &[Range<u64>], read: &[Bytes]) -> ParquetResult<Bytes> {
    let index = together.partition_point(|whole| whole.start <= range.start).saturating_sub(1);
    let place = |whole: &Range<u64>| Some(to_usize(range.start, whole)?..to_usize(range.end, whole)?);
    let found = together.get(index).and_then(place).zip(read.get(index));
    match found.filter(|(place, bytes)| place.start <= place.end && place.end <= bytes.len()) {
        Some((place, bytes)) => Ok(bytes.slice(place)),
        None => Err(ParquetError::General(format!("bytes {}..{} make no range", range.start, range.end))),
    }
}

fn to_usize(at: u64, whole: &Range<u64>) -> Option<usize> {
    usize::try_from(at.checked_sub(whole.start)?).ok()
}

fn external(error: iceberg::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "ranges are what is asked for")]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_lie_close_are_read_together() {
        let check = |ranges: &[Range<u64>], expect: &[Range<u64>]| assert_eq!(joined(ranges, 10), expect, "{ranges:?}");
        check(&[], &[]);
        check(&[0..5, 15..20, 31..40], &[0..20, 31..40]);
        check(&[31..40, 0..5, 2..3], &[0..5, 31..40]);
        check(&[0..u64::MAX, 7..9], &[0..u64::MAX]);
    }

    #[test]
    fn every_range_gets_its_own_bytes() {
        let file: Vec<u8> = (0..200).collect();
        let ranges = [100..110, 3..3, 0..4, 2..8, 150..200, 9..12];
        let together = joined(&ranges, 10);
        let read = |range: &Range<u64>| Bytes::copy_from_slice(&file[range.start as usize..range.end as usize]);
        let read: Vec<Bytes> = together.iter().map(read).collect();
        for range in &ranges {
            assert_eq!(part(range, &together, &read).unwrap(), file[range.start as usize..range.end as usize]);
        }
        assert!(part(&(190..201), &together, &read).is_err());
    }
}
