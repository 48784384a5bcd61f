//! Few files: small ones of a day merged, many manifests made few.

use std::collections::BTreeSet;

use event::Timestamp;
use iceberg::spec::TableMetadata;
use iceberg::table::Table;
use uuid::Builder;

use super::merge::{Merge, merge};
use super::replace::Replace;
use super::survey::{Plan, Survey};
use super::swap::Swapped;
use super::{Upkeep, UpkeepStep, UpkeepSummary};
use crate::error::{Error, Result};

/// How far the files of a plan came.
enum Merged {
    All,
    /// It was told to stop.
    Stopped,
    /// Those of this day cannot be merged.
    Not(i32, Error),
}

impl Upkeep<'_> {
    /// Rewrites, commit by commit, as long as it is worth it and nobody else commits.
    ///
    /// Days whose files cannot be merged are left as they are; the error of the first of them is returned.
    ///
    /// # Errors
    /// The table cannot be read or changed.
    pub(super) async fn rewrite(
        &self,
        now: Timestamp,
        random: &(dyn Fn() -> [u8; 16] + Sync),
        summary: &mut UpkeepSummary,
    ) -> Result<Option<Error>> {
        let (mut left_out, mut first_error) = (BTreeSet::new(), None);
        while !(self.stop)() {
            let table = self.lake.load_checked().await?;
            let survey = Survey::of(&table, &self.options).await?;
            let plan = survey.plan(now, &self.options, &left_out);
            if plan.is_empty() {
                break;
            }
            (self.failpoint)(UpkeepStep::Planned)?;
            let mut replace = Replace::new(&table, Builder::from_random_bytes(random()).into_uuid(), now)?;
            let made = match self.merge_all(&plan, &mut replace).await? {
                Merged::All => self.commit(&survey, &plan, &mut replace).await?,
                Merged::Stopped => false,
                Merged::Not(day, error) => {
                    tracing::warn!(day, %error, "the files of a day cannot be merged and stay as they are");
                    left_out.insert(day);
                    first_error.get_or_insert(error);
                    drop_files(&table, &replace.written).await;
                    continue;
                }
            };
            if !made {
                summary.overtaken += u64::from(!(self.stop)());
                drop_files(&table, &replace.written).await;
                break;
            }
            summary.count_rewrite(&plan);
        }
        Ok(first_error)
    }

    /// Writes the merged files.
    async fn merge_all(&self, plan: &Plan, replace: &mut Replace<'_>) -> Result<Merged> {
        for (day, files) in &plan.merges {
            let work = Merge {
                day: *day,
                files: files.iter().map(|small| small.entry.data_file()).collect(),
                path: replace.place(*day),
                // It is held twice while it is handed on; the other half is for the inputs.
                group_bytes: self.options.memory / 8,
            };
            match merge(replace.table, &work, &*self.stop).await {
                Ok(Some(file)) => replace.put(file, files.iter().map(|small| small.entry.clone())),
                Ok(None) => return Ok(Merged::Stopped),
                Err(error) => return Ok(Merged::Not(*day, error)),
            }
            (self.failpoint)(UpkeepStep::Merged)?;
        }
        Ok(Merged::All)
    }

    /// Whether the table has it now. If not, nothing will ever name what was written.
    async fn commit(&self, survey: &Survey, plan: &Plan, replace: &mut Replace<'_>) -> Result<bool> {
        let table = replace.table;
        if self.lake.load().await?.metadata_location() != table.metadata_location() {
            // The swap would find out, too, but only after more was written for nothing.
            return Ok(false);
        }
        let manifests = replace.write_manifests(survey, &plan.manifests).await?;
        (self.failpoint)(UpkeepStep::ManifestsWritten)?;
        let snapshot = replace.write_list(manifests).await?;
        (self.failpoint)(UpkeepStep::ListWritten)?;
        self.publish(table, &replace.metadata(snapshot)?).await
    }

    /// Makes `metadata` the table's, if the table still is `planned`: whether it did. If not, it never will be.
    ///
    /// # Errors
    /// The outcome is not known, or the metadata was not written: what it names must stay.
    pub(super) async fn publish(&self, planned: &Table, metadata: &TableMetadata) -> Result<bool> {
        let staged = self.swap.stage(planned, metadata).await?;
        (self.failpoint)(UpkeepStep::Staged)?;
        match self.swap.swap(planned, &staged).await? {
            Swapped::Made => {
                (self.failpoint)(UpkeepStep::Swapped)?;
                Ok(true)
            }
            Swapped::Overtaken => {
                drop_files(planned, &[staged]).await;
                Ok(false)
            }
            Swapped::Failed(error) => Err(error),
        }
    }
}

/// Deletes what nothing names and nothing will. What cannot be deleted is found among the orphans later.
async fn drop_files(table: &Table, paths: &[String]) {
    for path in paths {
        if let Err(error) = table.file_io().delete(path).await {
            tracing::debug!(path, %error, "a file that nothing names stays for now");
        }
    }
}
