//! One atomic commit: the files, the consumed set and the counts, or none of them.

use std::collections::HashMap;

use iceberg::spec::DataFile;
use iceberg::table::Table;
use iceberg::transaction::{ApplyTransactionAction, Transaction};
use iceberg::{Catalog, ErrorKind as IcebergKind};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::{BATCH, CONSUMED, ConsumedSet, Counts, Fence, Lake, counts, has_batch};

/// What a commit adds to the table that it was planned from.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) id: Uuid,
    pub(crate) files: Vec<DataFile>,
    /// What this batch took in.
    pub(crate) counts: Counts,
    /// Where the new consumed set lies.
    pub(crate) consumed: String,
}

/// How a commit ended, as the table itself says.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is part of the table's history.
    Committed,
    /// It is not: the table had changed since the plan.
    Overtaken,
    /// It is not, for another reason.
    Failed(Error),
}

/// Writes the new consumed set beside the table; the table does not name it yet.
///
/// It lies outside of the table's own folder: engines that remove orphans there would not know it.
///
/// # Errors
/// It could not be written.
pub(crate) async fn write_consumed(table: &Table, set: &ConsumedSet, id: Uuid) -> Result<String> {
    let location = table.metadata().location().trim_end_matches('/');
    let warehouse = location.rsplitn(3, '/').nth(2).unwrap_or(location);
    let path = format!("{warehouse}/consumed/{id}.json.gz");
    let context = || format!("write {path}");
    let output = table.file_io().new_output(&path).map_err(Error::lake(context()))?;
    output.write(set.to_bytes()?).await.map_err(Error::lake(context()))?;
    Ok(path)
}

/// Commits `batch` to the table it was planned from.
///
/// Whatever the catalog answers, the table is read again and searched for the batch's id: an answer may be lost, and
/// `iceberg-catalog-sql` 0.10.1 takes a failed SQL commit for a success. Nothing is ever deleted here: files whose
/// commit's outcome was unknown for a moment may be live.
///
/// # Errors
/// The table could not be read again, so that the outcome is unknown. The next run finds out by itself, since it plans
/// from the consumed set.
pub(crate) async fn commit(lake: &Lake, planned: &Table, batch: Batch) -> Result<Outcome> {
    let id = batch.id.to_string();
    let answer = try_commit(lake, planned, batch).await;
    let now = lake.load().await?;
    if has_batch(now.metadata(), &id) {
        return Ok(Outcome::Committed);
    }
    let moved = now.metadata_location() != planned.metadata_location();
    Ok(match answer {
        _ if moved => Outcome::Overtaken,
        // Glue refuses for any change of the table's entry, also one that moved nothing.
        Err(error) if error.kind() == IcebergKind::CatalogCommitConflicts => Outcome::Overtaken,
        Err(error) => Outcome::Failed(Error::caused(ErrorKind::Lake, "commit to the table", error)),
        Ok(()) => Outcome::Failed(Error::new(ErrorKind::Lake, "the catalog did not keep a commit it had accepted")),
    })
}

async fn try_commit(lake: &Lake, planned: &Table, batch: Batch) -> iceberg::Result<()> {
    let fence = Fence::new(lake.catalog().clone(), planned.metadata_location_result()?);
    let total = counts(planned).map_err(unexpected)?.plus(batch.counts);
    let mut summary = batch.counts.to_properties();
    summary.insert(BATCH.to_owned(), batch.id.to_string());
    let append = |transaction: Transaction| {
        transaction
            .fast_append()
            .set_commit_uuid(batch.id)
            .set_snapshot_properties(summary)
            // The files' names hold the batch's own id: to look for them in every manifest would be for nothing.
            .with_check_duplicate(false)
            .add_data_files(batch.files)
            .apply(transaction)
    };
    let mut properties: HashMap<String, String> = total.to_properties();
    properties.insert(BATCH.to_owned(), batch.id.to_string());
    properties.insert(CONSUMED.to_owned(), batch.consumed);
    let transaction = append(Transaction::new(planned))?;
    let change = transaction.update_table_properties();
    let change = properties.into_iter().fold(change, |change, (name, value)| change.set(name, value));
    change.apply(transaction)?.commit(&fence as &dyn Catalog).await.map(|_| ())
}

fn unexpected(error: Error) -> iceberg::Error {
    iceberg::Error::new(IcebergKind::DataInvalid, error.to_string())
}
