//! The commit that `iceberg` 0.10.1 cannot make: a new metadata file, and the catalog's entry moved to it.
//!
//! `TableCommit` cannot be built outside of that crate, and it knows neither `replace` nor a way to give a snapshot a
//! time. So this does what `iceberg-catalog-sql` 0.10.1 does in `update_table`, statement for statement.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use iceberg::MetadataLocation;
use iceberg::spec::TableMetadata;
use iceberg::table::Table;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::schema;

/// As `iceberg-catalog-sql` 0.10.1 has it.
const MOVE: &str = "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? \
     WHERE catalog_name = ? AND table_name = ? AND table_namespace = ? \
     AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL) AND metadata_location = ?";

/// How a swap ended.
#[derive(Debug)]
pub(super) enum Swapped {
    /// The table is, or was until another commit came, what was staged.
    Made,
    /// It never will be: the table had changed since the plan. For certain: the catalog said so.
    Overtaken,
    /// It is not as far as can be seen, and the catalog did not say why. Nothing that was staged may be deleted.
    Failed(Error),
}

/// Moves the table's entry in a catalog on SQLite.
#[derive(Debug, Clone)]
pub(super) struct Swap {
    lake: Lake,
    database: PathBuf,
}

impl Swap {
    /// Swaps in the catalog `catalog.db` of a lake's folder.
    pub(super) fn new(lake: &Lake, folder: &Path) -> Self {
        Self { lake: lake.clone(), database: folder.join("catalog.db") }
    }

    /// Writes `metadata`, made from `planned`, under a new name; it is durable when this returns, and nothing names it.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) async fn stage(&self, planned: &Table, metadata: &TableMetadata) -> Result<String> {
        let context = "name the table's metadata";
        let location = planned.metadata_location_result().map_err(Error::lake(context))?;
        let location = MetadataLocation::from_str(location).map_err(Error::lake(context))?;
        let location = location.with_next_version().with_new_metadata(metadata);
        let written = metadata.write_to(planned.file_io(), &location).await;
        written.map_err(Error::lake(format!("write {location}")))?;
        Ok(location.to_string())
    }

    /// Makes what was staged the table, if the table still is `planned`.
    ///
    /// The catalog's word counts only if it is that no row was changed. After an error the table is read again and its
    /// log searched for the staged file, whose name is used once: the answer may have been lost.
    ///
    /// # Errors
    /// The table could not be read again, so that the outcome is unknown: to be treated as [`Swapped::Failed`].
    pub(super) async fn swap(&self, planned: &Table, staged: &str) -> Result<Swapped> {
        let from = planned.metadata_location_result().map_err(Error::lake("find the table's metadata"))?;
        match self.try_swap(from, staged).await {
            Ok(0) => Ok(Swapped::Overtaken),
            Ok(_) => Ok(Swapped::Made),
            Err(error) => {
                let now = self.lake.load().await?;
                let was = now.metadata().metadata_log().iter().any(|entry| entry.metadata_file == staged);
                if was || now.metadata_location() == Some(staged) {
                    return Ok(Swapped::Made);
                }
                Ok(Swapped::Failed(Error::lake("move the table to its new metadata")(error)))
            }
        }
    }

    /// How many entries were moved: one or none.
    async fn try_swap(&self, from: &str, to: &str) -> sqlx::Result<u64> {
        let options = SqliteConnectOptions::new()
            .filename(&self.database)
            .busy_timeout(Duration::from_secs(10))
            .synchronous(SqliteSynchronous::Full);
        let mut connection = options.connect().await?;
        let (table, space) = (schema::TABLE, schema::NAMESPACE);
        let moved = sqlx::query(MOVE).bind(to).bind(from).bind(space).bind(table).bind(space).bind(from);
        let moved = moved.execute(&mut connection).await?.rows_affected();
        // The move is durable: what closing says changes nothing about it.
        let _ = connection.close().await;
        Ok(moved)
    }
}
